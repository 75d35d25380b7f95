"""A quick planner's plan as the centre of an exact one's samples."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from cem_planner.centred import CentredPlanner, centred_settings
from cem_planner.costs import Weights
from cem_planner.plan import PlanFault
from cem_planner.planner import Planner
from cem_planner.settings import PlannerSettings, SettingsError

from tests.cem_planner.bowl import Bowl, FakeClock, problem

SETTINGS = PlannerSettings()
EXACT = centred_settings(SETTINGS)


def _centred(clock: FakeClock | None = None) -> tuple[CentredPlanner, Bowl, Bowl]:
    quick, exact = Bowl(100, clock, 0.001), Bowl(8, clock, 0.005)
    more = {"clock": clock} if clock is not None else {}
    return (
        CentredPlanner(Planner(SETTINGS, quick, **more), Planner(EXACT, exact, **more), **more),  # type: ignore[arg-type]
        quick,
        exact,
    )


def test_the_quick_plan_is_among_the_exact_planner_s_first_samples() -> None:
    centred, _, exact = _centred()
    alone = Planner(SETTINGS, Bowl())
    wanted, plan = alone.plan(problem(), 0.0), centred.plan(problem(), 0.0)
    first = exact.seen[0]
    assert np.abs(first - wanted.knots).max(axis=(1, 2)).min() < 1e-6
    near = np.abs(np.concatenate(exact.seen) - wanted.knots)[:, :, :3].max(axis=(1, 2))
    assert (near < 0.5 * 0.01 * 5).mean() > 0.8
    assert plan.backend == "bowl" and plan.samples_used == EXACT.num_samples


def test_the_exact_cost_decides() -> None:
    centred, quick, exact = _centred()
    quick.target = exact.target + 0.2  # a model that is wrong by that
    plans = [centred.plan(problem(), 0.02 * turn) for turn in range(60)]
    alone = Planner(SETTINGS, quick)
    other = [alone.plan(problem(), 0.02 * turn) for turn in range(60)]
    assert exact.cost(plans[-1].knots[None])[0] < exact.cost(other[-1].knots[None])[0]


def test_without_an_exact_plan_there_is_the_quick_one() -> None:
    centred, quick, exact = _centred()
    exact.spoil = lambda costs: np.full_like(costs, np.nan)
    plan = centred.plan(problem(), 0.0)
    np.testing.assert_array_equal(plan.knots, Planner(SETTINGS, Bowl()).plan(problem(), 0.0).knots)
    quick.spoil = exact.spoil
    with pytest.raises(PlanFault):
        centred.plan(problem(), 0.02)


def test_the_exact_planner_has_the_time_that_is_left() -> None:
    clock = FakeClock()
    centred, _, exact = _centred(clock)
    centred.warm_up(problem())
    exact.calls.clear()
    begin = clock.now
    plan = centred.plan(problem(), 0.0, 0.0165)  # 5 ms for the quick one, 5 ms for each chunk
    assert len(exact.calls) == 2 and plan.samples_used == 16 and not plan.missed
    assert clock.now <= begin + 0.0165
    assert plan.seconds.total == pytest.approx(0.015)
    assert centred.plan(problem(), 0.02, 0.008).missed


def test_reset_and_weights_go_to_both() -> None:
    centred, quick, exact = _centred()
    first = centred.plan(problem(), 0.0)
    assert centred.last is not None
    centred.reset()
    assert centred.last is None and centred.quick.last is None
    np.testing.assert_array_equal(centred.plan(problem(), 0.0).knots, first.knots)
    centred.weights = replace(Weights(), clearance=7.0)
    centred.plan(problem(), 0.02)
    np.testing.assert_array_equal(quick.weights[-1], centred.weights.array())
    np.testing.assert_array_equal(exact.weights[-1], centred.weights.array())


@pytest.mark.parametrize("change", [{"num_knots": 5}, {"plan_horizon": 0.4}, {"spline": "cubic"}])
def test_planners_whose_knots_differ(change: dict[str, object]) -> None:
    other = replace(EXACT, **change)  # type: ignore[arg-type]
    with pytest.raises(SettingsError, match=next(iter(change))):
        CentredPlanner(Planner(SETTINGS, Bowl()), Planner(other, Bowl()))
