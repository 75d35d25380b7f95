"""The way to another branch of the arm: taken only where the search rests in a worse one and the way is free."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from cem_planner import guide as guide_module
from cem_planner.goal_sampler import GoalSampler
from cem_planner.guide import POSTURE_FACTOR, REST_TIME, Guide
from cem_planner.ik_prior import IkPrior
from cem_planner.problem import Goal, Problem
from cem_planner.settings import PlannerSettings
from go2_piper_description.joints import ARM_SLICE, joint_array

from .test_ik_prior import HOME, problem

SETTINGS = PlannerSettings()
STUCK = np.r_[np.zeros(6), -0.45, 1.57, -2.08, 0.13, -0.75, 1.74]
"""Where the search stayed with the goal below, m and rad."""
PLANS = round(REST_TIME / SETTINGS.period) + 5


@pytest.fixture(scope="module")
def goal() -> Goal:
    return GoalSampler(0).reachable(7)[6]


def prepared(guide: Guide, goal: Goal, command: np.ndarray, plans: int = 40) -> tuple[Problem, np.ndarray]:
    """What the last of some plans is made of, while the command rests."""
    for _ in range(plans):
        found = guide.prepare(problem(goal, command))
    return found


def started(goal: Goal) -> Guide:
    """A guide that knows the goal's branch, as inverse kinematics finds it from the stand pose."""
    guide = Guide(SETTINGS)
    prepared(guide, goal, HOME, plans=2)
    for _ in range(70):
        guide.prior.knots(problem(goal, HOME))
    return guide


def follow(guide: Guide, goal: Goal, command: np.ndarray, plans: int) -> np.ndarray:
    """Return the command after some plans that take the prior as it is."""
    for _ in range(plans):
        aimed, knots = guide.prepare(problem(goal, command))
        command = command + 0.12 * (knots[1] - command)  # a period's share of the first piece
    return command


def test_out_of_a_branch_that_cannot_take_the_goal(goal: Goal) -> None:
    guide = started(goal)
    aimed, knots = prepared(guide, goal, STUCK, PLANS)
    assert guide.on_the_way
    assert aimed.goal.posture_factor == POSTURE_FACTOR
    way = guide.prior.solution - STUCK
    assert np.max(np.abs(way)) > 1.0
    share = (aimed.goal.posture - STUCK[6:]) / way[6:]
    assert np.allclose(share, share[0]) and 0.1 < share[0] < 0.9, "straight, and not all at once"
    position, rotation = guide.prior.pose((STUCK + share[0] * way)[None])
    assert np.allclose(aimed.goal.position, position[0]) and np.allclose(aimed.goal.rotation, rotation[0])
    assert np.allclose(knots[0], STUCK) and np.allclose(knots[-1, 6:], aimed.goal.posture)
    end = follow(guide, goal, STUCK, 300)
    assert not guide.on_the_way
    assert guide.prior.left(goal, end[None])[0] < 0.03, "from where the search goes on by itself"


def test_at_rest_only(goal: Goal) -> None:
    guide = started(goal)
    for turn in range(PLANS):
        guide.prepare(problem(goal, STUCK + 0.01 * turn))
    assert not guide.on_the_way


def test_only_where_the_solution_is_better() -> None:
    free = Goal(np.array([0.45, 0.1, 0.5]))
    guide = started(free)
    place = guide.prior.solution.copy()
    place[11] += 1.0  # the last joint turns the gripper about its own axis: far, and as good
    aimed, _ = prepared(guide, free, place, PLANS)
    assert not guide.on_the_way and aimed.goal is free


def test_not_through_the_trunk_or_the_floor(goal: Goal, monkeypatch: pytest.MonkeyPatch) -> None:
    guide = started(goal)
    monkeypatch.setattr(IkPrior, "hindrance", lambda self, places: np.r_[np.zeros(len(places) - 1), 1.0])
    prepared(guide, goal, STUCK, PLANS)
    assert not guide.on_the_way


def test_hindrance_is_trunk_and_floor() -> None:
    prior = IkPrior(SETTINGS)
    low, inside = HOME.copy(), HOME.copy()
    low[6:9] = 0.0, 2.9, -0.9  # stretched down in front of the feet
    inside[6:9] = 0.0, 0.0, -2.9
    found = prior.hindrance(np.stack([np.r_[np.zeros(6), 0.0, 1.5, -1.5, 0.0, 0.0, 0.0], low, inside]))
    assert found[0] == 0.0 and found[1] > guide_module.HINDRANCE and found.shape == (3,)


def test_a_way_that_leads_nowhere_is_given_up(goal: Goal) -> None:
    guide = started(goal)
    prepared(guide, goal, STUCK, PLANS)
    assert guide.on_the_way
    aimed, _ = prepared(guide, goal, STUCK, 400)
    assert not guide.on_the_way and aimed.goal is goal, "once for each goal"
    moved = replace(goal, position=goal.position + [0.0, 0.06, 0.0])
    prepared(guide, moved, STUCK, 100)
    guide.reset()
    assert not guide.on_the_way


def test_prior_is_that_of_inverse_kinematics() -> None:
    goal = GoalSampler(4).reachable(1)[0]
    guide, prior = Guide(SETTINGS), IkPrior(SETTINGS)
    for _ in range(3):
        aimed, knots = guide.prepare(problem(goal, HOME))
        assert aimed.goal is goal
        assert np.array_equal(knots, prior.knots(problem(goal, HOME)))
    assert np.array_equal(goal.posture, joint_array("stand")[ARM_SLICE])
