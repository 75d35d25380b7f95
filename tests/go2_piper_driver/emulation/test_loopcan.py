"""The CAN bus over loopback: who hears whom, and what fails as on a real bus."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import can
import pytest
from go2_piper_driver.emulation.can.loopcan import LoopcanEnd, LoopcanError, channel_folder, set_channel_down
from hypothesis import given
from hypothesis import strategies as st

CHANNEL = f"test{os.getpid()}"
FRAME = (0x2A5, bytes(range(8)))


@pytest.fixture
def channel(request: pytest.FixtureRequest) -> Iterator[str]:
    name = f"{CHANNEL}_{abs(hash(request.node.nodeid)) % 10**6}"
    yield name
    folder = channel_folder(name)
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()


@pytest.fixture
def arm(channel: str) -> Iterator[LoopcanEnd]:
    end = LoopcanEnd(channel, node="arm")
    yield end
    end.close()


def test_frames_arrive_in_order_through_python_can(channel: str, arm: LoopcanEnd) -> None:
    with can.Bus(channel, interface="loopcan") as bus:
        arm.send([(can_id, FRAME[1]) for can_id in (0x2A5, 0x2A6, 0x2A7)])
        read = [bus.recv(1.0) for _ in range(3)]
        assert [message.arbitration_id for message in read if message] == [0x2A5, 0x2A6, 0x2A7]
        assert read[0] is not None and bytes(read[0].data) == FRAME[1] and not read[0].is_extended_id
        bus.send(can.Message(arbitration_id=0x151, data=[1, 1, 50], is_extended_id=False))
        assert arm.receive(1.0) == [(0x151, b"\x01\x01\x32")]
        assert bus.recv(0.0) is None


def test_without_local_loopback_the_own_node_hears_nothing(channel: str, arm: LoopcanEnd) -> None:
    with (
        can.Bus(channel, interface="loopcan", local_loopback=False) as quiet,
        can.Bus(channel, interface="loopcan") as other,
    ):
        quiet.send(can.Message(arbitration_id=0x155, data=bytes(8), is_extended_id=False))
        assert arm.receive(1.0)
        assert other.recv(0.05) is None
        other.send(can.Message(arbitration_id=0x156, data=bytes(8), is_extended_id=False))
        message = quiet.recv(1.0)
        assert message is not None and message.arbitration_id == 0x156


def test_another_bit_rate_hears_nothing_and_cannot_send(channel: str, arm: LoopcanEnd) -> None:
    with can.Bus(channel, interface="loopcan", bitrate=500_000) as bus:
        with pytest.raises(can.CanOperationError, match="acknowledges"):
            bus.send(can.Message(arbitration_id=1, is_extended_id=False))
        with pytest.raises(can.CanOperationError, match="acknowledges"):
            arm.send([FRAME])
        assert bus.recv(0.05) is None


def test_a_channel_that_is_down_fails_on_both_sides_and_comes_back(channel: str, arm: LoopcanEnd) -> None:
    with can.Bus(channel, interface="loopcan") as bus:
        set_channel_down(channel, True)
        time.sleep(0.02)
        with pytest.raises(can.CanOperationError, match="down"):
            bus.recv(0.1)
        with pytest.raises(can.CanOperationError, match="down"):
            arm.send([FRAME])
        set_channel_down(channel, False)
        time.sleep(0.02)
        arm.send([FRAME])
        assert bus.recv(1.0) is not None


def test_a_receiver_that_does_not_read_loses_frames_and_blocks_nobody(channel: str, arm: LoopcanEnd) -> None:
    sleeper = LoopcanEnd(channel)
    for _ in range(5000):
        arm.send([FRAME] * 15)
    received = 0
    while frames := sleeper.receive(0.0):
        received += len(frames)
    assert 0 < received < 5000 * 15
    sleeper.close()


def test_ends_of_dead_processes_are_forgotten(channel: str) -> None:
    code = f"""
import os
from go2_piper_driver.emulation.can.loopcan import LoopcanEnd
end = LoopcanEnd({channel!r}, node="arm")
os._exit(0)
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=30)
    assert any(path.name.endswith("-arm") for path in channel_folder(channel).iterdir())
    end = LoopcanEnd(channel)
    with pytest.raises(can.CanOperationError, match="acknowledges"):
        end.send([FRAME])
    assert not any(path.name.endswith("-arm") for path in channel_folder(channel).iterdir())
    end.close()


def test_datagrams_of_strangers_are_dropped(channel: str, arm: LoopcanEnd) -> None:
    port = int(next(path.name.split("-")[0] for path in channel_folder(channel).iterdir() if "-arm" in path.name))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        for data in (b"", b"\x00" * 8, b"\x00" * 19, os.urandom(300)):
            stranger.sendto(data, ("127.0.0.1", port))
    assert arm.receive(0.2) == []
    assert arm.malformed == 4


@given(st.binary(max_size=200))
def test_any_datagram_is_parsed_or_dropped(body: bytes) -> None:
    end = object.__new__(LoopcanEnd)
    end._token, end.malformed = b"12345678", 0
    for can_id, data in end._parse(b"12345678" + body):
        assert 0 <= can_id < 0x800 and len(data) <= 8


@pytest.mark.parametrize("name", ["", "..", "a/b", "x" * 33, "a b"])
def test_bad_channel_names(name: str) -> None:
    with pytest.raises(LoopcanError, match="loopcan"):
        LoopcanEnd(name)


def test_a_channel_has_room_for_so_many(channel: str) -> None:
    ends = []
    with pytest.raises(LoopcanError, match="ends already"):
        for _ in range(100):
            ends.append(LoopcanEnd(channel))
    for end in ends:
        end.close()


def test_only_standard_data_frames(channel: str, arm: LoopcanEnd) -> None:
    with can.Bus(channel, interface="loopcan") as bus, pytest.raises(can.CanOperationError, match="standard"):
        bus.send(can.Message(arbitration_id=1, is_extended_id=True))
