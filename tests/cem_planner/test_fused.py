"""An iteration as one JAX function against the one in NumPy, over a cost that is quick to compile."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from cem_planner import cem
from cem_planner.backends import Iterated, Iterates, Iteration
from cem_planner.costs import Weights
from cem_planner.plan import PlanFault
from cem_planner.planner import Planner
from cem_planner.planning import arm_only
from cem_planner.problem import Problem
from cem_planner.settings import PlannerSettings

from tests.cem_planner.bowl import Bowl, FakeClock, problem

jax = pytest.importorskip("jax", reason="jax is not installed: pip install '.[planner]'")

from cem_planner.backends import fused  # noqa: E402

SETTINGS = PlannerSettings(num_samples=60, num_elites=8)
LOWER, UPPER = cem.knot_box(SETTINGS)
ONE, TWO = Weights(ee_position=1.0), Weights(ee_position=2.0)


class FusedBowl(Bowl):
    """A bowl that iterates in one call; the weights' first number scales the cost."""

    def __init__(self, settings: PlannerSettings, clock: FakeClock | None = None) -> None:
        super().__init__(settings.num_samples, clock)
        self.starts: list[Iteration] = []
        self._function = jax.jit(fused.iteration_function(settings, self._cost))
        self.nan = np.float32(0.0)

    def _cost(self, given: Any, weights: Any, knots: Any) -> tuple[Any, Any]:
        scaled = (knots - self.target.astype(np.float32)) / (UPPER - LOWER)
        return weights[0] * (scaled * scaled).sum((-2, -1)) + given, abs(scaled[0, -1]).max()

    def iterate(self, problem: Problem | None, weights: np.ndarray, start: Iteration) -> Iterated:
        """Return what the iteration came to."""
        self.starts.append(start)
        if self.clock is not None:
            self.clock.now += self.seconds(len(self.starts) - 1)
        return fused.unpack(self._function(self.nan, weights, *fused.pack(start)), 4)


def _start(seed: int, priors: int = 0, settings: PlannerSettings = SETTINGS) -> Iteration:
    random = np.random.default_rng(seed)
    middle = (LOWER + UPPER) / 2
    centres = middle + 0.5 * random.uniform(-1, 1, (4, 4, 12)) * (UPPER - LOWER)
    made_of = cem.layout(60, 3, tuple(range(4 - priors, 4)), settings.prior_share, settings.prior_spread)
    noise = random.standard_normal((60, 4, 12)).astype(np.float32)
    signs = random.choice([-1.0, 1.0], (4, 12)).astype(np.float32)
    return Iteration(
        centres.astype(np.float32), made_of, cem.initial_sigma(settings), noise, signs, 0.03, cem.ranges(settings)
    )


def _in_numpy(start: Iteration, bowl: Bowl, settings: PlannerSettings) -> cem.CemUpdate:
    floor = cem.sigma_floor(settings, start.goal_error)
    sigma = np.minimum(np.maximum(start.sigma, floor), cem.initial_sigma(settings))
    lower, upper = cem.knot_box(settings)
    knots = cem.propose(start.centres, sigma * start.signs, start.noise, start.made_of, lower, upper)
    return cem.update(knots, bowl.cost(knots), start.centres[0], sigma, settings, floor)


@pytest.mark.parametrize("priors", [0, 1, 2])
@pytest.mark.parametrize("seed", range(3))
def test_an_iteration_is_that_of_numpy(seed: int, priors: int) -> None:
    backend, start = FusedBowl(SETTINGS), _start(seed, priors)
    wanted, (found, error) = _in_numpy(start, backend, SETTINGS), backend.iterate(None, ONE.array(), start)
    np.testing.assert_array_equal(found.elites, wanted.elites)
    np.testing.assert_allclose(found.mean, wanted.mean, atol=1e-6)
    np.testing.assert_allclose(found.sigma, wanted.sigma, atol=2e-6)
    np.testing.assert_allclose(found.best_knots, wanted.best_knots, atol=1e-6)
    assert found.best_cost == pytest.approx(wanted.best_cost, rel=1e-5)
    first = np.abs((start.centres[0, -1] - backend.target) / (UPPER - LOWER)).max()
    assert error == pytest.approx(first, rel=1e-4)


def test_box_and_limits_of_sigma_are_the_planner_s() -> None:
    """One executable serves plans of the whole body and of the arm alone."""
    backend, settings = FusedBowl(SETTINGS), arm_only(SETTINGS)
    found = backend.iterate(None, ONE.array(), _start(1, settings=settings)).update
    np.testing.assert_allclose(found.mean, _in_numpy(_start(1, settings=settings), backend, settings).mean, atol=1e-6)
    assert np.abs(found.mean[:, :6]).max() < 2e-6


def _costs(case: str) -> np.ndarray:
    costs: np.ndarray = np.random.default_rng(1).uniform(0, 1, 60).astype(np.float32)
    if case == "ties":
        costs = np.round(costs * 4) / np.float32(4.0)
    if case == "holes":
        costs[::2], costs[1] = np.nan, np.inf
    if case == "few":
        costs[5:] = np.nan
    if case == "none":
        costs[:] = np.inf
    return costs


@pytest.mark.parametrize("case", ["plain", "ties", "holes", "few", "none"])
@pytest.mark.parametrize("mean_smoothing", [0.0, 0.4])
def test_the_update_is_that_of_numpy(case: str, mean_smoothing: float) -> None:
    settings = replace(SETTINGS, mean_smoothing=mean_smoothing)
    start, costs, floor = _start(2), _costs(case), cem.sigma_floor(SETTINGS, 0.03)
    knots = cem.propose(start.centres, start.sigma, start.noise, start.made_of, LOWER, UPPER)
    wanted = cem.update(knots, costs, start.centres[0], start.sigma, settings, floor)
    given: Any = (knots, costs, start.centres[0], start.sigma, floor)
    mean, sigma, best, best_cost, elites, count = jax.jit(lambda *these: fused.update(settings, *these))(*given)
    assert int(count) == np.isfinite(costs).sum()
    np.testing.assert_array_equal(np.asarray(elites)[: int(count)], wanted.elites)
    np.testing.assert_allclose(mean, wanted.mean, atol=1e-6)
    np.testing.assert_allclose(sigma, wanted.sigma, atol=2e-6)
    np.testing.assert_array_equal(best, wanted.best_knots)
    assert float(best_cost) == wanted.best_cost


def test_weights_and_problem_are_arguments() -> None:
    backend, start = FusedBowl(SETTINGS), _start(0)
    one = backend.iterate(None, ONE.array(), start)
    two = backend.iterate(None, TWO.array(), start)
    assert two.update.best_cost == pytest.approx(2 * one.update.best_cost, rel=1e-6)
    assert backend._function._cache_size() == 1


# --- the planner ------------------------------------------------------------------------------------------------------


def test_the_planner_plans_with_it_as_it_does_in_chunks() -> None:
    backend = FusedBowl(SETTINGS)
    assert isinstance(backend, Iterates)
    planner, other = Planner(SETTINGS, backend, ONE), Planner(SETTINGS, Bowl(60))
    prior = np.tile(backend.target, (4, 1)) + 0.1
    for turn in range(20):
        plan = planner.plan(problem(), 0.02 * turn, priors=[prior])
    for turn in range(20):
        other.plan(problem(), 0.02 * turn, priors=[prior])
    assert other.last is not None and not backend.seen
    # the bowl in chunks knows no goal error, so that its floor stays
    assert plan.samples_used == 60 and plan.iterations_used == 1 and not plan.missed
    assert abs(plan.cost - other.last.cost) < 0.05 * backend.cost(problem().previous_command[None, None])[0] * 4


def test_between_iterations_the_deadline_counts() -> None:
    clock = FakeClock()
    settings = replace(SETTINGS, iterations=4)
    backend = FusedBowl(settings, clock)
    backend.seconds = lambda call: 0.004
    planner = Planner(settings, backend, ONE, clock=clock)
    planner.warm_up(problem())
    plan = planner.plan(problem(), 0.0, 0.0125)
    assert plan.iterations_used == 3 and plan.samples_used == 180 and not plan.missed
    assert planner.plan(problem(), 0.02, 0.001).missed


def test_the_floor_shrinks_near_the_goal_an_iteration_later_and_reset_forgets_that() -> None:
    backend = FusedBowl(SETTINGS)
    planner = Planner(SETTINGS, backend, ONE)
    for turn in range(60):
        plan = planner.plan(problem(), 0.02 * turn)
    assert backend.starts[0].goal_error is None
    assert (backend.starts[-1].goal_error or 1.0) < 0.1
    assert (plan.sigma < cem.sigma_floor(SETTINGS, None)).any()
    planner.reset()
    planner.plan(problem(), 0.0)
    assert backend.starts[-1].goal_error is None
    np.testing.assert_array_equal(backend.starts[-1].noise, backend.starts[0].noise)


def test_without_a_finite_cost_it_is_a_fault_and_the_plan_before_stays() -> None:
    backend = FusedBowl(SETTINGS)
    planner = Planner(SETTINGS, backend, ONE)
    before = planner.plan(problem(), 0.0)
    backend.nan = np.float32(np.nan)
    with pytest.raises(PlanFault, match="none of 60 samples has a finite cost"):
        planner.plan(problem(), 0.02)
    assert planner.last is before
