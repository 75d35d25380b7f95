"""Goals over time, in `base_link` and in a stance frame."""

from __future__ import annotations

import numpy as np
import pytest
from cem_planner.goal import ARM_REACH, GoalTracker, reachable
from cem_planner.stance import NOMINAL_TRUNK, Stance
from moe_controller.trajectory import PoseTrajectory
from robot_bridge.types import BaseState

from .fakes import loaded


def base(x: float = 0.0, yaw: float = 0.0) -> BaseState:
    return BaseState(np.array([x, 0.0, 0.3]), np.array([0.0, 0.0, np.sin(yaw / 2), np.cos(yaw / 2)]), np.zeros(3),
                     np.zeros(3))  # fmt: skip


def test_home_until_there_is_a_goal() -> None:
    tracker = GoalTracker()
    wanted = tracker.at(0.0, base())
    assert wanted.frame == "base_link" and wanted.turned
    np.testing.assert_array_equal(wanted.position, tracker.home.position)


def test_goal_in_odom_is_seen_from_the_base() -> None:
    tracker = GoalTracker()
    tracker.set_target((1.0, 0.0, 0.5), "odom", base())
    np.testing.assert_allclose(tracker.at(0.0, base(0.5, np.pi / 2)).in_base.position, [0.0, -0.5, 0.2], atol=1e-12)


def test_lost_odometry_leaves_the_goal_where_it_was_seen() -> None:
    tracker = GoalTracker()
    tracker.set_target((1.0, 0.0, 0.5), "odom", base())
    tracker.at(0.0, base(0.5))
    wanted = tracker.at(0.02, None)
    assert wanted.frame == "base_link"
    np.testing.assert_allclose(wanted.position, [0.5, 0.0, 0.2])
    np.testing.assert_allclose(tracker.at(0.04, None).position, [0.5, 0.0, 0.2])


def test_moving_goals_start_now_and_are_followed_ahead_of_time() -> None:
    tracker = GoalTracker()
    tracker.set_trajectory(PoseTrajectory([0.0, 1.0], [(0.4, 0.0, 0.2), (0.4, 0.1, 0.2)]), "base_link")
    assert tracker.at(7.0, base()).position[1] == 0.0
    assert tracker.at(7.5, base(), ahead=0.1).position[1] == pytest.approx(0.06)


def test_the_identity_leaves_the_orientation_free() -> None:
    tracker = GoalTracker()
    tracker.set_target((0.4, 0.0, 0.2), "base_link")
    wanted = tracker.at(0.0, base())
    assert not wanted.turned
    assert tracker.arm_goal(wanted.position, wanted.rotation, wanted.turned).orientation_weight == 0.0
    tracker.set_target((0.4, 0.0, 0.2), "base_link", orientation=(0.0, np.sqrt(0.5), 0.0, np.sqrt(0.5)))
    wanted = tracker.at(0.0, base())
    assert tracker.arm_goal(wanted.position, wanted.rotation, wanted.turned).orientation_weight > 0.0


def test_goals_come_into_the_frame_of_the_feet() -> None:
    state, tracker = loaded(), GoalTracker()
    stance = Stance.from_state(state)
    tracker.set_target((0.45, 0.1, 0.4), "odom", state.base)
    wanted = tracker.at(0.0, state.base)
    goal = tracker.body_goal(wanted, stance)
    np.testing.assert_allclose(stance.to_odom(goal.position, goal.rotation)[0], wanted.position)


def test_far_goals_are_moved_into_reach() -> None:
    tracker = GoalTracker()
    goal = tracker.arm_goal(np.array([9.0, 0.0, 0.3]), np.eye(3), False)
    assert np.linalg.norm(goal.position - NOMINAL_TRUNK - tracker.shoulder) == pytest.approx(ARM_REACH)
    near = np.array([0.3, 0.0, 0.2])
    assert reachable(near, np.zeros(3), 1.0) is near
