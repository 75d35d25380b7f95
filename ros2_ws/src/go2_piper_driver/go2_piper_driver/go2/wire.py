"""Bytes of LowCmd and LowState: CDR for DDS, the C struct for the checksum. For any class with the fields.

Both layouts hold the same values in the same order and differ in padding only: the C compiler aligns each motor's
record, CDR aligns single values. The checksum is CRC-32 (polynomial 0x04C11DB7, start 0xFFFFFFFF, most significant
bit first, no final xor) over the little-endian words of the C struct but the last, which is the checksum itself.
`binascii.crc32` does the same with all bits mirrored; so words are mirrored, which is cheap by a table.
"""

from __future__ import annotations

import binascii
import struct
from typing import Any

CDR_HEADER = b"\x00\x01\x00\x00"
"""Plain CDR, little endian."""

_MOTORS = 20
# the first motor's mode follows a 16-bit value, the others' a 32-bit value
_CDR_CMD = struct.Struct("<4B4IH" + "Bx5f3I" + "B3x5f3I" * 19 + "4B" + "55Bx2I")
_CDR_STATE = struct.Struct("<4B4IH2x" + "13fB" + "B2x7fB3x3I" + "B3x7fB3x3I" * 19 + "4BiH4B15H" + "8hI41B3xf2B2x2f4H2I")
_C_CMD = struct.Struct("<4B4IH2x" + "B3x5f3I" * 20 + "4B" + "55Bx2I")
_C_STATE = struct.Struct("<4B4IH2x" + "13fB3x" + "B3x7fB3x3I" * 20 + "4BiH4B15H" + "8hI41B3xf2B2x2f4H2I")
_MIRROR = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


class WireError(ValueError):
    """A sample that is no such message, or a message that does not fit; one line."""


def _cmd_values(message: Any) -> list[Any]:
    values = [*message.head, message.level_flag, message.frame_reserve, *message.sn, *message.version]
    values.append(message.bandwidth)
    for motor in message.motor_cmd:
        values += (motor.mode, motor.q, motor.dq, motor.tau, motor.kp, motor.kd, *motor.reserve)
    values += (message.bms_cmd.off, *message.bms_cmd.reserve, *message.wireless_remote, *message.led, *message.fan)
    values += (message.gpio, message.reserve, message.crc)
    return values


def _state_values(message: Any) -> list[Any]:
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


def _pack(layout: struct.Struct, values: list[Any], what: str) -> bytes:
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
    return CDR_HEADER + _pack(_CDR_CMD, _cmd_values(message), "LowCmd")


def pack_state(message: Any) -> bytes:
    """Return a LowState as a CDR sample. Raises WireError."""
    return CDR_HEADER + _pack(_CDR_STATE, _state_values(message), "LowState")


def unpack_cmd(data: bytes, message: Any, motor: Any, bms: Any) -> Any:
    """Return the LowCmd of a CDR sample, made of the given classes. Raises WireError."""
    v = _unpack(_CDR_CMD, data, "LowCmd")
    motors = [motor(*v[i : i + 6], list(v[i + 6 : i + 9])) for i in range(9, 9 + 9 * _MOTORS, 9)]
    at = 9 + 9 * _MOTORS
    return message(
        list(v[0:2]), v[2], v[3], list(v[4:6]), list(v[6:8]), v[8], motors, bms(v[at], list(v[at + 1 : at + 4])),
        list(v[at + 4 : at + 44]), list(v[at + 44 : at + 56]), list(v[at + 56 : at + 58]), *v[at + 58 :],
    )  # fmt: skip


def unpack_state(data: bytes, message: Any, imu: Any, motor: Any, bms: Any) -> Any:
    """Return the LowState of a CDR sample, made of the given classes. Raises WireError."""
    v = _unpack(_CDR_STATE, data, "LowState")
    imu_state = imu(list(v[9:13]), list(v[13:16]), list(v[16:19]), list(v[19:22]), v[22])
    motors = [motor(*v[i : i + 10], list(v[i + 10 : i + 12])) for i in range(23, 23 + 12 * _MOTORS, 12)]
    at = 23 + 12 * _MOTORS
    battery = bms(*v[at : at + 6], list(v[at + 6 : at + 8]), list(v[at + 8 : at + 10]), list(v[at + 10 : at + 25]))
    at += 25
    return message(
        list(v[0:2]), v[2], v[3], list(v[4:6]), list(v[6:8]), v[8], imu_state, motors, battery, list(v[at : at + 4]),
        list(v[at + 4 : at + 8]), v[at + 8], list(v[at + 9 : at + 49]), *v[at + 49 : at + 55],
        list(v[at + 55 : at + 59]), *v[at + 59 :],
    )  # fmt: skip


def crc32(words: bytes) -> int:
    """Return the Go2's checksum of little-endian 32-bit words."""
    # most significant bit first over each word = least significant first over the word's bytes turned and mirrored
    turned = bytearray(len(words))
    for offset in range(4):
        turned[offset::4] = words[3 - offset :: 4]
    mirrored = binascii.crc32(turned.translate(_MIRROR)) ^ 0xFFFFFFFF
    return int(f"{mirrored:032b}"[::-1], 2)


def crc_of_cmd(message: Any) -> int:
    """Return the checksum that a LowCmd should have. Raises WireError."""
    return crc32(_pack(_C_CMD, _cmd_values(message), "LowCmd")[:-4])


def crc_of_state(message: Any) -> int:
    """Return the checksum that a LowState should have. Raises WireError."""
    return crc32(_pack(_C_STATE, _state_values(message), "LowState")[:-4])
