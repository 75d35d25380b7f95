"""Rollout backends: they turn sampled knots into costs. Each has a module of its own, imported on demand."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from ..cem import CemUpdate, Layout, Numbers, Ranges
from ..problem import Problem

Costs = NDArray[np.floating]
Knots = NDArray[np.floating]


MOST_PRIORS = 3
"""In one plan: inverse kinematics, the policy, a network."""
MOST_CENTRES = 3 + MOST_PRIORS
"""Of an iteration's samples: mean, best sample before, command in force, priors."""


class BackendError(RuntimeError):
    """A backend cannot start or go on; one line says why and what to do."""


class Backend(Protocol):
    """Rolls sampled knots out from the problem's state."""

    @property
    def name(self) -> str:
        """Which one: "reduced", "mujoco", "mjx"."""

    @property
    def rung(self) -> str:
        """How it was started, such as "executable", "jit" or "c"."""

    @property
    def startup_seconds(self) -> float:
        """Wall time that its start took."""

    @property
    def chunk(self) -> int:
        """Most samples in one call of `rollout`."""

    def rollout(self, problem: Problem, knots: Knots, weights: NDArray[np.float32]) -> Costs:
        """Return the cost of each sample, shape (n,); not a number or infinite where a rollout failed.

        Args:
            problem: state, goal and the rest.
            knots: m and rad, shape (n, K, 12), n from 1 to `chunk`; the backend pads what it needs to.
            weights: of the terms, shape (len(costs.TERM_NAMES),), as `Weights.array` returns them.
        """


@runtime_checkable
class KnowsGoalError(Protocol):
    """A backend that can also say where a trajectory ends, so that the search narrows near the goal."""

    def goal_error(self, problem: Problem, knots: Knots) -> float:
        """Return the distance of `ee_link` from the goal at the end of one trajectory, m.

        Args:
            problem: state, goal and the rest.
            knots: shape (K, 12).
        """


class Iteration(NamedTuple):
    """What one iteration of the search starts from; numbers are float32."""

    centres: Numbers
    """m and rad, shape (C, K, 12), C up to MOST_CENTRES; the first is the mean."""
    made_of: Layout
    """What the samples are made of."""
    sigma: Numbers
    """Before its floor is applied, shape (K, 12)."""
    noise: Numbers
    """Standard normal, shape (N, K, 12)."""
    signs: Numbers
    """Of sigma, 1 or -1, shape (K, 12)."""
    goal_error: float | None
    """m, of the iteration before; None where not known."""
    ranges: Ranges
    """Of the planner, which need not be those of the backend's settings."""


class Iterated(NamedTuple):
    """What it came to."""

    update: CemUpdate
    goal_error: float
    """Distance of `ee_link` from the goal where the mean's trajectory ends, m."""


@runtime_checkable
class Iterates(Protocol):
    """A backend that makes a whole iteration of up to `chunk` samples in one call: samples, rollouts and update."""

    def iterate(self, problem: Problem, weights: NDArray[np.float32], start: Iteration) -> Iterated:
        """Return what an iteration came to: what `cem.propose`, `rollout` and `cem.update` would.

        Args:
            problem: state, goal and the rest.
            weights: of the terms, shape (len(costs.TERM_NAMES),).
            start: mean, sigma, noise.
        """


def chunks(count: int, size: int) -> Iterator[slice]:
    """Yield slices that cut `count` samples into chunks of at most `size`, in order."""
    for begin in range(0, count, size):
        yield slice(begin, min(begin + size, count))


def padded(knots: Knots, size: int) -> Knots:
    """Return the samples with the last one repeated up to `size`: executables have fixed shapes.

    Args:
        knots: shape (n, K, 12), n from 1 to `size`.
        size: samples in the result.

    Raises:
        ValueError: if there are none or too many.
    """
    count = len(knots)
    if not 1 <= count <= size:
        raise ValueError(f"{count} samples do not fit into a chunk of {size}")
    if count == size:
        return knots
    return np.concatenate([knots, np.broadcast_to(knots[-1:], (size - count, *knots.shape[1:]))])
