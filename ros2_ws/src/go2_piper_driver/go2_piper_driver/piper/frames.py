"""The Piper's CAN frames: what their bytes mean. Standard ids, 8 bytes, big endian.

Values here are the wire's integers, named with their units; SI units begin in `feedback.py` and `wire.py`. Layouts:
piper_sdk 0.6.2, `protocol_v2` and `msg_v2`, against which the tests check every function. Decoders raise
`FrameError` for a payload that is too short; every other payload decodes.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

NUM_MOTORS = 6
DLC = 8

# feedback, arm -> host
STATUS = 0x2A1
END_POSE = (0x2A2, 0x2A3, 0x2A4)
JOINTS = (0x2A5, 0x2A6, 0x2A7)
"""Joints 1 and 2, 3 and 4, 5 and 6."""
GRIPPER = 0x2A8
MOTOR_FAST = tuple(range(0x251, 0x257))
MOTOR_SLOW = tuple(range(0x261, 0x267))
FAST_RATE = 200.0
"""Hz of every feedback frame but `MOTOR_SLOW`."""
SLOW_RATE = 40.0

# commands, host -> arm
MOTION_1 = 0x150
MOTION_2 = 0x151
CARTESIAN_COMMAND = (0x152, 0x153, 0x154)
JOINT_COMMAND = (0x155, 0x156, 0x157)
CIRCLE_COMMAND = 0x158
GRIPPER_COMMAND = 0x159
MIT_COMMAND = tuple(range(0x15A, 0x160))
LINKAGE = 0x470
MOTOR_ENABLE = 0x471
LIMITS_QUERY = 0x472
LIMITS_REPLY = 0x473
JOINT_CONFIG = 0x475
ACCELERATION_REPLY = 0x47C
FIRMWARE = 0x4AF
COMMAND_IDS = frozenset((*range(0x150, 0x160), *range(0x470, 0x473), 0x474, JOINT_CONFIG))
"""Ids that only a host sends: seen by a host, they come from another one."""

# values of single bytes
ESTOP, RESUME = 1, 2
STANDBY, CAN_CONTROL, TEACHING = 0, 1, 2
MOVE_J, MOVE_M = 1, 4
MIT_OFF, MIT_ON = 0x00, 0xAD
DISABLE, ENABLE = 1, 2
ALL_MOTORS = (7, 0xFF)
GRIPPER_ENABLE_BIT, GRIPPER_CLEAR_BIT = 1, 2
QUERY_ANGLE_SPEED, QUERY_ACCELERATION = 1, 2

# bits of the status bytes of motors and gripper
MOTOR_ENABLED = 1 << 6
MOTOR_FAULT_BITS = (
    "undervoltage",
    "motor too hot",
    "overcurrent",
    "driver too hot",
    "collision",
    "driver error",
    "",  # enabled
    "stalled",
)
GRIPPER_ENABLED = 1 << 6
GRIPPER_HOMED = 1 << 7
GRIPPER_FAULT_BITS = (
    "undervoltage",
    "motor too hot",
    "overcurrent",
    "driver too hot",
    "sensor error",
    "driver error",
)
ARM_STATUS = (
    "normal",
    "emergency stop",
    "no solution",
    "singular pose",
    "target beyond a limit",
    "joint communication error",
    "brake not released",
    "collision",
    "too fast while dragged",
    "joint error",
    "other error",
    "teaching: recording",
    "teaching: playing",
    "teaching: paused",
    "controller too hot",
    "braking resistor too hot",
)
"""Meaning of `Status.arm_status`."""

_TWO_INTS = struct.Struct(">ii")
_GRIPPER = struct.Struct(">ihBx")
_GRIPPER_COMMAND = struct.Struct(">iHBB")
_MOTOR_FAST = struct.Struct(">hhi")
_MOTOR_SLOW = struct.Struct(">HhbBH")
_STATUS = struct.Struct(">6BH")
_LIMITS = struct.Struct(">BhhHx")
_ACCELERATION = struct.Struct(">BH5x")


class FrameError(ValueError):
    """A payload too short for its id."""


def _unpack(layout: struct.Struct, data: bytes) -> tuple[int, ...]:
    if len(data) < layout.size:
        raise FrameError(f"{len(data)} bytes, not {layout.size}")
    return layout.unpack_from(data)


@dataclass(frozen=True)
class Status:
    """0x2A1."""

    ctrl_mode: int = STANDBY
    """0 standby, 1 CAN, 2 teaching, 3 ethernet, 4 wifi, 5 remote, 6 linkage, 7 offline."""
    arm_status: int = 0
    """Index into `ARM_STATUS`."""
    move_mode: int = 0
    """0 P, 1 J, 2 L, 3 C, 4 MIT, 5 CPV."""
    teach_status: int = 0
    motion_status: int = 0
    """0 target reached, 1 not yet."""
    trajectory: int = 0
    errors: int = 0
    """High byte: joint n beyond its angle limit; low byte: joint n does not answer; bit n - 1."""


def pack_status(status: Status) -> bytes:
    """Return the payload of 0x2A1."""
    return _STATUS.pack(
        status.ctrl_mode, status.arm_status, status.move_mode, status.teach_status,
        status.motion_status, status.trajectory, status.errors,
    )  # fmt: skip


def unpack_status(data: bytes) -> Status:
    """Return what a payload of 0x2A1 says."""
    return Status(*_unpack(_STATUS, data))


def pack_pair(first: int, second: int) -> bytes:
    """Return the payload of a joint frame (0.001 degrees) or an end-pose frame (0.001 mm, 0.001 degrees)."""
    return _TWO_INTS.pack(first, second)


def unpack_pair(data: bytes) -> tuple[int, int]:
    """Return the two values of a joint or end-pose frame."""
    first, second = _unpack(_TWO_INTS, data)
    return first, second


@dataclass(frozen=True)
class GripperFeedback:
    """0x2A8."""

    stroke_um: int = 0
    """Opening between the fingers, 0.001 mm."""
    effort_mnm: int = 0
    """0.001 N m."""
    status: int = 0
    """Bits: `GRIPPER_FAULT_BITS`, `GRIPPER_ENABLED`, `GRIPPER_HOMED`."""


def pack_gripper(feedback: GripperFeedback) -> bytes:
    """Return the payload of 0x2A8."""
    return _GRIPPER.pack(feedback.stroke_um, feedback.effort_mnm, feedback.status)


def unpack_gripper(data: bytes) -> GripperFeedback:
    """Return what a payload of 0x2A8 says."""
    return GripperFeedback(*_unpack(_GRIPPER, data))


@dataclass(frozen=True)
class MotorFast:
    """0x251 to 0x256."""

    speed_mrad_s: int = 0
    current_ma: int = 0
    position_mrad: int = 0
    """The SDK calls its unit rad; 0.001 rad is assumed. Nothing here reads it."""


def pack_motor_fast(feedback: MotorFast) -> bytes:
    """Return the payload of 0x251 to 0x256."""
    return _MOTOR_FAST.pack(feedback.speed_mrad_s, feedback.current_ma, feedback.position_mrad)


def unpack_motor_fast(data: bytes) -> MotorFast:
    """Return what a payload of 0x251 to 0x256 says."""
    return MotorFast(*_unpack(_MOTOR_FAST, data))


@dataclass(frozen=True)
class MotorSlow:
    """0x261 to 0x266."""

    bus_dv: int = 0
    """0.1 V."""
    driver_c: int = 0
    motor_c: int = 0
    status: int = 0
    """Bits: `MOTOR_FAULT_BITS`, `MOTOR_ENABLED`."""
    bus_ma: int = 0


def pack_motor_slow(feedback: MotorSlow) -> bytes:
    """Return the payload of 0x261 to 0x266."""
    return _MOTOR_SLOW.pack(
        feedback.bus_dv, feedback.driver_c, feedback.motor_c, feedback.status, feedback.bus_ma
    )  # fmt: skip


def unpack_motor_slow(data: bytes) -> MotorSlow:
    """Return what a payload of 0x261 to 0x266 says."""
    return MotorSlow(*_unpack(_MOTOR_SLOW, data))


@dataclass(frozen=True)
class MotorLimits:
    """0x473."""

    motor: int
    """1 to 6."""
    max_ddeg: int
    """0.1 degrees."""
    min_ddeg: int
    max_speed_mrad_s: int


def pack_limits(limits: MotorLimits) -> bytes:
    """Return the payload of 0x473."""
    return _LIMITS.pack(limits.motor, limits.max_ddeg, limits.min_ddeg, limits.max_speed_mrad_s)


def unpack_limits(data: bytes) -> MotorLimits:
    """Return what a payload of 0x473 says."""
    return MotorLimits(*_unpack(_LIMITS, data))


def pack_acceleration(motor: int, max_mrad_s2: int) -> bytes:
    """Return the payload of 0x47C, 0.001 rad/s2."""
    return _ACCELERATION.pack(motor, max_mrad_s2)


@dataclass(frozen=True)
class GripperCommand:
    """0x159."""

    stroke_um: int
    effort_mnm: int
    code: int
    """Bit 0 enable, bit 1 clear errors."""
    set_zero: int = 0
    """0xAE makes the present position the zero."""


def pack_gripper_command(command: GripperCommand) -> bytes:
    """Return the payload of 0x159."""
    return _GRIPPER_COMMAND.pack(command.stroke_um, command.effort_mnm, command.code, command.set_zero)


def unpack_gripper_command(data: bytes) -> GripperCommand:
    """Return what a payload of 0x159 says."""
    return GripperCommand(*_unpack(_GRIPPER_COMMAND, data))


@dataclass(frozen=True)
class MitFrame:
    """0x15A to 0x15F up to firmware 1.8-7: raw fields of 16, 12, 12, 12 and 8 bits."""

    position: int
    velocity: int
    kp: int
    kd: int
    torque: int


def _mit_check(data: bytes) -> int:
    check = 0
    for byte in data[:7]:
        check ^= byte
    return check & 0xF


def pack_mit(frame: MitFrame) -> bytes:
    """Return the payload of 0x15A to 0x15F, its check digit included."""
    head = bytes(
        (
            frame.position >> 8,
            frame.position & 0xFF,
            frame.velocity >> 4,
            (frame.velocity & 0xF) << 4 | frame.kp >> 8,
            frame.kp & 0xFF,
            frame.kd >> 4,
            (frame.kd & 0xF) << 4 | frame.torque >> 4,
        )
    )
    return head + bytes(((frame.torque & 0xF) << 4 | _mit_check(head),))


def unpack_mit(data: bytes) -> MitFrame | None:
    """Return the raw fields, or None where the check digit is wrong."""
    if len(data) < DLC:
        raise FrameError(f"{len(data)} bytes, not {DLC}")
    if data[7] & 0xF != _mit_check(data):
        return None
    return MitFrame(
        position=data[0] << 8 | data[1],
        velocity=data[2] << 4 | data[3] >> 4,
        kp=(data[3] & 0xF) << 8 | data[4],
        kd=data[5] << 4 | data[6] >> 4,
        torque=(data[6] & 0xF) << 4 | data[7] >> 4,
    )
