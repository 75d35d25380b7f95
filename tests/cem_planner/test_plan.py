"""A plan is sampled at the present and knows its age; a problem knows whether it can be planned."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from cem_planner.backends import chunks, padded
from cem_planner.plan import Plan, PlanSeconds
from cem_planner.problem import Goal, PlanState, Problem

KNOTS = np.linspace(0.0, 1.0, 4)[:, None] * np.arange(12)


def _plan(kind: str = "linear") -> Plan:
    return Plan(KNOTS, 0.5, kind, 10.0, 1.0, 500, 1, "test", "none", PlanSeconds(), KNOTS, KNOTS)


def _problem() -> Problem:
    state = PlanState(np.zeros(12), np.zeros(12))
    return Problem(state, Goal(np.zeros(3)), np.zeros(12), np.zeros(12), np.zeros((4, 3)))


def test_a_plan_is_sampled_at_times_on_the_clock_of_its_stamp() -> None:
    plan = _plan()
    np.testing.assert_allclose(plan.sample(10.25), 0.5 * np.arange(12), atol=1e-9)
    np.testing.assert_allclose(plan.sample_many(np.array([10.0, 10.1])), np.array([[0.0], [0.2]]) * np.arange(12))
    assert plan.sample(10.1).dtype == np.float64


def test_its_ends_hold() -> None:
    plan = _plan()
    np.testing.assert_array_equal(plan.sample(9.0), KNOTS[0])
    np.testing.assert_array_equal(plan.sample(99.0), KNOTS[-1])


def test_age_counts_from_the_state() -> None:
    assert _plan().age(10.07) == pytest.approx(0.07)
    assert _plan().age(9.99) == pytest.approx(-0.01)


def test_seconds_add_up() -> None:
    assert PlanSeconds(0.001, 0.002, 0.003).total == pytest.approx(0.006)


def test_a_good_problem_has_no_fault() -> None:
    assert _problem().fault() is None


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("name", ["previous_command", "offset", "feet"])
def test_numbers_that_are_not_finite_are_named(name: str, bad: float) -> None:
    value: Any = np.array(getattr(_problem(), name))
    value.flat[3] = bad
    assert f"{name} is not finite" in str(replace(_problem(), **{name: value}).fault())


def test_state_and_goal_that_are_not_finite_are_named() -> None:
    problem, bad = _problem(), np.full(12, np.nan)
    assert "state.position" in str(replace(problem, state=PlanState(bad, np.zeros(12))).fault())
    assert "state.velocity" in str(replace(problem, state=PlanState(np.zeros(12), bad)).fault())
    assert "goal.position" in str(replace(problem, goal=Goal(bad[:3])).fault())
    assert "goal.rotation" in str(replace(problem, goal=Goal(np.zeros(3), np.full((3, 3), np.inf))).fault())
    assert "orientation_weight" in str(replace(problem, goal=Goal(np.zeros(3), np.eye(3), np.nan)).fault())


def test_wrong_shapes_are_named() -> None:
    assert "feet has shape (3, 4): it must be (4, 3)" in str(replace(_problem(), feet=np.zeros((3, 4))).fault())


def test_chunks_cover_all_samples_in_order() -> None:
    assert [(part.start, part.stop) for part in chunks(10, 4)] == [(0, 4), (4, 8), (8, 10)]
    assert list(chunks(0, 4)) == []


def test_padding_repeats_the_last_sample() -> None:
    knots = np.arange(3 * 4 * 12, dtype=np.float32).reshape(3, 4, 12)
    filled = padded(knots, 5)
    np.testing.assert_array_equal(filled[:3], knots)
    np.testing.assert_array_equal(filled[3:], np.stack([knots[-1]] * 2))
    assert padded(knots, 3) is knots
    for count in (0, 2):
        with pytest.raises(ValueError, match="do not fit"):
            padded(knots[: 3 if count else 0], 2)
