"""A backend without a robot, whose cost is a bowl, and a clock that only it moves on."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from cem_planner.cem import knot_box
from cem_planner.problem import Goal, PlanState, Problem
from cem_planner.settings import PlannerSettings

LOWER, UPPER = knot_box(PlannerSettings())


class FakeClock:
    """Time that passes only when it is told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Bowl:
    """Costs are squared distances from a target, over the size of the box; each chunk takes its time."""

    name, rung, startup_seconds = "bowl", "none", 0.0

    def __init__(self, chunk: int = 100, clock: FakeClock | None = None, seconds: float = 0.001) -> None:
        self.chunk = chunk
        self.seconds: Callable[[int], float] = lambda call: seconds
        self.clock = clock
        self.calls: list[tuple[float, int]] = []
        """When each chunk began, s, and its samples."""
        self.seen: list[np.ndarray] = []
        self.weights: list[np.ndarray] = []
        self.target: np.ndarray = (0.7 * LOWER + 0.3 * UPPER).astype(np.float64)
        self.spoil: Callable[[np.ndarray], np.ndarray] = lambda costs: costs

    def rollout(self, problem: Problem, knots: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Return the costs, after the chunk's time has passed."""
        assert 1 <= len(knots) <= self.chunk
        if self.clock is not None:
            self.calls.append((self.clock.now, len(knots)))
            self.clock.now += self.seconds(len(self.calls) - 1)
        self.seen.append(knots.copy())
        self.weights.append(weights)
        return self.spoil(self.cost(knots))

    def cost(self, knots: np.ndarray) -> np.ndarray:
        """Return the depth in the bowl, shape (n,), of knots of shape (n, K, 12)."""
        return np.asarray((((knots - self.target) / (UPPER - LOWER)) ** 2).sum((-2, -1)), dtype=np.float32)


def problem(position: np.ndarray | None = None) -> Problem:
    """A robot at rest in the middle of the box, where its command is."""
    middle = np.asarray((LOWER + UPPER) / 2 if position is None else position, dtype=np.float64)
    return Problem(PlanState(middle, np.zeros(12)), Goal(np.zeros(3)), middle, np.zeros(12), np.zeros((4, 3)))
