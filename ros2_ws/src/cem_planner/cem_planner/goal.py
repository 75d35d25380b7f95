"""What the operator wants of the end-effector, now: goals over time in `base_link` and in a stance frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from go2_piper_description.joints import ARM_SLICE, joint_array
from go2_piper_description.kinematics import ArmKinematics
from go2_piper_description.links import Mount
from moe_controller.goals import BASE_LINK, ODOM, EeGoal, check_goal, in_base_link, single_target
from moe_controller.trajectory import IDENTITY, Pose, PoseTrajectory
from numpy.typing import ArrayLike, NDArray
from robot_bridge.types import BaseState
from scipy.spatial.transform import Rotation

from .problem import Goal
from .stance import NOMINAL_TRUNK, Stance

Array = NDArray[np.float64]

ORIENTATION_WEIGHT = 0.3
"""Of the orientation where the operator gives one (reduced_planner.md 1)."""
ARM_REACH = 0.74
"""m from the shoulder: the stretched arm is 0.757 m long. Goals farther away are moved to this distance: the cost of
an error of metres would outweigh the robot's balance."""
BODY_REACH = 0.84
"""The same with the trunk's help, from where the shoulder nominally is."""


@dataclass(frozen=True)
class Wanted:
    """Pose of `ee_link` that the operator wants."""

    frame: str
    """"odom" or "base_link"."""
    position: Array
    """m, shape (3,)."""
    rotation: Array
    """`frame` <- `ee_link`, shape (3, 3)."""
    turned: bool
    """Whether the rotation counts."""
    in_base: Pose
    """The same in `base_link`."""


class GoalTracker:
    """Keeps the operator's goal. Errors of the setters as in `moe_controller.goals`."""

    def __init__(self, mount: Mount | None = None) -> None:
        arm = ArmKinematics(mount)
        self.shoulder = arm.shoulder
        """m in `base_link`, shape (3,)."""
        home = arm.ee_transform(joint_array("stand")[ARM_SLICE])
        self.home = Pose(home[:3, 3], Rotation.from_matrix(home[:3, :3]).as_quat())
        """Pose of `ee_link` in `base_link` in the stand pose: the goal until one is given."""
        self._goal: EeGoal | None = None
        self._last = self._home()

    def set_target(
        self, position: ArrayLike, frame: str, base: BaseState | None = None, orientation: ArrayLike = IDENTITY
    ) -> None:
        """Take a single target."""
        self._goal = single_target(position, frame, base, orientation)

    def set_trajectory(
        self, trajectory: PoseTrajectory, frame: str, base: BaseState | None = None, start: float | None = None
    ) -> None:
        """Take a trajectory."""
        self._goal = check_goal(trajectory, frame, base, start)

    def reset(self) -> None:
        """Forget where the last goal was seen; the goal stays."""
        self._last = self._home()

    def at(self, now: float, base: BaseState | None, ahead: float = 0.0) -> Wanted:
        """Return what is wanted.

        Where odometry was lost, a goal in `odom` stays where it last was in `base_link`.

        Args:
            now: time on the clock of the states, s; a goal without a start starts now.
            base: where the robot is.
            ahead: s from now: what lags behind its command follows a moving goal that much earlier.
        """
        goal = self._goal
        if goal is None:
            self._last = self._home()
            return self._last
        if goal.start is None:
            self._goal = goal = EeGoal(goal.trajectory, goal.frame, now)
        positions, orientations = goal.poses(np.array([now + ahead]))
        turned = goal.trajectory.turns
        rotation = Rotation.from_quat(orientations[0]).as_matrix()
        if goal.frame != ODOM:
            self._last = Wanted(BASE_LINK, positions[0], rotation, turned, Pose(positions[0], orientations[0]))
        elif base is not None:
            seen = in_base_link(positions, orientations, base)
            self._last = Wanted(ODOM, positions[0], rotation, turned, Pose(seen[0][0], seen[1][0]))
        elif self._last.frame == ODOM:
            pose, turn = self._last.in_base, Rotation.from_quat(self._last.in_base.orientation).as_matrix()
            self._last = Wanted(BASE_LINK, pose.position, turn, self._last.turned, pose)
        return self._last

    def arm_goal(self, position: Array, rotation: Array, turned: bool) -> Goal:
        """Return a goal in `base_link` as one of a trunk at its nominal pose, within the arm's reach."""
        place = reachable(position, self.shoulder, ARM_REACH)
        return Goal(place + NOMINAL_TRUNK, rotation, ORIENTATION_WEIGHT if turned else 0.0)

    def body_goal(self, wanted: Wanted, stance: Stance) -> Goal:
        """Return a goal in `odom` in the stance frame, within the reach of arm and trunk."""
        position, rotation = stance.from_odom(wanted.position, wanted.rotation)
        place = reachable(position, self.shoulder + NOMINAL_TRUNK, BODY_REACH)
        return Goal(place, rotation, ORIENTATION_WEIGHT if wanted.turned else 0.0)

    def _home(self) -> Wanted:
        turn = Rotation.from_quat(self.home.orientation).as_matrix()
        return Wanted(BASE_LINK, self.home.position, turn, True, self.home)


def reachable(position: Array, centre: Array, reach: float) -> Array:
    """Return a position moved towards a centre until it is within reach, m, shape (3,)."""
    offset = position - centre
    distance = float(np.linalg.norm(offset))
    return position if distance <= reach else centre + offset * (reach / distance)
