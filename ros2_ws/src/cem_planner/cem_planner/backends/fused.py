"""The search of one plan as a single JAX function: samples, rollouts, elites and update, without a way back to Python.

The formulas are those of `cem.py` and of `Planner`, and are tested to be equal. Everything that changes between plans
is an argument; samples, elites, knots, iterations, smoothing and box are constants of the executable.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import jax.numpy as jnp
import numpy as np
from jax import Array as JaxArray
from jax import lax

from ..cem import CemUpdate, Numbers, initial_sigma, knot_box, prior_rows
from ..costs import Weights
from ..plan import PlanFault
from ..planner import Planner, _Search
from ..problem import Problem
from ..settings import PlannerSettings
from . import Backend

CANDIDATES = 4
"""Of an iteration: shifted mean, shifted best, command in force, prior. Where one is missing the mean stands in."""

CostFunction = Callable[[Any, JaxArray, JaxArray], tuple[JaxArray, JaxArray]]
"""(problem, weights, knots (n, K, 12)) -> costs (n,) and distances from the goal at the rollouts' ends, m, (n,)."""


class Search(NamedTuple):
    """What a search starts from; float32 arrays."""

    mean: Any
    """shape (K, 12)."""
    sigma: Any
    """shape (K, 12)."""
    floor: Any
    """Least sigma, shape (12,)."""
    candidates: Any
    """shape (CANDIDATES, K, 12); the last is the prior."""
    has_prior: Any
    """1 where a share of the samples is to be drawn around the last candidate, else 0; shape ()."""
    noise: Any
    """Standard normal, shape (iterations, N, K, 12)."""
    signs: Any
    """Of sigma, 1 or -1, shape (iterations, K, 12)."""


class Found(NamedTuple):
    """What it came to."""

    mean: Any
    sigma: Any
    best_knots: Any
    best_cost: Any
    """Infinite where no cost was finite."""
    goal_error: Any
    """Of the first sample of the last iteration, m."""
    elites: Any
    """Indices in the last iteration, best first, shape (num_elites,); meaningful up to `finite`."""
    finite: Any
    """Finite costs in the last iteration, int32."""
    costs: Any
    """Of the last iteration, shape (N,)."""


def propose(settings: PlannerSettings, start: Search, noise: JaxArray, signs: JaxArray) -> JaxArray:
    """Return the samples of one iteration, shape (N, K, 12): `cem.propose` with CANDIDATES candidates."""
    lower, upper = knot_box(settings)
    sigma = start.sigma * signs
    knots = start.mean + sigma * noise
    around = np.zeros(settings.num_samples, bool)
    around[prior_rows(min(CANDIDATES, settings.num_samples), settings.num_samples, settings.prior_share)] = True
    near = start.candidates[-1] + settings.prior_spread * sigma * noise
    knots = jnp.where(jnp.logical_and(around[:, None, None], start.has_prior > 0), near, knots)
    first = min(CANDIDATES, settings.num_samples)
    knots = knots.at[:first].set(start.candidates[:first])
    return jnp.clip(knots, lower, upper)


def update(
    settings: PlannerSettings, knots: JaxArray, costs: JaxArray, mean: JaxArray, sigma: JaxArray, floor: JaxArray
) -> tuple[JaxArray, JaxArray, JaxArray, JaxArray, JaxArray, JaxArray]:
    """Return mean, sigma, best knots, best cost, elites and the number of finite costs: `cem.update`."""
    finite = jnp.isfinite(costs)
    count = finite.sum().astype(jnp.int32)
    # of equals top_k takes the first, as the stable sort in NumPy; executables with sort do not serialise after a run
    ranked, elites = lax.top_k(-jnp.where(finite, costs, jnp.inf), settings.num_elites)
    best, best_cost = knots[elites[0]], -ranked[0]
    chosen = knots[elites]
    middle, spread = chosen.mean(axis=0), chosen.std(axis=0)
    low, high = chosen.min(axis=0), chosen.max(axis=0)
    if settings.mean_smoothing > 0.0:
        middle = middle + settings.mean_smoothing * (mean - middle)
        low, high = jnp.minimum(low, mean), jnp.maximum(high, mean)
    new_sigma = jnp.maximum((1.0 - settings.smoothing) * spread + settings.smoothing * sigma, floor)
    kept = jnp.maximum(sigma, floor)
    whole, some = count >= settings.num_elites, count > 0
    new_mean = jnp.where(whole, jnp.clip(middle, low, high), jnp.where(some, best, mean))
    return (
        new_mean, jnp.where(whole, new_sigma, kept), jnp.where(some, best, mean), best_cost,
        elites.astype(jnp.int32), count,
    )  # fmt: skip


def search_function(settings: PlannerSettings, cost: CostFunction) -> Callable[[Any, JaxArray, Search], Found]:
    """Return the pure function `search(problem, weights, start) -> Found`.

    Args:
        settings: constants of the executable.
        cost: the rollout.
    """
    most = initial_sigma(settings)

    def search(problem: Any, weights: JaxArray, start: Search) -> Found:
        def turn(carry: tuple[Any, ...], given: tuple[JaxArray, JaxArray]) -> tuple[tuple[Any, ...], None]:
            mean, sigma, best, best_cost, candidates, *_ = carry
            sigma = jnp.minimum(jnp.maximum(sigma, start.floor), most)
            knots = propose(settings, start._replace(mean=mean, sigma=sigma, candidates=candidates), *given)
            costs, errors = cost(problem, weights, knots)
            mean, sigma, new, new_cost, elites, count = update(settings, knots, costs, mean, sigma, start.floor)
            best = jnp.where(new_cost <= best_cost, new, best)
            best_cost = jnp.minimum(new_cost, best_cost)
            candidates = jnp.stack([mean, best, mean, start.candidates[-1]])
            return (mean, sigma, best, best_cost, candidates, errors[0], elites, count, costs), None

        first = (
            start.mean, start.sigma, start.mean, jnp.float32(jnp.inf), start.candidates, jnp.float32(0.0),
            jnp.zeros(settings.num_elites, jnp.int32), jnp.int32(0), jnp.zeros(settings.num_samples, jnp.float32),
        )  # fmt: skip
        end, _ = lax.scan(turn, first, (start.noise, start.signs))
        mean, sigma, best, best_cost, _, error, elites, count, costs = end
        return Found(mean, sigma, best, best_cost, error, elites, count, costs)

    return search


def example_search(settings: PlannerSettings) -> Search:
    """Return a start of the right shapes, to compile with."""
    shape = (settings.num_knots, 12)
    zeros = np.zeros(shape, np.float32)
    return Search(
        zeros, initial_sigma(settings), np.full(12, 1e-3, np.float32), np.zeros((CANDIDATES, *shape), np.float32),
        np.zeros((), np.float32), np.zeros((settings.iterations, settings.num_samples, *shape), np.float32),
        np.ones((settings.iterations, *shape), np.float32),
    )  # fmt: skip


class FusedBackend(Protocol):
    """A backend whose whole search is one call."""

    def search(self, problem: Problem, weights: np.ndarray, start: Search) -> Found:
        """Return what a search came to, as arrays."""


class FusedPlanner(Planner):
    """A `Planner` that searches in one call of the backend: for GPUs, where each way back to Python costs more than it
    is worth. All samples or none: a deadline only says whether it was missed.
    """

    def __init__(
        self,
        settings: PlannerSettings,
        backend: Backend,
        fused: FusedBackend,
        weights: Weights | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        """Prepare, as `Planner`.

        Args:
            settings: what to search; the executable's.
            backend: for name and rung.
            fused: the same backend, for its search.
            weights: of the cost terms.
            clock: s.
        """
        self._fused = fused
        super().__init__(settings, backend, weights, clock)
        self._knows_error = None  # the search says it itself, a plan later
        self._error: float | None = None

    def reset(self) -> None:
        """Forget the plan before."""
        super().reset()
        self._error = None

    def _goal_error(self, problem: Problem, mean: Numbers) -> float | None:
        return self._error

    def _search(
        self,
        problem: Problem,
        until: float,
        mean: Numbers,
        best: Numbers | None,
        sigma: Numbers,
        floor: Numbers,
        prior: Numbers | None,
    ) -> _Search:
        spare = mean if best is None else best
        candidates = np.stack([mean, spare, self._held(problem), mean if prior is None else prior])
        drawn = [self._noise.draw() for _ in range(self.settings.iterations)]
        noise, signs = (np.stack([pair[part] for pair in drawn]) for part in (0, 1))
        has_prior = np.asarray(prior is not None, np.float32)
        start = Search(mean, sigma, floor, candidates.astype(np.float32), has_prior, noise, signs)
        found = self._fused.search(problem, self._weight_array, start)
        cost, samples = float(found.best_cost), self.settings.num_samples * self.settings.iterations
        if not math.isfinite(cost):
            raise PlanFault(
                f"plan: none of {samples} samples has a finite cost (backend {self.backend.name}, {self.backend.rung})"
            )
        self._error = float(found.goal_error)
        elites = np.asarray(found.elites)[: int(found.finite)].astype(np.intp)
        result = CemUpdate(np.asarray(found.mean), np.asarray(found.sigma), np.asarray(found.best_knots), cost, elites)
        return _Search(result, samples, self.settings.iterations)
