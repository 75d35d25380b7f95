"""What passes between the arm's driver and the plant: SI units, joints in the order of `ARM_JOINT_NAMES`.

Stamps are monotonic time (`time.monotonic`), s. Arrays have shape (6,).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ArmState:
    """One measurement of the arm."""

    stamp: float
    """When its oldest joint frame arrived, s: a stream that has stopped shows as age."""
    position: Array
    """rad."""
    velocity: Array
    """rad/s."""
    effort: Array
    """Torque estimated from the motor currents, N m."""
    gripper_position: float
    """Travel of each finger, m (the SDK's stroke is twice this)."""
    gripper_effort: float
    """N at each finger."""
    motor_temperature: Array
    """degrees C."""
    enabled: bool
    """All six motors are powered."""
    faults: tuple[str, ...] = ()
    """What the arm reports as wrong, one short line each, such as "joint3: driver error"; empty when well."""
    warnings: tuple[str, ...] = ()
    """What a person should know but nothing acts on."""


@dataclass(frozen=True, eq=False)
class ArmTargets:
    """What the arm executes: tau = kp (position - q) + kd (velocity - dq) + effort where the driver uses MIT mode.

    In position mode the arm's own controller follows `position`; kp of zero means: hold where it is.
    """

    position: Array
    velocity: Array
    effort: Array
    kp: Array
    kd: Array
    gripper_position: float | None = None
    """Travel of each finger, m; None leaves the gripper where it is."""
