"""Bytes, checksum and type ids of the Go2's messages."""

from __future__ import annotations

import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("cyclonedds")

from go2_piper_driver.go2 import messages, shim, wire

POS_STOP, VEL_STOP = 2.146e9, 16000.0


def _initial() -> messages.LowCmd_:
    command = messages.LowCmd_(head=[0xFE, 0xEF], level_flag=0xFF)
    for motor in command.motor_cmd:
        motor.mode, motor.q, motor.dq = 1, POS_STOP, VEL_STOP
    return command


def _stand() -> messages.LowCmd_:
    command = _initial()
    for index, q in enumerate([0.0, 0.8, -1.5] * 4):
        motor = command.motor_cmd[index]
        motor.q, motor.dq, motor.kp, motor.kd = q, 0.0, 60.0, 5.0
    return command


def _damping() -> messages.LowCmd_:
    command = _initial()
    for motor in command.motor_cmd[:12]:
        motor.q, motor.dq, motor.kd = 0.0, 0.0, 3.0
    return command


@pytest.mark.parametrize(
    ("command", "expected"),
    [(_initial(), 0x06E577CD), (_stand(), 0x9F414EE1), (_damping(), 0x5F921E08), (messages.LowCmd_(), 0x4B5A4880)],
    ids=["initial", "stand", "damping", "zero"],
)
def test_golden_checksums(command: messages.LowCmd_, expected: int) -> None:
    assert wire.COMMAND.checksum(command.serialize()) == expected
    assert wire.unpack_cmd(wire.seal_cmd(command)).intact


def _slow_crc(words: bytes) -> int:
    """The vendor's algorithm, bit by bit."""
    crc = 0xFFFFFFFF
    for (word,) in struct.iter_unpack("<I", words):
        for bit in range(31, -1, -1):
            top = crc >> 31
            crc = (crc << 1) & 0xFFFFFFFF
            if top ^ (word >> bit & 1):
                crc ^= 0x04C11DB7
    return crc


@given(st.binary(min_size=0, max_size=80).map(lambda data: data[: len(data) // 4 * 4]))
def test_checksum_is_the_vendors(words: bytes) -> None:
    turned = b"".join(words[at : at + 4][::-1] for at in range(0, len(words), 4))
    assert wire.crc32(turned) == _slow_crc(words)


_f32 = st.floats(width=32, allow_nan=False)
_u8, _u32 = st.integers(0, 255), st.integers(0, 2**32 - 1)


@given(st.data())
def test_command_bytes_are_those_of_cyclonedds_and_come_back(data: st.DataObject) -> None:
    command = _initial()
    motor = command.motor_cmd[data.draw(st.integers(0, 19))]
    motor.mode, motor.q, motor.tau, motor.kd = data.draw(st.tuples(_u8, _f32, _f32, _f32))
    motor.reserve = data.draw(st.lists(_u32, min_size=3, max_size=3))
    command.wireless_remote = data.draw(st.lists(_u8, min_size=40, max_size=40))
    command.bandwidth, command.gpio, command.crc = data.draw(st.tuples(st.integers(0, 65535), _u8, _u32))
    sample = command.serialize()
    assert sample == messages.LowCmd_.__idl__.serialize(command)
    assert list(messages.LowCmd_.deserialize(sample).values) == list(wire.cmd_values(command))


@given(st.data())
def test_state_bytes_are_those_of_cyclonedds_and_come_back(data: st.DataObject) -> None:
    state = messages.LowState_()
    motor = state.motor_state[data.draw(st.integers(0, 19))]
    motor.mode, motor.temperature, motor.lost = data.draw(st.tuples(_u8, _u8, _u32))
    motor.q, motor.tau_est, motor.ddq_raw = data.draw(st.tuples(_f32, _f32, _f32))
    state.imu_state.quaternion = data.draw(st.lists(_f32, min_size=4, max_size=4))
    state.imu_state.temperature = data.draw(_u8)
    state.bms_state.current = data.draw(st.integers(-(2**31), 2**31 - 1))
    state.bms_state.cell_vol = data.draw(st.lists(st.integers(0, 65535), min_size=15, max_size=15))
    state.foot_force = data.draw(st.lists(st.integers(-(2**15), 2**15 - 1), min_size=4, max_size=4))
    state.tick, state.power_v, state.crc = data.draw(st.tuples(_u32, _f32, _u32))
    sample = state.serialize()
    assert sample == messages.LowState_.__idl__.serialize(state)
    assert list(messages.LowState_.deserialize(sample).values) == list(wire.state_values(state))


def test_every_field_counts_for_the_checksum_but_its_own() -> None:
    state = messages.LowState_()
    before = wire.STATE.checksum(state.serialize())
    state.crc = 7
    assert wire.STATE.checksum(state.serialize()) == before
    state.motor_state[19].lost = 1
    assert wire.STATE.checksum(state.serialize()) != before


def test_temperatures_above_127_have_a_checksum() -> None:
    """The vendor's packer raises there."""
    state = messages.LowState_()
    state.motor_state[0].temperature = 200
    assert wire.STATE.checksum(state.serialize()) != wire.STATE.checksum(messages.LowState_().serialize())


@given(st.binary(max_size=1300))
def test_fuzzed_samples_are_refused_in_one_line(data: bytes) -> None:
    for message in (messages.LowCmd_, messages.LowState_):
        try:
            message.deserialize(data)
        except wire.WireError as error:
            assert "\n" not in str(error)


@given(st.binary(min_size=1180, max_size=1183))
def test_any_bytes_of_the_right_length_decode(body: bytes) -> None:
    state = messages.LowState_.deserialize(wire.CDR_HEADER + body[:1176])
    assert isinstance(state.intact, bool)  # not-a-number fields included


@pytest.mark.parametrize("value", [math.inf, 1e39, "x", None])
def test_what_does_not_fit_is_refused(value: object) -> None:
    command = messages.LowCmd_()
    command.motor_cmd[0].q = value
    if value == math.inf:
        command.serialize()  # a float32 can hold it; the driver refuses what is not finite
    else:
        with pytest.raises(wire.WireError):
            command.serialize()


def test_type_ids_are_the_robots() -> None:
    shim.check_type_ids(messages.LowCmd_, messages.LowState_, messages.Request_, messages.Response_)


def test_other_type_ids_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shim, "type_id", lambda _: "12da99179559f14db8b7ab23acdd")  # what plain cyclonedds 11 makes
    with pytest.raises(shim.TypeIdError, match="LowCmd_ has id 12da"):
        shim.check_type_ids(messages.LowCmd_)
