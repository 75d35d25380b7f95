"""Frame layouts: golden bytes, round trips, and piper_sdk's own parser as the other side."""

from __future__ import annotations

import can
import pytest
from go2_piper_driver.piper import frames
from hypothesis import given
from hypothesis import strategies as st
from piper_sdk.piper_msgs.msg_v2 import ArmMsgJointMitCtrl, ArmMsgType, PiperMessage
from piper_sdk.protocol.protocol_v2 import C_PiperParserV2

SDK = C_PiperParserV2()
MESSAGE = PiperMessage()
u8, u12, u16 = (st.integers(0, 2**bits - 1) for bits in (8, 12, 16))
i8, i16, i32 = (st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) for bits in (8, 16, 32))


def sdk_reads(can_id: int, data: bytes) -> PiperMessage:
    assert SDK.DecodeMessage(can.Message(arbitration_id=can_id, data=data, is_extended_id=False), MESSAGE)
    return MESSAGE


def test_golden_bytes() -> None:
    """Written down by hand from the layout table."""
    assert frames.pack_status(frames.Status(1, 0, 1, 0, 1, 2, 0x0103)).hex() == "0100010001020103"
    assert frames.pack_pair(10_000, -60_000).hex() == "00002710ffff15a0"
    assert frames.pack_gripper(frames.GripperFeedback(50_000, -1000, 0xC0)).hex() == "0000c350fc18c000"
    assert frames.pack_motor_fast(frames.MotorFast(-1500, 2000, 785)).hex() == "fa2407d000000311"
    assert frames.pack_motor_slow(frames.MotorSlow(240, 31, -5, 0x40, 900)).hex() == "00f0001ffb400384"
    assert frames.pack_limits(frames.MotorLimits(2, 1800, -10, 3000)).hex() == "020708fff60bb800"
    assert frames.pack_gripper_command(frames.GripperCommand(35_000, 1000, 1, 0)).hex() == "000088b803e80100"
    assert frames.pack_mit(frames.MitFrame(0x7FFF, 0x7FF, 0x051, 0x94F, 0x7F)).hex() == "7fff7ff05194f7fd"


@given(st.tuples(u8, u8, u8, u8, u8, u8, u16))
def test_status(values: tuple[int, ...]) -> None:
    status = frames.Status(*values)
    data = frames.pack_status(status)
    assert frames.unpack_status(data) == status
    if status.ctrl_mode < 8 and status.arm_status < 16 and status.move_mode < 6:  # the SDK renames unknown codes
        read = sdk_reads(frames.STATUS, data).arm_status_msgs
        assert (int(read.ctrl_mode), int(read.arm_status), int(read.mode_feed)) == values[:3]
        assert read.err_code == status.errors


@given(i32, i32)
def test_joint_pairs(first: int, second: int) -> None:
    data = frames.pack_pair(first, second)
    assert frames.unpack_pair(data) == (first, second)
    for can_id in frames.JOINTS:
        read = sdk_reads(can_id, data).arm_joint_feedback
    assert (read.joint_1, read.joint_2, read.joint_3, read.joint_4, read.joint_5, read.joint_6) == (first, second) * 3


@given(i32, i16, u8)
def test_gripper(stroke: int, effort: int, status: int) -> None:
    feedback = frames.GripperFeedback(stroke, effort, status)
    data = frames.pack_gripper(feedback)
    assert frames.unpack_gripper(data) == feedback
    read = sdk_reads(frames.GRIPPER, data).gripper_feedback
    assert (read.grippers_angle, read.grippers_effort, read.status_code) == (stroke, effort, status)
    assert read.foc_status.homing_status == bool(status & frames.GRIPPER_HOMED)
    assert read.foc_status.driver_enable_status == bool(status & frames.GRIPPER_ENABLED)


@given(st.integers(0, 5), i16, i16, i32)
def test_motor_fast(motor: int, speed: int, current: int, position: int) -> None:
    feedback = frames.MotorFast(speed, current, position)
    data = frames.pack_motor_fast(feedback)
    assert frames.unpack_motor_fast(data) == feedback
    read = getattr(sdk_reads(frames.MOTOR_FAST[motor], data), f"arm_high_spd_feedback_{motor + 1}")
    assert (read.motor_speed, read.current, read.pos) == (speed, current, position)


@given(st.integers(0, 5), u16, i16, i8, u8, u16)
def test_motor_slow(motor: int, bus: int, driver: int, hot: int, status: int, current: int) -> None:
    feedback = frames.MotorSlow(bus, driver, hot, status, current)
    data = frames.pack_motor_slow(feedback)
    assert frames.unpack_motor_slow(data) == feedback
    read = getattr(sdk_reads(frames.MOTOR_SLOW[motor], data), f"arm_low_spd_feedback_{motor + 1}")
    assert (read.vol, read.foc_temp, read.motor_temp, read.bus_current) == (bus, driver, hot, current)
    assert read.foc_status.driver_enable_status == bool(status & frames.MOTOR_ENABLED)
    assert read.foc_status.driver_error_status == bool(status & 1 << frames.MOTOR_FAULT_BITS.index("driver error"))
    assert read.foc_status.stall_status == bool(status & 1 << frames.MOTOR_FAULT_BITS.index("stalled"))


@given(st.integers(1, 6), i16, i16, u16)
def test_limits(motor: int, high: int, low: int, speed: int) -> None:
    limits = frames.MotorLimits(motor, high, low, speed)
    data = frames.pack_limits(limits)
    assert frames.unpack_limits(data) == limits
    read = sdk_reads(frames.LIMITS_REPLY, data).arm_feedback_current_motor_angle_limit_max_spd
    assert (read.motor_num, read.max_angle_limit, read.min_angle_limit, read.max_joint_spd) == (motor, high, low, speed)


@given(i32, st.integers(0, 5000), u8, u8)
def test_gripper_command(stroke: int, effort: int, code: int, zero: int) -> None:
    command = frames.GripperCommand(stroke, effort, code, zero)
    data = frames.pack_gripper_command(command)
    assert frames.unpack_gripper_command(data) == command
    read = sdk_reads(frames.GRIPPER_COMMAND, data).arm_gripper_ctrl
    assert (read.grippers_angle, read.grippers_effort, read.status_code, read.set_zero) == (stroke, effort, code, zero)


@given(u16, u12, u12, u12, u8)
def test_mit(position: int, velocity: int, kp: int, kd: int, torque: int) -> None:
    frame = frames.MitFrame(position, velocity, kp, kd, torque)
    data = frames.pack_mit(frame)
    assert frames.unpack_mit(data) == frame
    sent = can.Message()
    MESSAGE.type_ = ArmMsgType.PiperMsgJointMitCtrl_3
    MESSAGE.arm_joint_mit_ctrl = ArmMsgJointMitCtrl(position, velocity, kp, kd, torque)
    assert SDK.EncodeMessage(MESSAGE, sent)
    assert (sent.arbitration_id, bytes(sent.data)) == (frames.MIT_COMMAND[2], data)


@given(u16, u12, u12, u12, u8, st.integers(0, 63))
def test_a_flipped_bit_of_a_mit_frame_is_seen(p: int, v: int, kp: int, kd: int, t: int, bit: int) -> None:
    """In the lower half of a byte: the check digit, an exclusive or of bytes cut to four bits, sees no others."""
    data = bytearray(frames.pack_mit(frames.MitFrame(p, v, kp, kd, t)))
    data[bit // 8] ^= 1 << bit % 8
    assert (frames.unpack_mit(bytes(data)) is None) == (bit % 8 < 4)


UNPACKERS = (
    frames.unpack_status,
    frames.unpack_pair,
    frames.unpack_gripper,
    frames.unpack_motor_fast,
    frames.unpack_motor_slow,
    frames.unpack_limits,
    frames.unpack_gripper_command,
    frames.unpack_mit,
)


@pytest.mark.parametrize("unpack", UNPACKERS)
@given(data=st.binary(max_size=8))
def test_any_payload_is_read_or_refused(unpack: object, data: bytes) -> None:
    assert callable(unpack)
    try:
        unpack(data)
    except frames.FrameError:
        assert len(data) < frames.DLC
