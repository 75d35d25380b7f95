"""Where the feet are planted, and the frame over them in which the planner thinks.

The stance frame has its origin at the centre of the four feet (centres of their contact spheres), x along the feet's
heading (from the middle of the rear to the middle of the front feet) and z up. The trunk's six plan coordinates are
its offset from `NOMINAL_TRUNK` in this frame and its roll, pitch and yaw (R = Rz Ry Rx).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from go2_piper_description.joints import ARM_SLICE, LEG_SLICE
from numpy.typing import NDArray
from robot_bridge.types import RobotState

from . import leg_kinematics

Array = NDArray[np.float64]

NOMINAL_TRUNK: Array = np.array([0.048, 0.0, 0.262])
"""Nominal position of `base_link` in the stance frame, m: where the loaded robot settles in the joint table's stand
pose, measured in MuJoCo (4 s from the `stand` keyframe: 0.0485, 0, 0.265 and still sinking). At this pose the planner
takes the robot over without moving it."""

_LARGEST_PITCH = 1.3
"""rad; beyond it roll and yaw rates cannot be told apart, and the robot has fallen anyway."""


class StanceError(ValueError):
    """The robot's state cannot be a stance; one line says why."""


@dataclass(frozen=True)
class Stance:
    """Planted feet and their frame in `odom`."""

    feet: Array
    """m in the stance frame, shape (4, 3), order FL, FR, RL, RR."""
    origin: Array
    """Of the stance frame in `odom`, m, shape (3,)."""
    yaw: float
    """Of the stance frame in `odom`, rad."""

    @classmethod
    def from_state(cls, state: RobotState) -> Stance:
        """Freeze the feet where they are now.

        Where the base's pose is unknown (`state.base` is None), `odom` is taken as the IMU's frame with its origin at
        `base_link`: targets in `base_link` are all that one can then give.

        Raises:
            StanceError: if the state is not finite, the robot lies on its side or the feet are in one place.
        """
        if not np.all(np.isfinite(state.position)):
            raise StanceError("stance: joint positions are not finite; wait for a good state")
        base, rotation = _base_pose(state)
        if rotation[2, 2] < 0.5:
            raise StanceError(f"stance: the trunk is tilted by {np.degrees(np.arccos(rotation[2, 2])):.0f} degrees")
        feet = base + leg_kinematics.forward(state.position[LEG_SLICE]) @ rotation.T
        heading = feet[:2].mean(axis=0) - feet[2:].mean(axis=0)
        if np.hypot(heading[0], heading[1]) < 0.05:
            raise StanceError("stance: front and rear feet are in one place; stand the robot up first")
        yaw = float(np.arctan2(heading[1], heading[0]))
        origin = feet.mean(axis=0)
        return cls((feet - origin) @ _turn(yaw), origin, yaw)

    @property
    def rotation(self) -> Array:
        """Rotation `odom` <- stance, shape (3, 3)."""
        return _turn(self.yaw)

    def coordinates(self, state: RobotState) -> tuple[Array, Array]:
        """Return the plan's coordinates and their rates: trunk offset (m, rad), arm joints (rad); each shape (12,).

        Where the base's pose is unknown it is fitted to the planted feet, with roll and pitch from the IMU.

        Raises:
            StanceError: if the base's pose is not finite or pitched so far that its angles mean nothing.
        """
        position, rotation, linear, angular = self._trunk(state)
        roll = float(np.arctan2(rotation[2, 1], rotation[2, 2]))
        pitch = float(np.arcsin(np.clip(-rotation[2, 0], -1.0, 1.0)))
        yaw = float(np.arctan2(rotation[1, 0], rotation[0, 0]))
        if abs(pitch) > _LARGEST_PITCH:
            raise StanceError(f"stance: the trunk is pitched by {np.degrees(pitch):.0f} degrees; the robot has fallen")
        sr, cr, cp, tp = np.sin(roll), np.cos(roll), np.cos(pitch), np.tan(pitch)
        rates = np.array([[1.0, sr * tp, cr * tp], [0.0, cr, -sr], [0.0, sr / cp, cr / cp]]) @ angular
        coordinates = np.concatenate([position - NOMINAL_TRUNK, [roll, pitch, yaw], state.position[ARM_SLICE]])
        return coordinates, np.concatenate([rotation @ linear, rates, state.velocity[ARM_SLICE]])

    def from_odom(self, position: Array, rotation: Array) -> tuple[Array, Array]:
        """Turn a pose in `odom` (m, shape (..., 3), and matrices (..., 3, 3)) into one in the stance frame."""
        return (position - self.origin) @ self.rotation, self.rotation.T @ rotation

    def to_odom(self, position: Array, rotation: Array) -> tuple[Array, Array]:
        """Turn a pose in the stance frame (m, shape (..., 3), and matrices (..., 3, 3)) into one in `odom`."""
        return position @ self.rotation.T + self.origin, self.rotation @ rotation

    def from_base(self, state: RobotState, position: Array, rotation: Array) -> tuple[Array, Array]:
        """Turn a pose in `base_link`, as the trunk stands in `state`, into one in the stance frame (as `from_odom`)."""
        trunk, turn, _, _ = self._trunk(state)
        return position @ turn.T + trunk, turn @ rotation

    def _trunk(self, state: RobotState) -> tuple[Array, Array, Array, Array]:
        """Return position and rotation of the trunk in the stance frame, its linear and angular velocity in its own."""
        if state.base is not None:
            position, rotation = self.from_odom(*_base_pose(state))
            return position, rotation, state.base.linear_velocity, state.base.angular_velocity
        _, tilt = _base_pose(state)
        feet = leg_kinematics.forward(state.position[LEG_SLICE])
        level = (feet - feet.mean(axis=0)) @ tilt.T
        dot = np.sum(level[:, :2] * self.feet[:, :2])
        cross = np.sum(level[:, 0] * self.feet[:, 1] - level[:, 1] * self.feet[:, 0])
        rotation = _turn(float(np.arctan2(cross, dot))) @ tilt
        position = self.feet.mean(axis=0) - rotation @ feet.mean(axis=0)
        # the planted feet stand still: v = -(w x foot + J dq), averaged over the feet
        step = 1e-6
        moved = leg_kinematics.forward(state.position[LEG_SLICE] + step * state.velocity[LEG_SLICE])
        rate = (moved - feet) / step
        linear = -(np.cross(state.angular_velocity, feet) + rate).mean(axis=0)
        return position, rotation, linear, state.angular_velocity


def trunk_rotation(coordinates: Array) -> Array:
    """Return stance <- `base_link` for plan coordinates of shape (..., >= 6), shape (..., 3, 3)."""
    # scipy's Rotation takes 0.2 ms for one of these, a tenth of the executor's whole tick by hand
    angles = np.asarray(coordinates)[..., 3:6]
    (cr, cp, cy), (sr, sp, sy) = np.moveaxis(np.cos(angles), -1, 0), np.moveaxis(np.sin(angles), -1, 0)
    rotation = np.empty((*angles.shape[:-1], 3, 3))
    rotation[..., 0, 0], rotation[..., 0, 1], rotation[..., 0, 2] = (
        cy * cp,
        cy * sp * sr - sy * cr,
        cy * sp * cr + sy * sr,
    )
    rotation[..., 1, 0], rotation[..., 1, 1], rotation[..., 1, 2] = (
        sy * cp,
        sy * sp * sr + cy * cr,
        sy * sp * cr - cy * sr,
    )
    rotation[..., 2, 0], rotation[..., 2, 1], rotation[..., 2, 2] = -sp, cp * sr, cp * cr
    return rotation


def legs_for(coordinates: Array, feet: Array) -> tuple[Array, NDArray[np.bool_]]:
    """Return the leg positions that keep the feet planted with the trunk at plan coordinates.

    Args:
        coordinates: m and rad, shape (..., >= 6).
        feet: m in the stance frame, shape (4, 3).

    Returns:
        as `leg_kinematics.inverse`.
    """
    trunk = coordinates[..., None, :3] + NOMINAL_TRUNK
    return leg_kinematics.inverse((feet - trunk) @ trunk_rotation(coordinates))


def _base_pose(state: RobotState) -> tuple[Array, Array]:
    position = np.zeros(3) if state.base is None else state.base.position
    quaternion = state.orientation if state.base is None else state.base.orientation
    if not (np.all(np.isfinite(position)) and 0.9 < np.linalg.norm(quaternion) < 1.1):  # also catches not-a-number
        raise StanceError("stance: the base's pose is not finite or no unit quaternion; wait for a good state")
    x, y, z, w = (quaternion / np.linalg.norm(quaternion)).tolist()
    rotation = [
        [1.0 - 2.0 * (y * y + z * z), 2.0 * (x * y - z * w), 2.0 * (x * z + y * w)],
        [2.0 * (x * y + z * w), 1.0 - 2.0 * (x * x + z * z), 2.0 * (y * z - x * w)],
        [2.0 * (x * z - y * w), 2.0 * (y * z + x * w), 1.0 - 2.0 * (x * x + y * y)],
    ]
    return position, np.array(rotation)


def _turn(yaw: float) -> Array:
    c, s = np.cos(yaw), np.sin(yaw)
    return np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])
