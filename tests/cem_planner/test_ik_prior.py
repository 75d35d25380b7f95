"""The prior from inverse kinematics: it reaches what can be reached, and stays still at the goal."""

from __future__ import annotations

import numpy as np
import pytest
from cem_planner.goal_sampler import GoalSampler
from cem_planner.ik_prior import IkPrior
from cem_planner.problem import Goal, PlanState, Problem
from cem_planner.settings import PlannerSettings
from cem_planner.stance import NOMINAL_TRUNK, trunk_rotation
from go2_piper_description.joints import ARM_SLICE, joint_array
from go2_piper_description.kinematics import ArmKinematics

SETTINGS = PlannerSettings()
HOME = np.r_[np.zeros(6), joint_array("stand")[ARM_SLICE]]


def problem(goal: Goal, command: np.ndarray = HOME, offset: np.ndarray | None = None) -> Problem:
    state = PlanState(command, np.zeros(12))
    return Problem(state, goal, command, np.zeros(12) if offset is None else offset, np.zeros((4, 3)))


def settle(prior: IkPrior, goal: Goal, offset: np.ndarray | None = None) -> np.ndarray:
    """Follow the proposals as if they were executed exactly, and return the command at the end."""
    command = HOME
    for _ in range(400):
        command = prior.knots(problem(goal, command, offset))[1]
    return command


def errors(goal: Goal, place: np.ndarray) -> tuple[float, float]:
    pose, turn = ArmKinematics().ee_transform(place[6:]), trunk_rotation(place)
    distance = np.linalg.norm(turn @ pose[:3, 3] + place[:3] + NOMINAL_TRUNK - goal.position)
    cosine = (np.trace((turn @ pose[:3, :3]).T @ goal.rotation) - 1.0) / 2.0
    return float(distance), float(np.arccos(np.clip(cosine, -1.0, 1.0)))


def test_finds_poses_of_all_branches_and_goals_beyond_the_arm() -> None:
    sampler = GoalSampler(3)
    prior = IkPrior(SETTINGS)
    for goal in sampler.reachable(12):
        for _ in range(70):
            prior.knots(problem(goal))
        distance, angle = errors(goal, prior.solution)
        assert distance < 1e-3 and angle < 0.01
    for goal in sampler.beyond(6):
        for _ in range(70):
            prior.knots(problem(goal))
        distance, _ = errors(goal, prior.solution)
        assert distance < 2e-3
        assert np.all(np.abs(prior.solution[:2]) <= [0.08, 0.06])


def test_begins_at_the_command_and_keeps_its_rates() -> None:
    goal = GoalSampler(4).reachable(1)[0]
    prior = IkPrior(SETTINGS, slew=np.full(12, 0.01))
    knots = prior.knots(problem(goal))
    assert knots.shape == (4, 12)
    assert np.allclose(knots[0], HOME)
    assert np.max(np.abs(np.diff(knots, axis=0))) <= 0.01 * 0.5 / 3 + 1e-12


def test_at_the_goal_it_rests_there() -> None:
    turn, pose = trunk_rotation(HOME), ArmKinematics().ee_transform(HOME[6:])
    goal = Goal(turn @ pose[:3, 3] + NOMINAL_TRUNK, turn @ pose[:3, :3], 0.3)
    assert np.allclose(settle(IkPrior(SETTINGS), goal), HOME, atol=5e-3)


def test_offset_is_taken_off_the_command() -> None:
    goal = GoalSampler(5).reachable(1)[0]
    offset = np.r_[np.zeros(6), np.full(6, 0.05)]
    prior = IkPrior(SETTINGS)
    for _ in range(70):
        prior.knots(problem(goal))
    near = prior.solution - offset
    assert np.allclose(prior.knots(problem(goal, near, offset))[-1], near, atol=1e-6)


def test_same_calls_give_the_same_proposals() -> None:
    goals = GoalSampler(6).reachable(2)
    one, two = IkPrior(SETTINGS), IkPrior(SETTINGS)
    for goal in goals:
        assert np.array_equal(one.knots(problem(goal)), two.knots(problem(goal)))
    one.reset()
    two.reset()
    assert np.array_equal(one.knots(problem(goals[0])), two.knots(problem(goals[0])))


def test_jacobian_equals_differences() -> None:
    prior = IkPrior(SETTINGS)
    goal = GoalSampler(7).reachable(1)[0]
    place = np.random.default_rng(0).uniform(-0.2, 0.2, (1, 12)) + HOME
    error, jacobian = prior._errors(goal, place)
    for index in range(12):
        step = np.zeros(12)
        step[index] = 1e-6
        moved, _ = prior._errors(goal, place + step)
        assert np.allclose(-(moved - error)[0, :3] / 1e-6, jacobian[0, :3, index], atol=1e-5)


def test_a_goal_that_wanders_is_followed_by_the_best_solution_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    refined: list[int] = []
    refine = IkPrior._refine

    def counted(prior: IkPrior, goal: Goal) -> None:
        refined.append(len(prior._trial))
        refine(prior, goal)

    monkeypatch.setattr(IkPrior, "_refine", counted)
    goal = GoalSampler(9).reachable(1)[0]
    prior = IkPrior(SETTINGS)
    for _ in range(70):
        prior.knots(problem(goal))
    refined.clear()
    for turn in range(1, 101):  # 0.2 m/s at 50 Hz, there and back
        side = 0.004 * (turn if turn <= 50 else 100 - turn)
        moved = Goal(goal.position + [0.0, side, 0.0], goal.rotation, goal.orientation_weight)
        count = len(refined)
        prior.knots(problem(moved))
        assert refined[count:] == [1]
        assert errors(moved, prior.solution)[0] < 5e-4
    prior.knots(problem(Goal(goal.position + [0.0, 0.06, 0.0], goal.rotation, goal.orientation_weight)))
    assert refined[-1] > 1, "a jump tries the other branches"


def test_a_goal_that_wandered_far_tries_the_branches_anew() -> None:
    goal = GoalSampler(9).reachable(1)[0]
    prior = IkPrior(SETTINGS)
    for _ in range(70):
        prior.knots(problem(goal))
    seeds = [prior._seeded]
    for turn in range(1, 71):
        moved = Goal(goal.position - [0.0, 0.004 * turn, 0.0], goal.rotation, goal.orientation_weight)
        prior.knots(problem(moved))
        if prior._seeded is not seeds[-1]:
            seeds.append(prior._seeded)
    assert len(seeds) == 2
