"""Bytes of LowCmd and LowState: CDR for DDS, the C struct for the checksum. For any classes with the fields.

Both layouts hold the same values in the same order and differ in padding only: the C compiler aligns each motor's
record, CDR aligns single values. The checksum is CRC-32 (polynomial 0x04C11DB7, start 0xFFFFFFFF, most significant
bit first, no final xor) over the little-endian words of the C struct but the last, which is the checksum itself.
`binascii.crc32` does the same with all bits mirrored; so bytes are gathered from the sample as the words need them and
mirrored by a table. Received messages stay bytes: at 500 Hz nobody can afford an object for every value.
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
_MIRROR = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


class WireError(ValueError):
    """A sample that is no such message, or a message that does not fit; one line."""


class Layout:
    """Where the values of one message are in a CDR sample.

    Args:
        what: name of the message.
        cdr: its values in CDR, as `struct` writes them.
        c: the same in the C struct, for the checksum.
        first: place of the first motor's first value (mode) among the values.
        row: values of a motor, and 32-bit words from one motor's q to the next one's.
    """

    def __init__(self, what: str, cdr: str, c: str, first: int, row: int) -> None:
        self.what, self.first, self.row = what, first, row
        self.cdr = struct.Struct(cdr)
        self.size = len(CDR_HEADER) + self.cdr.size
        """Bytes of a sample."""
        # each byte of a sample that says where it is, read as CDR and written as C, tells where C has it from
        plain, padded = (struct.Struct(text.translate(str.maketrans("fhi", "IHI"))) for text in (cdr, c))
        place = np.arange(len(CDR_HEADER), self.size)
        low, high = (plain.unpack((place >> shift).astype(np.uint8).tobytes()) for shift in (0, 8))
        self.offsets = tuple(one & 255 | (ten & 255) << 8 for one, ten in zip(low, high, strict=True))
        """Of each value in a sample, bytes."""
        ones, tens = (np.frombuffer(padded.pack(*values), np.uint8).astype(np.intp) for values in (low, high))
        words = (ones | tens << 8)[:-4].reshape(-1, 4)  # padding has place 0, which is a zero of the header
        self._gathered = np.ascontiguousarray(words[:, ::-1]).ravel()  # most significant byte first

    def places(self, slots: Sequence[int], value: int) -> list[int]:
        """Return where one value of each of these motors is in a sample, bytes."""
        return [self.offsets[self.first + self.row * slot + value] for slot in slots]

    def checksum(self, sample: bytes | bytearray) -> int:
        """Return the checksum that a sample should have."""
        return crc32(np.frombuffer(sample, np.uint8)[self._gathered].tobytes())

    def checksum_in(self, sample: bytes | bytearray) -> int:
        """Return the checksum that a sample has."""
        return int.from_bytes(sample[self.size - 4 : self.size], "little")

    def motors(self, sample: bytes | bytearray) -> NDArray[np.float32]:
        """Return the 32-bit words of the motors from q on, a view of shape (20, row); columns below."""
        words = np.frombuffer(sample, "<f4", _MOTORS * self.row, self.offsets[self.first + 1])
        return words.reshape(_MOTORS, self.row)

    def check(self, data: bytes) -> None:
        """Refuse what is no sample of this message. Raises WireError."""
        if data[:2] != CDR_HEADER[:2] or not self.size <= len(data) <= self.size + 3:
            raise WireError(f"a sample of {len(data)} bytes is no {self.what}: it has {self.size}, little endian")

    def pack(self, values: Sequence[Any]) -> bytes:
        """Return values as a sample. Raises WireError."""
        try:
            return CDR_HEADER + self.cdr.pack(*values)
        except (struct.error, OverflowError, TypeError) as error:
            raise WireError(f"{self.what} cannot be packed: {error}") from None

    def seal(self, values: Sequence[Any]) -> bytes:
        """Return values as a sample with the right checksum. Raises WireError."""
        sample = self.pack(values)
        return sample[:-4] + self.checksum(sample).to_bytes(4, "little")


# the first motor's mode follows a 16-bit value, the others' a 32-bit value
COMMAND = Layout(
    "LowCmd", "<4B4IH" + "Bx5f3I" + "B3x5f3I" * 19 + "4B" + "55Bx2I", "<4B4IH2x" + "B3x5f3I" * 20 + "4B" + "55Bx2I",
    first=9, row=9,
)  # fmt: skip
STATE = Layout(
    "LowState",
    "<4B4IH2x" + "13fB" + "B2x7fB3x3I" + "B3x7fB3x3I" * 19 + "4BiH4B15H" + "8hI41B3xf2B2x2f4H2I",
    "<4B4IH2x" + "13fB3x" + "B3x7fB3x3I" * 20 + "4BiH4B15H" + "8hI41B3xf2B2x2f4H2I",
    first=23, row=12,
)  # fmt: skip


@dataclass
class Sample:
    """A received message: its bytes, which are looked at where somebody wants to know."""

    data: bytes
    layout: Layout
    sample_info: Any = None
    """Set by cyclonedds."""

    @property
    def values(self) -> tuple[Any, ...]:
        """All values in the order of the fields."""
        return self.layout.cdr.unpack_from(self.data, len(CDR_HEADER))

    @property
    def intact(self) -> bool:
        """Whether the checksum is right."""
        return self.layout.checksum(self.data) == self.layout.checksum_in(self.data)


def cmd_values(message: Any) -> Sequence[Any]:
    """Return all values of a LowCmd in the order of its fields."""
    values = [*message.head, message.level_flag, message.frame_reserve, *message.sn, *message.version]
    values.append(message.bandwidth)
    for motor in message.motor_cmd:
        values += (motor.mode, motor.q, motor.dq, motor.tau, motor.kp, motor.kd, *motor.reserve)
    values += (message.bms_cmd.off, *message.bms_cmd.reserve, *message.wireless_remote, *message.led, *message.fan)
    values += (message.gpio, message.reserve, message.crc)
    return values


def state_values(message: Any) -> Sequence[Any]:
    """Return all values of a LowState in the order of its fields."""
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


def pack_cmd(message: Any) -> bytes:
    """Return a LowCmd as a CDR sample. Raises WireError."""
    return COMMAND.pack(cmd_values(message))


def pack_state(message: Any) -> bytes:
    """Return a LowState as a CDR sample. Raises WireError."""
    return STATE.pack(state_values(message))


def seal_cmd(message: Any) -> bytes:
    """Return a LowCmd as a CDR sample with the right checksum. Raises WireError."""
    return COMMAND.seal(cmd_values(message))


def unpack_cmd(data: bytes) -> Sample:
    """Return a CDR sample of LowCmd. Raises WireError."""
    COMMAND.check(data)
    return Sample(data, COMMAND)


def unpack_state(data: bytes) -> Sample:
    """Return a CDR sample of LowState. Raises WireError."""
    STATE.check(data)
    return Sample(data, STATE)


def crc32(turned: bytes) -> int:
    """Return the Go2's checksum of 32-bit words whose most significant byte comes first."""
    # most significant bit first over each word = least significant first over the word's bytes turned and mirrored
    mirrored = binascii.crc32(turned.translate(_MIRROR)) ^ 0xFFFFFFFF
    return int(f"{mirrored:032b}"[::-1], 2)


# Columns of `Layout.motors`. Modes and temperatures are single bytes, found by `Layout.places`.
CMD_FLOATS = 5
"""q, dq, tau, kp, kd."""
STATE_Q, STATE_DQ, STATE_TAU, STATE_LOST = 0, 1, 3, 8
# Where the other fields are among the values of a LowState.
STATE_IMU = 9
"""Quaternion w, x, y, z, turn rates, accelerations, roll, pitch, yaw: thirteen float32; then a byte, degrees C."""
MODE_OF_MOTOR, TEMPERATURE_OF_MOTOR, LOST_OF_MOTOR = 0, 8, 9
"""Places among the values of a motor."""
_AFTER = STATE.first + STATE.row * _MOTORS
STATE_SOC, STATE_CELLS = _AFTER + 3, _AFTER + 10
CELLS = 15
STATE_FOOT_FORCE, STATE_TICK, STATE_REMOTE, STATE_VOLTAGE = _AFTER + 25, _AFTER + 33, _AFTER + 34, _AFTER + 78
REMOTE_BYTES = 40
