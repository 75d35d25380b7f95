"""What the operator wants: checks of targets and their place in `base_link`. ROS-free."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from robot_bridge.types import BaseState
from scipy.spatial.transform import Rotation

from .trajectory import IDENTITY, Array, PoseTrajectory, unit_quaternions

ODOM = "odom"
BASE_LINK = "base_link"
FRAMES = (ODOM, BASE_LINK)
FARTHEST = 20.0
"""m from the robot; more than that is a mistake in units or frames."""


class GoalError(ValueError):
    """A goal was refused and the previous one stays; one line that says why."""


@dataclass(frozen=True)
class EeGoal:
    """Poses of `ee_link` over time, in a frame. A single target is a trajectory of one point."""

    trajectory: PoseTrajectory
    frame: str
    start: float | None = None
    """Time of the trajectory's zero, s on the clock of the states; None: the next control step."""

    def poses(self, times: Array) -> tuple[Array, Array]:
        """Return wanted positions (n, 3) and quaternions (n, 4), in `frame`, at times on the clock of the states, s.

        A goal that has not been given its start holds its first pose.
        """
        start = self.start if self.start is not None else np.inf
        return self.trajectory.sample_many(times - start)


def check_goal(trajectory: PoseTrajectory, frame: str, base: BaseState | None, start: float | None = None) -> EeGoal:
    """Return a goal that the controller may follow.

    Args:
        trajectory: poses of `ee_link`.
        frame: "odom" or "base_link".
        base: where the robot is; needed for "odom".
        start: see `EeGoal`.

    Raises:
        GoalError: unknown frame, no odometry, or a point absurdly far away.
    """
    if frame not in FRAMES:
        raise GoalError(f"frame '{frame}' is unknown: give the target in {' or '.join(FRAMES)}")
    origin = np.zeros(3)
    if frame == ODOM:
        if base is None:
            raise GoalError(f"a target in '{ODOM}' needs odometry and there is none: give it in '{BASE_LINK}'")
        origin = base.position
    farthest = float(np.max(np.linalg.norm(trajectory.positions - origin, axis=1)))
    if not farthest <= FARTHEST:
        raise GoalError(f"the target is {farthest:.3g} m from the robot, more than {FARTHEST:g} m: "
                        f"check units (m) and frame ('{frame}')")  # fmt: skip
    return EeGoal(trajectory, frame, start)


def single_target(position: ArrayLike, frame: str, base: BaseState | None, orientation: ArrayLike = IDENTITY) -> EeGoal:
    """Return the goal of one target pose.

    Args:
        position: m in `frame`, shape (3,).
        frame: "odom" or "base_link".
        base: where the robot is; needed for "odom".
        orientation: quaternion x, y, z, w, shape (4,); identity, the messages' default, leaves it to the controller.

    Raises:
        GoalError: as `check_goal`, and for numbers that are not finite or quaternions that are not of unit length.
    """
    point = np.asarray(position, dtype=np.float64)
    if point.shape != (3,) or not np.all(np.isfinite(point)):
        raise GoalError(f"the target position {point.tolist()} is not three finite numbers")
    try:
        quaternion = unit_quaternions(orientation)
    except ValueError as error:
        raise GoalError(f"the target orientation is a {error}") from None
    return check_goal(PoseTrajectory([0.0], [point], [quaternion]), frame, base)


def in_base_link(positions: Array, orientations: Array, base: BaseState) -> tuple[Array, Array]:
    """Return positions (n, 3) and quaternions (n, 4) given in `odom` in `base_link`."""
    turn = Rotation.from_quat(base.orientation).as_matrix()
    x, y, z, w = (base.orientation / np.linalg.norm(base.orientation)).tolist()
    # the product of its conjugate with another quaternion, as a matrix
    conjugate = np.array([[w, z, -y, -x], [-z, w, x, -y], [y, -x, w, -z], [x, y, z, w]])
    return (positions - base.position) @ turn, orientations @ conjugate.T


def in_odom(positions: Array, orientations: Array, base: BaseState) -> tuple[Array, Array]:
    """Return positions (n, 3) and quaternions (n, 4) given in `base_link` in `odom`."""
    turn = Rotation.from_quat(base.orientation)
    return turn.apply(positions) + base.position, (turn * Rotation.from_quat(orientations)).as_quat()


def finite_velocity(velocity: ArrayLike) -> Array:
    """Check a velocity command vx, vy, wz and return it, shape (3,). Raises GoalError if it is not finite."""
    command = np.asarray(velocity, dtype=np.float64)
    if command.shape != (3,) or not np.all(np.isfinite(command)):
        raise GoalError(f"the velocity {command.tolist()} is not three finite numbers")
    return command
