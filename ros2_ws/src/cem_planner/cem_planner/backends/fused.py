"""One iteration of the search as a single JAX function: samples, rollouts, elites and update, with no way back to
Python between them.

The formulas are those of `cem.py`, and are tested to be equal. Everything that changes between plans is an argument,
and so are the box and the limits of sigma, in which planners over one backend differ; samples, elites, knots and
smoothing are constants of the executable.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array as JaxArray
from jax import lax
from numpy.typing import NDArray

from ..cem import CemUpdate, initial_sigma, layout, ranges
from ..coordinates import NUM_COORDINATES
from ..settings import PlannerSettings
from . import MOST_CENTRES, Iterated, Iteration

CostFunction = Callable[[Any, JaxArray, JaxArray], tuple[JaxArray, JaxArray]]
"""(problem, weights, knots (N, K, 12)) -> costs (N,) and the first sample's goal error at its end, m, ()."""

ErrorFunction = Callable[[Any, JaxArray], JaxArray]
"""(problem, knots (K, 12)) -> distance from the goal at the end, m, ()."""

Arguments = tuple[NDArray[np.float32], NDArray[np.int32], NDArray[np.float32], NDArray[np.float32]]
"""What an iteration starts from, in few arrays since each costs some microseconds of every call: centres, sigma, signs,
ranges and goal error in one row; centre and spread of each sample, (N,); noise, (N, K, 12)."""


def pack(start: Iteration) -> Arguments:
    """Return an iteration's start as arguments of the compiled function."""
    centres = np.zeros((MOST_CENTRES, *start.sigma.shape), np.float32)
    centres[: len(start.centres)] = start.centres
    error = np.full(1, np.inf if start.goal_error is None else start.goal_error, np.float32)
    parts = [centres.ravel(), start.sigma.ravel(), start.signs.ravel(), *start.ranges, error]
    return np.concatenate(parts, dtype=np.float32), start.made_of.centre, start.made_of.spread, start.noise


def unpack(found: tuple[Any, Any], num_knots: int) -> Iterated:
    """Return what the compiled function found."""
    row, ranked = np.asarray(found[0]), np.asarray(found[1])
    mean, sigma, best = row[:-2].reshape(3, num_knots, NUM_COORDINATES)
    elites = ranked[1:][: ranked[0]].astype(np.intp)
    return Iterated(CemUpdate(mean, sigma, best, float(row[-2]), elites), float(row[-1]))


def propose(centres: JaxArray, sigma: JaxArray, lower: JaxArray, upper: JaxArray, start: tuple[Any, ...]) -> JaxArray:
    """Return the samples of one iteration, shape (N, K, 12): `cem.propose`.

    Args:
        centres: shape (MOST_CENTRES, K, 12).
        sigma: shape (K, 12).
        lower: of the box, shape (12,).
        upper: of the box, shape (12,).
        start: centre and spread of each sample, and noise.
    """
    centre, spread, noise = start
    low, high = (jnp.tile(border, noise.shape[1]) for border in (lower, upper))
    flat = [array.reshape(len(array), -1) for array in (noise, centres)]  # vectors of 48 numbers, not of 12
    return jnp.clip(flat[0] * (sigma.ravel() * spread[:, None]) + flat[1][centre], low, high).reshape(noise.shape)


def update(
    settings: PlannerSettings, knots: JaxArray, costs: JaxArray, mean: JaxArray, sigma: JaxArray, floor: JaxArray
) -> tuple[JaxArray, JaxArray, JaxArray, JaxArray, JaxArray, JaxArray]:
    """Return mean, sigma, best knots, best cost, elites and the number of finite costs: `cem.update`."""
    finite = jnp.isfinite(costs)
    count = finite.sum().astype(jnp.int32)
    # of equals top_k takes the first, as the stable sort in NumPy; executables with sort do not serialise after a run
    ranked, elites = lax.top_k(-jnp.where(finite, costs, jnp.inf), settings.num_elites)
    taken = knots[elites]
    # not the first of each: XLA would then take apart what it knows as top_k, and sort all
    best, best_cost = taken[0], -ranked.max()
    # sums of differences and of their squares: XLA would compute the mean anew for each number in a standard deviation
    chosen = taken - mean
    moved, square = chosen.mean(axis=0), (chosen * chosen).mean(axis=0)
    middle, spread = mean + moved, jnp.sqrt(jnp.maximum(square - moved * moved, 0.0))
    low, high = mean + chosen.min(axis=0), mean + chosen.max(axis=0)
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


def iteration_function(
    settings: PlannerSettings, cost: CostFunction, goal_error: ErrorFunction | None = None
) -> Callable[..., tuple[JaxArray, JaxArray]]:
    """Return the pure function `iterate(problem, weights, *pack(start))`; `unpack` reads what it returns.

    Args:
        settings: constants of the executable.
        cost: the rollouts.
        goal_error: where a trajectory ends, for the least sigma; without it the error of the iteration before counts.
    """
    shape, numbers = (settings.num_knots, NUM_COORDINATES), settings.num_knots * NUM_COORDINATES
    borders = np.cumsum([MOST_CENTRES * numbers, numbers, numbers, *[NUM_COORDINATES] * 4])

    def iterate(problem: Any, weights: JaxArray, row: JaxArray, *start: JaxArray) -> tuple[JaxArray, JaxArray]:
        centres, sigma, signs, lower, upper, most, far, known = jnp.split(row, borders)
        centres, sigma, signs = centres.reshape(MOST_CENTRES, *shape), sigma.reshape(shape), signs.reshape(shape)
        error = known[0] if goal_error is None else goal_error(problem, centres[0])
        floor = far * jnp.clip(error / settings.floor_distance, settings.floor_near, 1.0)
        sigma = jnp.minimum(jnp.maximum(sigma, floor), most)
        knots = propose(centres, sigma * signs, lower, upper, start)
        costs, reached = cost(problem, weights, knots)
        mean, new_sigma, best, best_cost, elites, count = update(settings, knots, costs, centres[0], sigma, floor)
        if goal_error is not None:
            reached = error
        found = [mean.ravel(), new_sigma.ravel(), best.ravel(), jnp.stack([best_cost, reached])]
        return jnp.concatenate(found), jnp.concatenate([count[None], elites])

    return iterate


def example_start(settings: PlannerSettings) -> Iteration:
    """Return a start of the right shapes, with noise, to compile with and to compare outputs of executables."""
    shape = (settings.num_knots, NUM_COORDINATES)
    wide = ranges(settings)
    mean = np.tile((wide.lower + wide.upper) / 2, (1, settings.num_knots, 1))
    noise = np.random.default_rng(0).standard_normal((settings.num_samples, *shape), dtype=np.float32)
    made_of = layout(settings.num_samples, 1, (), 0.0, 1.0)
    return Iteration(mean, made_of, initial_sigma(settings), noise, np.ones(shape, np.float32), None, wide)
