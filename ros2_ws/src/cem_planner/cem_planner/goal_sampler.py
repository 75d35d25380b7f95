"""Seeded goals for the closed loop: poses that the arm takes from the nominal trunk, or that need the trunk."""

from __future__ import annotations

import mujoco
import numpy as np
from go2_piper_description.joints import ARM_SLICE, joint_array
from go2_piper_description.kinematics import ArmKinematics
from go2_piper_description.links import EE_LINK
from numpy.typing import NDArray
from sim_bridge.model import load_model

from .costs import TRUNK_HALF_SIZES
from .problem import Goal
from .stance import NOMINAL_TRUNK, trunk_rotation

Array = NDArray[np.float64]

LIMIT_MARGIN = 0.1
"""rad that sampled arm joints keep from their limits."""
LEAST_HEIGHT = 0.10
"""m above the feet, and of the wrist."""
TRUNK_MARGIN = 0.10
"""m that elbow, wrist and end-effector of a goal's arm keep from the trunk."""
BEYOND_REACH = (0.02, 0.07)
"""m by which goals that need the trunk lie beyond the stretched arm."""


class GoalSampler:
    """Draws goals in the stance frame. The order of the calls matters: one stream of random numbers."""

    def __init__(self, seed: int = 0, orientation_weight: float = 0.3) -> None:
        self._random = np.random.default_rng(seed)
        self._weight = orientation_weight
        self._kinematics = ArmKinematics()
        self._robot = load_model()
        self._data = mujoco.MjData(self._robot.model)
        self._lower = joint_array("lower")[ARM_SLICE] + LIMIT_MARGIN
        self._upper = joint_array("upper")[ARM_SLICE] - LIMIT_MARGIN

    def reachable(self, count: int) -> list[Goal]:
        """Return poses of random arm joints: in front, above the floor, clear of the trunk."""
        goals: list[Goal] = []
        while len(goals) < count:
            joints = self._random.uniform(self._lower, self._upper)
            if self._clear(np.zeros(6), joints):
                goals.append(self._goal(np.zeros(6), joints, self._weight))
        return goals

    def beyond(self, count: int) -> list[Goal]:
        """Return positions that the arm alone misses by BEYOND_REACH, and that some trunk offset brings within reach.

        The offsets are drawn from three quarters of the planner's box. Their orientation is free.
        """
        goals: list[Goal] = []
        reach = self._reach()
        box = 0.75 * np.array([0.08, 0.06, 0.06, 0.25, 0.25, 0.3])
        shoulder = self._kinematics.shoulder + NOMINAL_TRUNK
        while len(goals) < count:
            trunk, joints = self._random.uniform(-box, box), self._random.uniform(self._lower, self._upper)
            goal = self._goal(trunk, joints, 0.0)
            short = float(np.linalg.norm(goal.position - shoulder)) - reach
            if BEYOND_REACH[0] <= short <= BEYOND_REACH[1] and self._clear(trunk, joints):
                goals.append(goal)
        return goals

    def _reach(self) -> float:
        """Return the distance of the stretched arm's end from the shoulder, m."""
        points = self._points(np.zeros(6))
        return float(
            np.linalg.norm(points["elbow"] - self._kinematics.shoulder)
            + np.linalg.norm(points["wrist"] - points["elbow"])
            + np.linalg.norm(points["ee"] - points["wrist"])
        )

    def _goal(self, trunk: Array, joints: Array, weight: float) -> Goal:
        turn, pose = trunk_rotation(trunk), self._kinematics.ee_transform(joints)
        return Goal(turn @ pose[:3, 3] + trunk[:3] + NOMINAL_TRUNK, turn @ pose[:3, :3], weight)

    def _clear(self, trunk: Array, joints: Array) -> bool:
        points = self._points(joints)
        turn = trunk_rotation(trunk)
        box = np.asarray(TRUNK_HALF_SIZES)
        for point in points.values():
            if np.linalg.norm(np.maximum(np.abs(point) - box, 0.0)) < TRUNK_MARGIN:
                return False
            if (turn @ point)[2] + trunk[2] + NOMINAL_TRUNK[2] < LEAST_HEIGHT:
                return False
        return bool(points["ee"][0] > self._kinematics.shoulder[0])

    def _points(self, joints: Array) -> dict[str, Array]:
        """Return elbow, wrist and end-effector in `base_link`, m."""
        model, data = self._robot.model, self._data
        data.qpos[:] = 0.0
        data.qpos[3] = 1.0
        data.qpos[self._robot.joint_qpos[ARM_SLICE]] = joints
        mujoco.mj_kinematics(model, data)
        return {
            "elbow": data.body("piper_link3").xpos.copy(),
            "wrist": data.body("piper_link4").xpos.copy(),
            "ee": data.site(EE_LINK).xpos.copy(),
        }
