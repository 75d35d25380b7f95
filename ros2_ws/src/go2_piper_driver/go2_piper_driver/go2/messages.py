"""The Go2's DDS messages as IDL classes of our own: names, order and types as in unitree_go and unitree_api.

They stand in for those of `unitree_sdk2py` where that is not installed. The two large ones have a serialisation of
their own (`wire.py`), ten times as fast as the general one and byte for byte the same.
"""
# no `from __future__ import annotations`: cyclonedds reads the annotations as types, which mypy cannot follow
# mypy: ignore-errors

from dataclasses import dataclass, field
from typing import Any

from cyclonedds.idl import IdlStruct
from cyclonedds.idl.annotations import autoid, final
from cyclonedds.idl.types import array, float32, int16, int32, int64, sequence, uint8, uint16, uint32

from . import shim, wire

MOTORS = 20
"""Slots for motors in both messages; the Go2 uses the first twelve."""


def _zeros(count: int) -> Any:
    return field(default_factory=lambda: [0] * count)


@dataclass
@final
@autoid("sequential")
class MotorCmd_(IdlStruct, typename="unitree_go.msg.dds_.MotorCmd_"):
    """Command of one motor: tau + kp (q - measured) + kd (dq - measured)."""

    mode: uint8 = 0
    q: float32 = 0.0
    dq: float32 = 0.0
    tau: float32 = 0.0
    kp: float32 = 0.0
    kd: float32 = 0.0
    reserve: array[uint32, 3] = _zeros(3)


@dataclass
@final
@autoid("sequential")
class BmsCmd_(IdlStruct, typename="unitree_go.msg.dds_.BmsCmd_"):
    """Command of the battery; never used here."""

    off: uint8 = 0
    reserve: array[uint8, 3] = _zeros(3)


@dataclass
@final
@autoid("sequential")
class LowCmd_(IdlStruct, typename="unitree_go.msg.dds_.LowCmd_"):
    """`rt/lowcmd`."""

    head: array[uint8, 2] = _zeros(2)
    level_flag: uint8 = 0
    frame_reserve: uint8 = 0
    sn: array[uint32, 2] = _zeros(2)
    version: array[uint32, 2] = _zeros(2)
    bandwidth: uint16 = 0
    motor_cmd: array[MotorCmd_, MOTORS] = field(default_factory=lambda: [MotorCmd_() for _ in range(MOTORS)])
    bms_cmd: BmsCmd_ = field(default_factory=BmsCmd_)
    wireless_remote: array[uint8, 40] = _zeros(40)
    led: array[uint8, 12] = _zeros(12)
    fan: array[uint8, 2] = _zeros(2)
    gpio: uint8 = 0
    reserve: uint32 = 0
    crc: uint32 = 0

    def serialize(self, *_: Any, **__: Any) -> bytes:
        """Return the sample as little-endian CDR: the given bytes, once, or the fields as they are."""
        return self.__dict__.pop("sealed", None) or wire.pack_cmd(self)

    def carry(self, sample: bytes) -> "LowCmd_":
        """Let the next `serialize` return these bytes, whatever the fields say, and return this message."""
        self.__dict__["sealed"] = sample
        return self

    @classmethod
    def deserialize(cls, data: bytes, *_: Any, **__: Any) -> wire.Sample:
        """Return the values of a sample. Raises WireError."""
        return wire.unpack_cmd(data)


@dataclass
@final
@autoid("sequential")
class IMUState_(IdlStruct, typename="unitree_go.msg.dds_.IMUState_"):
    """Quaternion w, x, y, z; rad/s; m/s2; rad; degrees C."""

    quaternion: array[float32, 4] = _zeros(4)
    gyroscope: array[float32, 3] = _zeros(3)
    accelerometer: array[float32, 3] = _zeros(3)
    rpy: array[float32, 3] = _zeros(3)
    temperature: uint8 = 0


@dataclass
@final
@autoid("sequential")
class MotorState_(IdlStruct, typename="unitree_go.msg.dds_.MotorState_"):
    """Measurement of one motor; `lost` counts lost packets since power-on."""

    mode: uint8 = 0
    q: float32 = 0.0
    dq: float32 = 0.0
    ddq: float32 = 0.0
    tau_est: float32 = 0.0
    q_raw: float32 = 0.0
    dq_raw: float32 = 0.0
    ddq_raw: float32 = 0.0
    temperature: uint8 = 0
    lost: uint32 = 0
    reserve: array[uint32, 2] = _zeros(2)


@dataclass
@final
@autoid("sequential")
class BmsState_(IdlStruct, typename="unitree_go.msg.dds_.BmsState_"):
    """Battery: charge in %, current in mA, cells in mV (units assumed)."""

    version_high: uint8 = 0
    version_low: uint8 = 0
    status: uint8 = 0
    soc: uint8 = 0
    current: int32 = 0
    cycle: uint16 = 0
    bq_ntc: array[uint8, 2] = _zeros(2)
    mcu_ntc: array[uint8, 2] = _zeros(2)
    cell_vol: array[uint16, 15] = _zeros(15)


@dataclass
@final
@autoid("sequential")
class LowState_(IdlStruct, typename="unitree_go.msg.dds_.LowState_"):
    """`rt/lowstate`, 500 Hz."""

    head: array[uint8, 2] = _zeros(2)
    level_flag: uint8 = 0
    frame_reserve: uint8 = 0
    sn: array[uint32, 2] = _zeros(2)
    version: array[uint32, 2] = _zeros(2)
    bandwidth: uint16 = 0
    imu_state: IMUState_ = field(default_factory=IMUState_)
    motor_state: array[MotorState_, MOTORS] = field(default_factory=lambda: [MotorState_() for _ in range(MOTORS)])
    bms_state: BmsState_ = field(default_factory=BmsState_)
    foot_force: array[int16, 4] = _zeros(4)
    foot_force_est: array[int16, 4] = _zeros(4)
    tick: uint32 = 0
    wireless_remote: array[uint8, 40] = _zeros(40)
    bit_flag: uint8 = 0
    adc_reel: float32 = 0.0
    temperature_ntc1: uint8 = 0
    temperature_ntc2: uint8 = 0
    power_v: float32 = 0.0
    power_a: float32 = 0.0
    fan_frequency: array[uint16, 4] = _zeros(4)
    reserve: uint32 = 0
    crc: uint32 = 0

    def serialize(self, *_: Any, **__: Any) -> bytes:
        """Return the sample as little-endian CDR: the given bytes, once, or the fields as they are."""
        return self.__dict__.pop("sealed", None) or wire.pack_state(self)

    def carry(self, sample: bytes) -> "LowState_":
        """Let the next `serialize` return these bytes, whatever the fields say, and return this message."""
        self.__dict__["sealed"] = sample
        return self

    @classmethod
    def deserialize(cls, data: bytes, *_: Any, **__: Any) -> wire.Sample:
        """Return the values of a sample. Raises WireError."""
        return wire.unpack_state(data)


@dataclass
@final
@autoid("sequential")
class RequestIdentity_(IdlStruct, typename="unitree_api.msg.dds_.RequestIdentity_"):
    """Which call of which function."""

    id: int64 = 0
    api_id: int64 = 0


@dataclass
@final
@autoid("sequential")
class RequestLease_(IdlStruct, typename="unitree_api.msg.dds_.RequestLease_"):
    """Exclusive use of a service; 0 for none."""

    id: int64 = 0


@dataclass
@final
@autoid("sequential")
class RequestPolicy_(IdlStruct, typename="unitree_api.msg.dds_.RequestPolicy_"):
    """How the service shall treat the call."""

    priority: int32 = 0
    noreply: bool = False


@dataclass
@final
@autoid("sequential")
class RequestHeader_(IdlStruct, typename="unitree_api.msg.dds_.RequestHeader_"):
    """Head of a call."""

    identity: RequestIdentity_ = field(default_factory=RequestIdentity_)
    lease: RequestLease_ = field(default_factory=RequestLease_)
    policy: RequestPolicy_ = field(default_factory=RequestPolicy_)


@dataclass
@final
@autoid("sequential")
class Request_(IdlStruct, typename="unitree_api.msg.dds_.Request_"):
    """`rt/api/<service>/request`: a call with its parameter as JSON."""

    header: RequestHeader_ = field(default_factory=RequestHeader_)
    parameter: str = ""
    binary: sequence[uint8] = field(default_factory=list)


@dataclass
@final
@autoid("sequential")
class ResponseStatus_(IdlStruct, typename="unitree_api.msg.dds_.ResponseStatus_"):
    """0, or an error."""

    code: int32 = 0


@dataclass
@final
@autoid("sequential")
class ResponseHeader_(IdlStruct, typename="unitree_api.msg.dds_.ResponseHeader_"):
    """Head of an answer; the identity is that of the call."""

    identity: RequestIdentity_ = field(default_factory=RequestIdentity_)
    status: ResponseStatus_ = field(default_factory=ResponseStatus_)


@dataclass
@final
@autoid("sequential")
class Response_(IdlStruct, typename="unitree_api.msg.dds_.Response_"):
    """`rt/api/<service>/response`."""

    header: ResponseHeader_ = field(default_factory=ResponseHeader_)
    data: str = ""
    binary: sequence[uint8] = field(default_factory=list)


shim.apply()  # nobody uses these classes without it
