"""The CAN device before it is opened: each thing that can be wrong is one line with what to do."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from go2_piper_driver.piper import channel
from go2_piper_driver.piper.channel import BITRATE, ChannelError, check_socketcan, claim


@pytest.fixture
def devices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The kernel's list of network devices, with a CAN device that is up."""
    monkeypatch.setattr(channel, "_SYSFS", tmp_path)
    add(tmp_path, "can0")
    add(tmp_path, "eth0", kind="1")
    answer(monkeypatch, BITRATE)
    return tmp_path


def add(root: Path, name: str, kind: str = "280", state: str = "up") -> None:
    (root / name).mkdir(exist_ok=True)
    (root / name / "type").write_text(kind + "\n")
    (root / name / "operstate").write_text(state + "\n")


def answer(monkeypatch: pytest.MonkeyPatch, bitrate: object) -> None:
    """Let `ip` say a bit rate."""
    text = json.dumps([{"linkinfo": {"info_kind": "can", "info_data": {"bittiming": {"bitrate": bitrate}}}}])

    def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        assert command[0] == "ip"
        return subprocess.CompletedProcess(command, 0, text, "")

    monkeypatch.setattr(channel.subprocess, "run", run)


def refused(name: str) -> str:
    with pytest.raises(ChannelError) as error:
        check_socketcan(name)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_a_good_device_passes(devices: Path) -> None:
    check_socketcan("can0")


def test_a_missing_device_names_those_that_are_there(devices: Path) -> None:
    text = refused("can5")
    assert 'no CAN device "can5" (found: can0)' in text and "ip link set can5 up type can bitrate 1000000" in text
    assert "no CAN device" in refused("")
    assert "no CAN device" in refused("../can0")


def test_another_kind_of_device(devices: Path) -> None:
    assert "eth0 is no CAN device" in refused("eth0")


def test_a_device_that_is_down(devices: Path) -> None:
    add(devices, "can0", state="down")
    assert "can0 is down" in refused("can0")


def test_wrong_bit_rate(devices: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answer(monkeypatch, 500_000)
    assert "can0 runs at 500000 bit/s, the arm at 1000000" in refused("can0")


@pytest.mark.parametrize("odd", [None, "x", {}])
def test_a_bit_rate_that_nobody_tells_is_left_to_the_first_frames(
    devices: Path, monkeypatch: pytest.MonkeyPatch, odd: object
) -> None:
    answer(monkeypatch, odd)
    check_socketcan("can0")


def test_a_channel_has_one_driver_at_a_time() -> None:
    first = claim("loopcan", "test_channel")
    with pytest.raises(ChannelError, match="taken"):
        claim("loopcan", "test_channel")
    claim("loopcan", "test_channel2").close()
    first.close()
    claim("loopcan", "test_channel").close()
