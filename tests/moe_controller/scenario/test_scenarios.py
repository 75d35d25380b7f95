"""Scenarios: goals from seeds, in the workspace, in the limits."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest
from go2_piper_description.joints import ARM_JOINTS
from go2_piper_description.kinematics import ArmKinematics
from moe_controller.contract import TargetRegion, VelocityLimits
from moe_controller.scenario import scenarios
from moe_controller.scenario.scenarios import SCENARIOS, Goal, ScenarioError, goals
from scipy.optimize import least_squares


@pytest.mark.parametrize("name", SCENARIOS)
def test_same_seed_gives_same_goals(name: str) -> None:
    assert list(goals(name, 3)) == list(goals(name, 3))


@pytest.mark.parametrize("name", [name for name in SCENARIOS if name != "none"])
def test_other_seed_gives_other_goals(name: str) -> None:
    assert list(goals(name, 3)) != list(goals(name, 4))


@pytest.mark.parametrize(("name", "count"), [("none", 0), ("reach", 20), ("walk", 6), ("walk-and-reach", 6)])
def test_usual_number_of_goals(name: str, count: int) -> None:
    assert len(list(goals(name, 0))) == count


def test_a_duration_gives_goals_without_end() -> None:
    usual = list(goals("reach", 0))
    more = list(islice(goals("reach", 0, duration=1000.0), 50))
    assert more[: len(usual)] == usual and len(more) == 50


def test_unknown_scenario_is_one_clear_line() -> None:
    with pytest.raises(ScenarioError, match="unknown scenario 'dance': choose one of none, reach") as error:
        goals("dance", 0)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("duration", [0.0, -1.0, float("nan")])
def test_duration_must_be_positive(duration: float) -> None:
    with pytest.raises(ScenarioError, match="not positive"):
        goals("reach", 0, duration)


def test_reach_targets_can_be_reached_by_the_arm() -> None:
    kinematics = ArmKinematics()
    lower = np.array([joint.lower for joint in ARM_JOINTS])
    upper = np.array([joint.upper for joint in ARM_JOINTS])
    starts = [np.clip([joint.stand for joint in ARM_JOINTS], lower + 1e-3, upper - 1e-3), (lower + upper) / 2]
    for goal in goals("reach", 0):
        errors = [
            np.linalg.norm(
                least_squares(
                    lambda q, goal=goal: kinematics.ee_position(q) - np.asarray(goal.target), start,
                    bounds=(lower, upper),
                ).fun
            )
            for start in starts
        ]  # fmt: skip
        assert min(errors) < 2e-3, goal


def test_reach_targets_are_in_the_region_of_the_policies() -> None:
    region, shoulder = TargetRegion(), ArmKinematics().shoulder
    for goal in goals("reach", 1):
        assert goal.frame == "base_link" and goal.target is not None
        radius = np.linalg.norm(np.asarray(goal.target) - shoulder)
        assert region.radius[0] - 1e-3 <= radius <= region.radius[1] + 1e-3


def test_walk_commands_cover_all_directions_within_the_limits() -> None:
    limits = VelocityLimits()
    for seed in range(20):
        commands = {goal.label: goal.velocity or (np.nan,) * 3 for goal in goals("walk", seed)}
        assert all(np.array_equal(limits.clip(np.asarray(command)), command) for command in commands.values())
        assert commands["forward"][0] > 0.3 and commands["back"][0] < -0.2
        assert abs(commands["sideways"][1]) > 0.1 and abs(commands["turning"][2]) > 0.3
        assert commands["standing"] == (0.0, 0.0, 0.0)


def test_far_targets_are_a_walk_apart_and_stay_in_the_area() -> None:
    for seed in range(10):
        targets = np.array([goal.target for goal in goals("walk-and-reach", seed)])
        steps = np.linalg.norm(np.diff(np.vstack([[0.0, 0.0, 0.0], targets])[:, :2], axis=0), axis=1)
        assert steps[0] >= 1.0 - 1e-3 and np.all(steps > 0.5) and np.all(steps < 3.0)
        assert np.all(np.abs(targets[:, :2]) <= scenarios.FAR_AREA + 1e-3)
        assert np.all((targets[:, 2] >= 0.35) & (targets[:, 2] <= 0.60))
        assert all(goal.until_arrival and goal.frame == "odom" for goal in goals("walk-and-reach", seed))


def test_paths_are_smooth_and_start_at_rest() -> None:
    for goal in goals("trajectory", 0):
        points = np.array([point.position for point in goal.path])
        speed = np.linalg.norm(np.diff(points, axis=0), axis=1) / scenarios.PATH_STEP
        assert np.max(speed) < 0.25, "m/s"
        still = int(scenarios.PATH_LEAD_IN / scenarios.PATH_STEP) - 1
        assert np.all(speed[:still] < 1e-9)
        assert np.allclose(points[0], points[-1], atol=1e-6)
        assert goal.path[-1].time == pytest.approx(goal.hold)


def test_reference_of_a_path_is_interpolated() -> None:
    points = (scenarios.PathPoint(0.0, (0.0, 0.0, 0.0)), scenarios.PathPoint(1.0, (1.0, 2.0, 4.0)))
    reference = Goal("line", 1.0, path=points).reference(np.array([0.25, 5.0]))
    assert np.allclose(reference, [[0.25, 0.5, 1.0], [1.0, 2.0, 4.0]])


def test_reference_without_target_is_nan() -> None:
    assert np.all(np.isnan(Goal("walk", 1.0, velocity=(0.1, 0.0, 0.0)).reference(np.zeros(2))))
