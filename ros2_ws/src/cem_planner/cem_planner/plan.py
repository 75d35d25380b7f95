"""The result of planning: a spline of commands, stamped with the state that it starts from."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from . import splines

Array = NDArray[np.float64]
Knots = NDArray[np.floating]


class PlanFault(RuntimeError):
    """No plan could be made; one line says why. The plan before stays as valid as its age allows."""


@dataclass(frozen=True)
class PlanSeconds:
    """Where the time of a plan went, s."""

    nn: float = 0.0
    """The network that made the prior."""
    cem: float = 0.0
    """Sampling, rollouts and update."""
    other: float = 0.0
    """Checks, warm start, bookkeeping."""

    @property
    def total(self) -> float:
        """All of it, s."""
        return self.nn + self.cem + self.other


@dataclass(frozen=True)
class Plan:
    """Commands over the horizon, in the plan's coordinates."""

    knots: Knots
    """What is to be executed, m and rad, shape (K, 12)."""
    horizon: float
    """s."""
    kind: str
    """Of the spline: "zero", "linear" or "cubic"."""
    stamp: float
    """Time of the state that it starts from, after prediction, s; the spline's beginning."""
    cost: float
    """Of the best sample."""
    samples_used: int
    """Samples evaluated, over all iterations."""
    iterations_used: int
    """Iterations that led to an update of the mean."""
    backend: str
    rung: str
    """How the backend was started: loaded executable, exported module, JIT, ..."""
    seconds: PlanSeconds
    best: Knots
    """The best sample, shape (K, 12)."""
    mean: Knots
    """Mean of the elites, shape (K, 12)."""
    sigma: Knots = field(default_factory=lambda: np.zeros((0, 0)))
    """Of the samples after the update, shape (K, 12)."""
    missed: bool = False
    """It was done after its deadline."""

    def sample(self, now: float) -> Array:
        """Return the command at a time, m and rad, shape (12,). Before and after the plan its ends hold.

        Args:
            now: s, on the clock of `stamp`.
        """
        return self.sample_many(np.array([now]))[0]

    def sample_many(self, times: Array) -> Array:
        """Return the commands at several times, shape (T, 12).

        Args:
            times: s, on the clock of `stamp`, shape (T,).
        """
        matrix = splines.basis(np.asarray(times) - self.stamp, self.horizon, len(self.knots), self.kind)
        return np.asarray(matrix @ self.knots, dtype=np.float64)

    def age(self, now: float) -> float:
        """Return how old the state is that it starts from, s; negative before the predicted time."""
        return now - self.stamp
