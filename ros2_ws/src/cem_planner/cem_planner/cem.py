"""The cross-entropy method over knots, in NumPy: propose samples, take the best, move mean and sigma.

All functions are pure; noise comes from outside, so that backends can be compared sample by sample. Backends in JAX
have the same formulas inside of their executables (`backends/fused.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from go2_piper_description.joints import ARM_SLICE, joint_array
from numpy.typing import NDArray

from .coordinates import ARM_SLICE_12, NUM_COORDINATES, TRUNK_POSITION_SLICE, TRUNK_ROTATION_SLICE
from .settings import PlannerSettings

Numbers = NDArray[np.floating]
"""Knots and what belongs to them. The planner's are of single precision: half the time, and a micrometre here."""

POOL_NUMBERS = 4_000_000
"""Of the noise pool, 16 MB; at least twice the noise of one iteration."""

MOST_AROUND_PRIORS = 0.8
"""Of the samples, where there are several priors; a single one may have more."""


@dataclass(frozen=True)
class CemUpdate:
    """What one iteration learnt."""

    mean: Numbers
    """m and rad, shape (K, 12)."""
    sigma: Numbers
    """Shape (K, 12)."""
    best_knots: Numbers
    """The best sample, shape (K, 12); the old mean where no cost was finite."""
    best_cost: float
    """Its cost; infinite where none was finite."""
    elites: NDArray[np.intp]
    """Indices of the elites, best first; shape (num_elites,), or fewer where fewer costs were finite."""


class Layout(NamedTuple):
    """What each sample is made of: a centre, and noise around it."""

    centre: NDArray[np.int32]
    """Index among the centres, shape (N,)."""
    spread: NDArray[np.float32]
    """Of the noise, times sigma; 0 takes the centre itself; shape (N,)."""


@lru_cache(maxsize=64)
def layout(count: int, candidates: int, priors: tuple[int, ...], share: float, spread: float) -> Layout:
    """Return what the samples of an iteration are made of.

    The centres that are candidates come first, so that they are evaluated even where time is short; the others are
    drawn around centre 0, the mean. Those around priors are spread evenly over them, so that their share does not
    depend on how many are evaluated.

    Args:
        count: N.
        candidates: the first so many centres are samples themselves; those beyond N are left out.
        priors: indices of centres around which a share of the samples is drawn.
        share: of the samples for each prior, from 0 to below 1; all priors together leave MOST_AROUND_PRIORS.
        spread: of their noise, times sigma.
    """
    centre, width = np.zeros(count, np.int32), np.ones(count, np.float32)
    first = min(candidates, count)
    centre[:first], width[:first] = np.arange(first), 0.0
    if priors and share > 0.0:
        around = prior_rows(first, count, min(len(priors) * share, max(share, MOST_AROUND_PRIORS)))
        width[around] = spread
        for turn, index in enumerate(priors):
            centre[around[turn :: len(priors)]] = index
    for array in (centre, width):
        array.flags.writeable = False  # it is shared
    return Layout(centre, width)


def propose(
    centres: Numbers, sigma: Numbers, noise: Numbers, made_of: Layout, lower: Numbers, upper: Numbers
) -> Numbers:
    """Return the samples of one iteration, within the box.

    Args:
        centres: m and rad, shape (C, K, 12); the first is the mean.
        sigma: shape (K, 12).
        noise: standard normal, shape (N, K, 12).
        made_of: what the samples are made of.
        lower: of the box, shape (12,).
        upper: of the box, shape (12,).

    Returns:
        shape (N, K, 12).
    """
    knots = np.multiply(noise, sigma, order="C")
    knots *= made_of.spread[:, None, None]
    knots += centres[made_of.centre]
    flat = knots.reshape(len(knots), -1)  # 48 numbers in a row are limited twice as quickly as 4 rows of 12
    repeats = knots.shape[1]
    np.maximum(flat, np.tile(lower, repeats), out=flat)
    np.minimum(flat, np.tile(upper, repeats), out=flat)
    return knots


def prior_rows(first: int, count: int, share: float) -> NDArray[np.intp]:
    """Return which of the samples `first` to `count` are drawn around priors: a share of them, evenly spread."""
    rows = np.arange(first, count)
    place = np.floor((np.arange(len(rows)) + 1) * share + 1e-9)
    return rows[np.diff(place, prepend=0.0) > 0.0]


def update(
    knots: Numbers,
    costs: NDArray[np.floating],
    mean: Numbers,
    sigma: Numbers,
    settings: PlannerSettings,
    floor: Numbers,
) -> CemUpdate:
    """Move mean and sigma towards the elites: the samples of least cost, the earlier one where costs are equal.

    Where fewer costs are finite than there are elites the mean is the best sample and sigma stays: few samples say
    where to go, not how sure that is. Without any, everything stays.

    Args:
        knots: those that were evaluated, shape (n, K, 12), n not above N.
        costs: theirs, shape (n,); not a number or infinite counts as worst.
        mean: before, shape (K, 12).
        sigma: before, shape (K, 12).
        settings: number of elites, smoothing.
        floor: least sigma, shape (K, 12) or (12,).
    """
    costs = np.asarray(costs)
    finite = np.isfinite(costs)
    order = np.argsort(np.where(finite, costs, np.inf), kind="stable")
    elites = order[: min(settings.num_elites, int(np.count_nonzero(finite)))]
    if len(elites) == 0:
        return CemUpdate(mean, np.maximum(sigma, floor), mean, float("inf"), elites)
    best, best_cost = knots[elites[0]], float(costs[elites[0]])
    if len(elites) < settings.num_elites:
        return CemUpdate(best.copy(), np.maximum(sigma, floor), best.copy(), best_cost, elites)
    chosen = knots[elites]
    middle = chosen.mean(axis=0, dtype=chosen.dtype)
    new_sigma = np.maximum(
        (1.0 - settings.smoothing) * chosen.std(axis=0, dtype=chosen.dtype) + settings.smoothing * sigma, floor
    )
    low, high = chosen.min(axis=0), chosen.max(axis=0)
    if settings.mean_smoothing > 0.0:
        middle = middle + settings.mean_smoothing * (mean - middle)
        low, high = np.minimum(low, mean), np.maximum(high, mean)
    middle = np.clip(middle, low, high)  # a rounded mean of numbers at the box's border may lie outside of it
    return CemUpdate(middle.astype(knots.dtype), new_sigma.astype(knots.dtype), best.copy(), best_cost, elites)


# --- sigma and box of the settings ------------------------------------------------------------------------------------


def initial_sigma(settings: PlannerSettings) -> Numbers:
    """Return the first sigma, m and rad, shape (K, 12)."""
    row = _row(settings.sigma_trunk_position, settings.sigma_trunk_rotation, settings.sigma_arm)
    return np.tile(row, (settings.num_knots, 1))


def sigma_floor(settings: PlannerSettings, goal_error: float | None) -> Numbers:
    """Return the least sigma, m and rad, shape (12,): smaller near the goal, where the search becomes fine.

    Args:
        settings: the floor far away, and how it shrinks.
        goal_error: distance of the end-effector from the goal at the end of the plan, m; None where not known.
    """
    row = _row(settings.floor_trunk_position, settings.floor_trunk_rotation, settings.floor_arm)
    if goal_error is None or not np.isfinite(goal_error):
        return row
    return row * np.float32(np.clip(goal_error / settings.floor_distance, settings.floor_near, 1.0))


def knot_box(settings: PlannerSettings) -> tuple[Numbers, Numbers]:
    """Return where knots may lie, m and rad, two arrays of shape (12,): the settings' box, the arm's joint limits."""
    tilt, yaw = settings.box_tilt, settings.box_yaw
    lower, upper = np.empty(NUM_COORDINATES, np.float32), np.empty(NUM_COORDINATES, np.float32)
    lower[:6] = -settings.box_x, -settings.box_y, -settings.box_z_down, -tilt, -tilt, -yaw
    upper[:6] = settings.box_x, settings.box_y, settings.box_z_up, tilt, tilt, yaw
    lower[ARM_SLICE_12] = joint_array("lower")[ARM_SLICE]
    upper[ARM_SLICE_12] = joint_array("upper")[ARM_SLICE]
    return lower, upper


class Ranges(NamedTuple):
    """How far the search goes, m and rad, each of shape (12,)."""

    lower: Numbers
    """Of the box."""
    upper: Numbers
    most: Numbers
    """First and largest sigma."""
    floor: Numbers
    """Least sigma far from the goal."""


def ranges(settings: PlannerSettings) -> Ranges:
    """Return the ranges of a search."""
    return Ranges(*knot_box(settings), initial_sigma(settings)[0], sigma_floor(settings, None))


def _row(trunk_position: float, trunk_rotation: float, arm: float) -> Numbers:
    row = np.empty(NUM_COORDINATES, np.float32)
    row[TRUNK_POSITION_SLICE], row[TRUNK_ROTATION_SLICE], row[ARM_SLICE_12] = trunk_position, trunk_rotation, arm
    return row


class NoisePool:
    """Standard normal noise from a pool drawn once: blocks at random places, with random signs.

    Drawing 24 000 numbers afresh takes a third of a millisecond on a slow core, half a plan of the reduced backend.
    """

    def __init__(self, settings: PlannerSettings) -> None:
        """Draw the pool: 8 times the noise of one iteration, less for very many samples (POOL_NUMBERS)."""
        self._shape = (settings.num_knots, NUM_COORDINATES)
        self._count = settings.num_samples
        self._random = np.random.default_rng(settings.seed)
        blocks = min(max(POOL_NUMBERS // (self._count * settings.num_knots * NUM_COORDINATES), 2), 8)
        self._pool = self._random.standard_normal((blocks * self._count, *self._shape), dtype=np.float32)

    def draw(self) -> tuple[Numbers, Numbers]:
        """Return noise, shape (N, K, 12), a view that must not be changed, and signs, shape (K, 12), for its sigma."""
        begin = int(self._random.integers(len(self._pool) - self._count + 1))
        signs = self._random.integers(0, 2, self._shape).astype(np.float32) * np.float32(2.0) - np.float32(1.0)
        return self._pool[begin : begin + self._count], signs
