"""LowState as the rest of the driver sees it: SI units, joints in canonical order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

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
    tick: int
    """The robot's clock, ms (assumed)."""
    position: Array
    velocity: Array
    effort: Array
    temperature: Array
    """degrees C."""
    lost: int
    """Packets that the motors have lost since power-on, all legs together."""
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


def read_state(values: Sequence[Any], stamp: float) -> Go2State:
    """Return a LowState, given as its values (`wire.state_values`), in our terms."""
    motors = wire.rows(values, wire.STATE_MOTORS, wire.STATE_ROW)[_SLOTS].T
    w, x, y, z = values[wire.STATE_QUATERNION]
    cells = [value for value in values[wire.STATE_CELLS] if value > 0]
    force = values[wire.STATE_FOOT_FORCE]
    return Go2State(
        stamp=stamp,
        tick=values[wire.STATE_TICK],
        position=motors[1],
        velocity=motors[2],
        effort=motors[4],
        temperature=motors[8],
        lost=int(motors[9].sum()),
        orientation=np.array((x, y, z, w)),
        angular_velocity=np.array(values[wire.STATE_GYRO]),
        linear_acceleration=np.array(values[wire.STATE_ACCEL]),
        foot_force=np.array([force[place] for place in FEET], dtype=np.float64),
        charge=values[wire.STATE_SOC] / 100.0,
        voltage=values[wire.STATE_VOLTAGE],
        weakest_cell=min(cells) / 1000.0 if cells else float("inf"),
        remote=bytes(values[wire.STATE_REMOTE]),
    )
