"""Bytes of LowCmd and LowState: CDR for DDS, the C struct for the checksum. For any classes with the fields.

Both layouts hold the same values in the same order and differ in padding only: the C compiler aligns each motor's
record, CDR aligns single values. The checksum is CRC-32 (polynomial 0x04C11DB7, start 0xFFFFFFFF, most significant
bit first, no final xor) over the little-endian words of the C struct but the last, which is the checksum itself.
`binascii.crc32` does the same with all bits mirrored; so words are mirrored, which is cheap by a table.
"""

from __future__ import annotations

import binascii
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

CDR_HEADER = b"\x00\x01\x00\x00"
"""Plain CDR, little endian."""

_MOTORS = 20
# the first motor's mode follows a 16-bit value, the others' a 32-bit value
_CDR_CMD = struct.Struct("<4B4IH" + "Bx5f3I" + "B3x5f3I" * 19 + "4B" + "55Bx2I")
_CDR_STATE = struct.Struct("<4B4IH2x" + "13fB" + "B2x7fB3x3I" + "B3x7fB3x3I" * 19 + "4BiH4B15H" + "8hI41B3xf2B2x2f4H2I")
_C_CMD = struct.Struct("<4B4IH2x" + "B3x5f3I" * 20 + "4B" + "55Bx2I")
_C_STATE = struct.Struct("<4B4IH2x" + "13fB3x" + "B3x7fB3x3I" * 20 + "4BiH4B15H" + "8hI41B3xf2B2x2f4H2I")
CRC = -1
"""Place of the checksum among the values."""
_MIRROR = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


class WireError(ValueError):
    """A sample that is no such message, or a message that does not fit; one line."""


@dataclass
class Sample:
    """A received message as the plain sequence of its values: ten times as cheap as objects for every motor."""

    values: tuple[Any, ...]
    sample_info: Any = None
    """Set by cyclonedds."""


def cmd_values(message: Any) -> Sequence[Any]:
    """Return all values of a LowCmd, or of a sample of one, in the order of its fields."""
    if isinstance(message, Sample):
        return message.values
    values = [*message.head, message.level_flag, message.frame_reserve, *message.sn, *message.version]
    values.append(message.bandwidth)
    for motor in message.motor_cmd:
        values += (motor.mode, motor.q, motor.dq, motor.tau, motor.kp, motor.kd, *motor.reserve)
    values += (message.bms_cmd.off, *message.bms_cmd.reserve, *message.wireless_remote, *message.led, *message.fan)
    values += (message.gpio, message.reserve, message.crc)
    return values


def state_values(message: Any) -> Sequence[Any]:
    """Return all values of a LowState, or of a sample of one, in the order of its fields."""
    if isinstance(message, Sample):
        return message.values
    imu, bms = message.imu_state, message.bms_state
    values = [*message.head, message.level_flag, message.frame_reserve, *message.sn, *message.version]
    values += (message.bandwidth, *imu.quaternion, *imu.gyroscope, *imu.accelerometer, *imu.rpy, imu.temperature)
    for motor in message.motor_state:
        values += (motor.mode, motor.q, motor.dq, motor.ddq, motor.tau_est, motor.q_raw, motor.dq_raw, motor.ddq_raw,
                   motor.temperature, motor.lost, *motor.reserve)  # fmt: skip
    values += (bms.version_high, bms.version_low, bms.status, bms.soc, bms.current, bms.cycle)
    values += (*bms.bq_ntc, *bms.mcu_ntc, *bms.cell_vol, *message.foot_force, *message.foot_force_est, message.tick)
    values += (*message.wireless_remote, message.bit_flag, message.adc_reel, message.temperature_ntc1)
    values += (message.temperature_ntc2, message.power_v, message.power_a, *message.fan_frequency)
    values += (message.reserve, message.crc)
    return values


def _pack(layout: struct.Struct, values: Sequence[Any], what: str) -> bytes:
    try:
        return layout.pack(*values)
    except (struct.error, OverflowError, TypeError) as error:
        raise WireError(f"{what} cannot be packed: {error}") from None


def _unpack(layout: struct.Struct, data: bytes, what: str) -> tuple[Any, ...]:
    body = data[4:]
    if data[:2] != CDR_HEADER[:2] or not layout.size <= len(body) <= layout.size + 3:
        raise WireError(f"a sample of {len(data)} bytes is no {what}: it has {layout.size + 4}, little endian")
    return layout.unpack_from(body)


def pack_cmd(message: Any) -> bytes:
    """Return a LowCmd as a CDR sample. Raises WireError."""
    return CDR_HEADER + _pack(_CDR_CMD, cmd_values(message), "LowCmd")


def pack_state(message: Any) -> bytes:
    """Return a LowState as a CDR sample. Raises WireError."""
    return CDR_HEADER + _pack(_CDR_STATE, state_values(message), "LowState")


def seal_cmd(message: Any) -> bytes:
    """Give a LowCmd its checksum and return it as a CDR sample, packing its values only once. Raises WireError."""
    values = list(cmd_values(message))
    message.crc = values[CRC] = crc32(_pack(_C_CMD, values, "LowCmd")[:-4])
    return CDR_HEADER + _pack(_CDR_CMD, values, "LowCmd")


def seal_state(values: list[Any]) -> bytes:
    """Give a LowState, as the list of its values, its checksum and return it as a CDR sample. Raises WireError."""
    values[CRC] = crc32(_pack(_C_STATE, values, "LowState")[:-4])
    return CDR_HEADER + _pack(_CDR_STATE, values, "LowState")


def unpack_cmd(data: bytes) -> Sample:
    """Return the values of a CDR sample of LowCmd. Raises WireError."""
    return Sample(_unpack(_CDR_CMD, data, "LowCmd"))


def unpack_state(data: bytes) -> Sample:
    """Return the values of a CDR sample of LowState. Raises WireError."""
    return Sample(_unpack(_CDR_STATE, data, "LowState"))


def crc32(words: bytes) -> int:
    """Return the Go2's checksum of little-endian 32-bit words."""
    # most significant bit first over each word = least significant first over the word's bytes turned and mirrored
    turned = bytearray(len(words))
    for offset in range(4):
        turned[offset::4] = words[3 - offset :: 4]
    mirrored = binascii.crc32(turned.translate(_MIRROR)) ^ 0xFFFFFFFF
    return int(f"{mirrored:032b}"[::-1], 2)


def crc_of_cmd(message: Any) -> int:
    """Return the checksum that a LowCmd, or a sample of one, should have. Raises WireError."""
    return crc32(_pack(_C_CMD, cmd_values(message), "LowCmd")[:-4])


def crc_of_state(message: Any) -> int:
    """Return the checksum that a LowState, or a sample of one, should have. Raises WireError."""
    return crc32(_pack(_C_STATE, state_values(message), "LowState")[:-4])


# Where the fields are among the values. The motors are rows of CMD_ROW or STATE_ROW values from ..._MOTORS on.
CMD_MOTORS, CMD_ROW = 9, 9
STATE_QUATERNION, STATE_GYRO, STATE_ACCEL = slice(9, 13), slice(13, 16), slice(16, 19)
STATE_MOTORS, STATE_ROW = 23, 12
_AFTER = STATE_MOTORS + STATE_ROW * _MOTORS
STATE_SOC, STATE_CELLS = _AFTER + 3, slice(_AFTER + 10, _AFTER + 25)
STATE_CURRENT, STATE_VOLTAGES = _AFTER + 4, slice(_AFTER + 78, _AFTER + 80)
STATE_RPY, STATE_IMU_TEMPERATURE = slice(19, 22), 22
STATE_NTC = slice(_AFTER + 76, _AFTER + 78)
STATE_FOOT_FORCE, STATE_TICK = slice(_AFTER + 25, _AFTER + 29), _AFTER + 33
STATE_REMOTE, STATE_VOLTAGE = slice(_AFTER + 34, _AFTER + 74), _AFTER + 78


def rows(values: Sequence[Any], first: int, width: int) -> NDArray[np.float64]:
    """Return the motors as an array of shape (20, width), fields in their order."""
    return np.array(values[first : first + width * _MOTORS], dtype=np.float64).reshape(_MOTORS, width)
