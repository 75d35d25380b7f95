"""What crosses the border between controllers and robots: states, commands and joint targets, in SI units.

Joint arrays have shape (18,) in the canonical order of `go2_piper_description.joints.JOINT_NAMES`.
Times are in s on the clock of the plant: simulation time in simulation, monotonic time on hardware.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from go2_piper_description.joints import NUM_JOINTS
from numpy.typing import NDArray

Array = NDArray[np.float64]


def _zeros() -> Array:
    return np.zeros(NUM_JOINTS)


@dataclass(frozen=True)
class BaseState:
    """Pose of `base_link` in `odom` and its velocity in `base_link`. Known in simulation, estimated on hardware."""

    position: Array
    """m, shape (3,)."""
    orientation: Array
    """Quaternion x, y, z, w, shape (4,)."""
    linear_velocity: Array
    """m/s in `base_link`, shape (3,)."""
    angular_velocity: Array
    """rad/s in `base_link`, shape (3,)."""


@dataclass(frozen=True)
class RobotState:
    """One measurement of the whole robot."""

    stamp: float
    """s, when it was measured."""
    position: Array
    """rad, shape (18,)."""
    velocity: Array
    """rad/s, shape (18,)."""
    effort: Array
    """Measured torque, N m, shape (18,)."""
    orientation: Array
    """IMU: quaternion x, y, z, w of `base_link` in a gravity-aligned frame, shape (4,)."""
    angular_velocity: Array
    """IMU: rad/s in `base_link`, shape (3,)."""
    linear_acceleration: Array
    """IMU: specific force in m/s2 in `base_link`, shape (3,)."""
    gripper_position: float = 0.0
    """Travel of each finger, m."""
    gripper_velocity: float = 0.0
    gripper_effort: float = 0.0
    base: BaseState | None = None
    """None where nobody knows where the base is."""
    motor_temperature: Array | None = None
    """degrees C, shape (18,); None where not measured."""
    battery_charge: float | None = None
    """0 to 1; None where not measured."""
    faults: tuple[str, ...] = ()
    """What the plant itself found wrong and must not be moved with, one short line each: the gate damps."""
    request: tuple[int, str] | None = None
    """What a person asks for at the robot itself (its remote control): a number that changes with every request, and
    one of `robot_bridge.modes.Request`."""
    wear: tuple[str, ...] = ()
    """What the plant found that the robot should not go on for long with: the gate makes it sit down."""


@dataclass(frozen=True)
class JointCommand:
    """What a controller asks for, as received: joint names in the sender's order, not yet checked."""

    names: tuple[str, ...]
    position: Array
    """rad, shape (len(names),)."""
    velocity: Array
    """rad/s, same shape; zeros where the sender left it empty."""
    effort: Array
    """Feed-forward torque, N m, same shape; zeros where the sender left it empty."""
    state_stamp: float
    """Stamp of the state that the command was computed from, s."""
    received: float
    """When it arrived, s, on the clock that the gate is stepped with."""


@dataclass(frozen=True)
class JointTargets:
    """What a plant executes: tau = kp (position - q) + kd (velocity - dq) + effort, limited to the joint's effort."""

    position: Array
    velocity: Array = field(default_factory=_zeros)
    effort: Array = field(default_factory=_zeros)
    kp: Array = field(default_factory=_zeros)
    kd: Array = field(default_factory=_zeros)
    gripper_position: float | None = None
    """Travel of each finger, m; None leaves the gripper where it is."""
