"""The search as one JAX function against the one in NumPy, over a cost that is quick to compile."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from cem_planner import cem
from cem_planner.costs import Weights
from cem_planner.plan import PlanFault
from cem_planner.planner import Planner
from cem_planner.settings import PlannerSettings

from tests.cem_planner.bowl import Bowl, problem

jax = pytest.importorskip("jax", reason="jax is not installed: pip install '.[planner]'")

from cem_planner.backends import fused  # noqa: E402

SETTINGS = PlannerSettings(num_samples=60, num_elites=8)
LOWER, UPPER = cem.knot_box(SETTINGS)
ONE, TWO = Weights(ee_position=1.0), Weights(ee_position=2.0)
FLOOR = cem.sigma_floor(SETTINGS, 0.03)


class FusedBowl(Bowl):
    """A bowl whose search is one function as well; the weights' first number scales the cost."""

    def __init__(self, settings: PlannerSettings) -> None:
        super().__init__(settings.num_samples)
        self.starts: list[fused.Search] = []
        self._function = jax.jit(fused.search_function(settings, self._cost))
        self.nan = np.float32(0.0)

    def _cost(self, given: Any, weights: Any, knots: Any) -> tuple[Any, Any]:
        scaled = (knots - self.target.astype(np.float32)) / (UPPER - LOWER)
        costs = weights[0] * (scaled * scaled).sum((-2, -1)) + given
        return costs, abs(scaled[:, -1]).max(-1)

    def search(self, problem: Any, weights: np.ndarray, start: fused.Search) -> fused.Found:
        """Return what the search came to."""
        self.starts.append(start)
        return jax.device_get(self._function(self.nan, weights, start))


def _start(seed: int, prior: bool) -> fused.Search:
    random = np.random.default_rng(seed)
    middle = (LOWER + UPPER) / 2
    candidates = middle + 0.5 * random.uniform(-1, 1, (4, 4, 12)) * (UPPER - LOWER)
    start = fused.example_search(SETTINGS)
    return start._replace(
        mean=candidates[0].astype(np.float32), candidates=candidates.astype(np.float32), floor=FLOOR,
        has_prior=np.float32(prior), noise=random.standard_normal(start.noise.shape).astype(np.float32),
        signs=random.choice([-1.0, 1.0], start.signs.shape).astype(np.float32),
    )  # fmt: skip


@pytest.mark.parametrize("prior", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_samples_are_those_of_numpy(seed: int, prior: bool) -> None:
    start = _start(seed, prior)
    found = fused.propose(SETTINGS, start, start.noise[0], start.signs[0])
    wanted = cem.propose(
        start.mean, start.sigma * start.signs[0], start.noise[0], start.candidates, LOWER, UPPER,
        start.candidates[-1] if prior else None, SETTINGS.prior_share, SETTINGS.prior_spread,
    )  # fmt: skip
    np.testing.assert_allclose(found, wanted, atol=1e-6)
    assert (np.asarray(found) == UPPER).any() or (np.asarray(found) == LOWER).any()


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
    start, costs = _start(2, False), _costs(case)
    knots: Any = np.asarray(fused.propose(SETTINGS, start, start.noise[0], start.signs[0]))
    floor: Any = FLOOR
    wanted = cem.update(knots, costs, start.mean, start.sigma, settings, FLOOR)
    mean, sigma, best, best_cost, elites, count = fused.update(
        settings, knots, jax.numpy.asarray(costs), start.mean, start.sigma, floor
    )
    assert int(count) == np.isfinite(costs).sum()
    np.testing.assert_array_equal(np.asarray(elites)[: int(count)], wanted.elites)
    np.testing.assert_allclose(mean, wanted.mean, atol=1e-6)
    np.testing.assert_allclose(sigma, wanted.sigma, atol=1e-6)
    np.testing.assert_array_equal(best, wanted.best_knots)
    assert float(best_cost) == wanted.best_cost


def test_a_whole_search_is_that_of_numpy_step_by_step() -> None:
    settings = replace(SETTINGS, iterations=3)
    backend, start = FusedBowl(settings), _start(4, True)
    random = np.random.default_rng(5)
    noise = random.standard_normal((3, 60, 4, 12)).astype(np.float32)
    start = start._replace(noise=noise, signs=np.ones((3, 4, 12), np.float32))
    found = backend.search(None, ONE.array(), start)
    mean, sigma, best, cost, candidates = start.mean, start.sigma, start.mean, np.inf, start.candidates
    for turn in range(3):
        sigma = np.minimum(np.maximum(sigma, FLOOR), cem.initial_sigma(settings))
        knots = cem.propose(mean, sigma, noise[turn], candidates, LOWER, UPPER, start.candidates[-1],
                            settings.prior_share, settings.prior_spread)  # fmt: skip
        costs = backend.cost(knots)
        step = cem.update(knots, costs, mean, sigma, settings, FLOOR)
        if step.best_cost <= cost:
            best, cost = step.best_knots, step.best_cost
        mean, sigma = step.mean, step.sigma
        candidates = np.stack([mean, best, mean, start.candidates[-1]])
    np.testing.assert_allclose(found.mean, mean, atol=1e-5)
    np.testing.assert_allclose(found.sigma, sigma, atol=1e-5)
    np.testing.assert_allclose(found.best_knots, best, atol=1e-6)
    assert found.best_cost == pytest.approx(cost, rel=1e-5)
    np.testing.assert_array_equal(found.elites, step.elites)


def test_weights_and_problem_are_arguments() -> None:
    backend, start = FusedBowl(SETTINGS), _start(0, False)
    one = backend.search(None, ONE.array(), start)
    two = backend.search(None, TWO.array(), start)
    np.testing.assert_allclose(two.costs, 2 * one.costs, rtol=1e-6)
    assert backend._function._cache_size() == 1


# --- the planner ------------------------------------------------------------------------------------------------------


def _planner(settings: PlannerSettings = SETTINGS) -> tuple[fused.FusedPlanner, FusedBowl]:
    backend = FusedBowl(settings)
    return fused.FusedPlanner(settings, backend, backend, ONE), backend


def test_it_plans_as_the_planner_does() -> None:
    """The same noise, the same warm start: only missing candidates are stood in for, which moves single samples."""
    planner, backend = _planner()
    other = Planner(SETTINGS, Bowl(60))
    for turn in range(40):
        plan, wanted = planner.plan(problem(), 0.02 * turn), other.plan(problem(), 0.02 * turn)
    assert plan.samples_used == 60 and plan.iterations_used == 1 and not plan.missed
    start = backend.cost(problem().previous_command + np.zeros((1, 4, 12)))[0]
    assert backend.cost(plan.knots[None])[0] < 0.1 * start
    assert abs(plan.cost - wanted.cost) < 0.05 * start


def test_a_good_prior_is_taken_at_once_and_a_bad_one_is_left_out() -> None:
    planner, backend = _planner()
    plan = planner.plan(problem(), 0.0, prior=np.tile(backend.target, (4, 1)))
    np.testing.assert_allclose(plan.best, np.tile(backend.target, (4, 1)), atol=1e-6)
    assert backend.starts[-1].has_prior == 1.0
    planner.plan(problem(), 0.02, prior=np.full((4, 12), np.nan))
    assert backend.starts[-1].has_prior == 0.0 and planner.priors_refused == 1


def test_the_floor_shrinks_near_the_goal_a_plan_later_and_reset_forgets_that() -> None:
    planner, backend = _planner()
    for turn in range(60):
        planner.plan(problem(), 0.02 * turn)
    np.testing.assert_array_equal(backend.starts[0].floor, cem.sigma_floor(SETTINGS, None))
    assert (backend.starts[-1].floor < cem.sigma_floor(SETTINGS, None)).all()
    planner.reset()
    planner.plan(problem(), 0.0)
    np.testing.assert_array_equal(backend.starts[-1].floor, backend.starts[0].floor)
    np.testing.assert_array_equal(backend.starts[-1].noise, backend.starts[0].noise)


def test_without_a_finite_cost_it_is_a_fault_and_the_plan_before_stays() -> None:
    planner, backend = _planner()
    before = planner.plan(problem(), 0.0)
    backend.nan = np.float32(np.nan)
    with pytest.raises(PlanFault, match="none of 60 samples has a finite cost"):
        planner.plan(problem(), 0.02)
    assert planner.last is before
