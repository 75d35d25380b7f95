"""Robot states for tests."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from go2_piper_description.joints import NUM_JOINTS, joint_array
from robot_bridge.types import BaseState, RobotState

UPRIGHT = np.array([0.0, 0.0, 0.0, 1.0])


def base_at(position: Sequence[float] = (0.0, 0.0, 0.0), yaw: float = 0.0) -> BaseState:
    """Return a base at rest, m and rad in odom."""
    orientation = np.array([0.0, 0.0, np.sin(yaw / 2), np.cos(yaw / 2)])
    return BaseState(np.array(position, dtype=float), orientation, np.zeros(3), np.zeros(3))


def standing(stamp: float = 0.0, base: BaseState | None = None) -> RobotState:
    """Return a robot at rest in its stand pose."""
    zeros = np.zeros(NUM_JOINTS)
    return RobotState(stamp, joint_array("stand"), zeros, zeros, UPRIGHT, np.zeros(3), np.zeros(3), base=base)
