"""LowState as the rest of the driver sees it: SI units, joints in canonical order."""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from . import wire
from .motors import FEET, SLOTS

Array = NDArray[np.float64]
_SLOTS = list(SLOTS)


@dataclass(frozen=True, eq=False)
class Go2State:
    """One measurement of the Go2. Leg arrays have shape (12,), canonical order; feet FL, FR, RL, RR."""

    stamp: float
    """When it arrived, monotonic, s."""
    position: Array
    velocity: Array
    effort: Array
    temperature: Array
    """degrees C."""
    orientation: Array
    """x, y, z, w."""
    angular_velocity: Array
    linear_acceleration: Array
    foot_force: Array
    """Raw, uncalibrated, shape (4,)."""
    charge: float
    """0 to 1."""
    voltage: float
    """V."""
    weakest_cell: float
    """V; of the cells that report one, infinite where none does."""
    remote: bytes
    """The remote control's 40 bytes."""


_TEMPERATURES = wire.STATE.places(SLOTS, wire.TEMPERATURE_OF_MOTOR)
_LOST = wire.STATE.places(SLOTS, wire.LOST_OF_MOTOR)
_COLUMNS = [wire.STATE_Q, wire.STATE_DQ, wire.STATE_TAU]
_FEET = list(FEET)
_AT = wire.STATE.offsets
_CELLS = struct.Struct(f"<{wire.CELLS}H")
_FORCES, _UINT, _FLOAT = struct.Struct("<4h"), struct.Struct("<I"), struct.Struct("<f")


def tick_of(sample: wire.Sample) -> int:
    """Return the robot's clock, ms (assumed)."""
    return int(_UINT.unpack_from(sample.data, _AT[wire.STATE_TICK])[0])


def lost_packets(sample: wire.Sample) -> int:
    """Return the packets that the leg motors have lost since power-on, all together."""
    return sum(_UINT.unpack_from(sample.data, place)[0] for place in _LOST)


def read_state(sample: wire.Sample, stamp: float) -> Go2State:
    """Return a LowState in our terms."""
    data = sample.data
    motors = wire.STATE.motors(data)[_SLOTS]
    position, velocity, effort = motors[:, _COLUMNS].T.astype(np.float64)
    imu = np.frombuffer(data, "<f4", 10, _AT[wire.STATE_IMU]).astype(np.float64)
    cells = [value for value in _CELLS.unpack_from(data, _AT[wire.STATE_CELLS]) if value > 0]
    force = _FORCES.unpack_from(data, _AT[wire.STATE_FOOT_FORCE])
    return Go2State(
        stamp=stamp,
        position=position,
        velocity=velocity,
        effort=effort,
        temperature=np.array([float(data[place]) for place in _TEMPERATURES]),
        orientation=imu[[1, 2, 3, 0]],
        angular_velocity=imu[4:7],
        linear_acceleration=imu[7:10],
        foot_force=np.array([float(force[place]) for place in _FEET]),
        charge=data[_AT[wire.STATE_SOC]] / 100.0,
        voltage=_FLOAT.unpack_from(data, _AT[wire.STATE_VOLTAGE])[0],
        weakest_cell=min(cells) / 1000.0 if cells else float("inf"),
        remote=data[_AT[wire.STATE_REMOTE] : _AT[wire.STATE_REMOTE] + wire.REMOTE_BYTES],
    )
