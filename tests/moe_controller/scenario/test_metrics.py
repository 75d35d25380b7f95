"""Metrics on made-up records with known answers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from go2_piper_description.joints import ARM_SLICE, joint_array
from go2_piper_description.kinematics import ArmKinematics
from moe_controller.scenario.metrics import count_falls, evaluate, settled_errors, velocity_errors
from moe_controller.scenario.record import PlayedGoal, Record
from moe_controller.scenario.scenarios import ODOM_FRAME, Goal, PathPoint

STAND = joint_array("stand")
HOME = ArmKinematics().ee_position(STAND[ARM_SLICE])
TURN = np.array([0.0, 0.0, np.sin(np.pi / 4), np.cos(np.pi / 4)])
"""90 degrees to the left, x, y, z, w"""


def standing(seconds: float, goals: tuple[PlayedGoal, ...] = ()) -> Record:
    """A robot that stands still at (1, 2, 0.28), turned left by 90 degrees."""
    n = round(seconds * 200)
    return Record(
        time=np.arange(1, n + 1) / 200,
        joint_position=np.tile(STAND, (n, 1)),
        joint_velocity=np.zeros((n, 18)),
        gripper_position=np.zeros(n),
        base_position=np.tile([1.0, 2.0, 0.28], (n, 1)),
        base_orientation=np.tile(TURN, (n, 1)),
        base_linear_velocity=np.zeros((n, 3)),
        base_angular_velocity=np.zeros((n, 3)),
        weights_time=np.arange(1, n + 1, 4) / 200,
        weights=np.full((len(range(0, n, 4)), 1, 2), 0.5),
        goals=goals,
        groups=("all",),
        experts=("base", "arm"),
        play_end=seconds,
    )


def off_home(distance: float) -> tuple[float, float, float]:
    return (HOME[0] + distance, HOME[1], HOME[2])


def test_error_of_a_target_in_base_link() -> None:
    record = standing(2.0, (PlayedGoal(Goal("t", 2.0, target=off_home(0.03)), 0.0, 2.0, True),))
    assert np.allclose(record.ee_error(), 0.03)


def test_error_of_a_target_in_odom_turns_with_the_robot() -> None:
    in_odom = (1.0 - HOME[1], 2.0 + HOME[0] + 0.04, 0.28 + HOME[2])
    record = standing(2.0, (PlayedGoal(Goal("t", 2.0, target=in_odom, frame=ODOM_FRAME), 0.0, 2.0, True),))
    assert np.allclose(record.ee_error(), 0.04)
    assert np.allclose(record.ee_target_odom(), in_odom)


def test_target_in_base_link_shown_in_odom() -> None:
    record = standing(1.0, (PlayedGoal(Goal("t", 1.0, target=off_home(0.0)), 0.0, 1.0, True),))
    assert np.allclose(record.ee_target_odom(), [1.0 - HOME[1], 2.0 + HOME[0], 0.28 + HOME[2]])


def test_settled_error_counts_only_the_last_second_of_finished_goals() -> None:
    goals = (
        PlayedGoal(Goal("a", 2.0, target=off_home(0.02)), 0.0, 2.0, True),
        PlayedGoal(Goal("b", 2.0, target=off_home(0.08)), 2.0, 4.0, True),
        PlayedGoal(Goal("cut", 2.0, target=off_home(0.50)), 4.0, 5.0, False),
    )
    record = standing(5.0, goals)
    record.joint_position[:100] = 0.3  # far off, but long before the last second
    assert settled_errors(record) == pytest.approx((0.02, 0.08))
    metrics = evaluate(record)
    assert metrics.settled_median_ee_error == pytest.approx(0.05)
    assert metrics.targets_reached == 1


def test_error_along_a_path_leaves_out_the_lead_in() -> None:
    path = (PathPoint(0.0, off_home(1.0)), PathPoint(1.9, off_home(1.0)), PathPoint(2.0, off_home(0.01)))
    record = standing(4.0, (PlayedGoal(Goal("path", 4.0, path=path), 0.0, 4.0, True),))
    assert settled_errors(record) == pytest.approx((0.01,))


def test_velocity_error_leaves_out_the_transient() -> None:
    record = standing(4.0, (PlayedGoal(Goal("v", 4.0, velocity=(0.5, 0.0, 0.3)), 0.0, 4.0, True),))
    record.base_linear_velocity[200:] = (0.4, 0.1, 5.0)
    record.base_angular_velocity[200:, 2] = 0.1
    metrics = evaluate(record)
    assert len(velocity_errors(record)) == 600
    assert metrics.rms_linear_velocity_error == pytest.approx(np.hypot(0.1, 0.1))
    assert metrics.rms_yaw_rate_error == pytest.approx(0.2)


def test_nothing_measured_is_none() -> None:
    metrics = evaluate(standing(1.0))
    assert metrics.settled_median_ee_error is None and metrics.rms_linear_velocity_error is None
    assert metrics.falls == 0


def test_falls_are_counted_by_entry() -> None:
    height = np.array([0.28, 0.10, 0.10, 0.28, 0.28, 0.28, 0.05])
    tilt = np.array([0.0, 0.0, 0.0, 0.0, 1.2, 0.0, 0.0])
    assert count_falls(height, tilt) == 3
    assert count_falls(np.empty(0), np.empty(0)) == 0


def test_lying_before_and_after_the_play_is_no_fall() -> None:
    record = standing(3.0)
    record.base_position[:200, 2] = record.base_position[400:, 2] = 0.1
    assert evaluate(replace(record, play_start=1.0, play_end=2.0)).falls == 0
    assert evaluate(record).falls == 2


def test_tilt() -> None:
    record = standing(1.0)
    record.base_orientation[:] = [np.sin(0.3), 0.0, 0.0, np.cos(0.3)]
    assert np.allclose(record.tilt, 0.6)
