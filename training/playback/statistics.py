"""What a rollout says in numbers: the task, and how the experts are used."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from moe_controller.controller import weights_entropy
from numpy.typing import NDArray

from .rollout import Rollout

MOVING = 0.1
"""m/s or rad/s; commands below it do not count as walking."""


@dataclass(frozen=True)
class WeightStatistics:
    """How the experts are used. Shapes: T steps, N robots, G joint groups, E experts."""

    entropy: NDArray
    """nats, (T, N, G): 0 where one expert acts alone, log(E) where all count the same."""
    mean: NDArray
    """(G, E)"""
    spread: NDArray
    """Standard deviation, (G, E): 0 means constant weights."""
    usage: NDArray
    """Share of the samples in which an expert has the largest weight, (G, E)."""
    by_mode: dict[str, NDArray]
    """Mean weights in each mode of the environment that occurred, (G, E) each."""


def weight_statistics(rollout: Rollout) -> WeightStatistics:
    """Return how the experts of a rollout are used."""
    weights, mode = rollout.steps.weights, rollout.steps.mode
    largest = weights.argmax(axis=-1)[..., None] == np.arange(weights.shape[-1])
    return WeightStatistics(
        entropy=weights_entropy(weights.astype(np.float64)),
        mean=weights.mean(axis=(0, 1)),
        spread=weights.std(axis=(0, 1)),
        usage=largest.mean(axis=(0, 1)),
        by_mode={
            name: weights[mode == index].mean(axis=0)
            for index, name in enumerate(rollout.modes)
            if (mode == index).any()
        },
    )


@dataclass(frozen=True)
class TaskFigures:
    """How well the task was done; None where there was nothing to measure."""

    seconds: float
    """Simulated, of all robots together."""
    falls: int
    reward: float
    """Per step."""
    ee_median: float | None
    """m"""
    ee_p90: float | None
    """m"""
    ee_angle_median: float | None
    """rad"""
    linear_error: float | None
    """m/s, mean while a command asks to move."""
    yaw_error: float | None
    """rad/s"""


def task_figures(rollout: Rollout) -> TaskFigures:
    """Return how well the task was done."""
    steps = rollout.steps
    walks = steps.walks & (np.linalg.norm(steps.command, axis=-1) > MOVING)
    return TaskFigures(
        seconds=steps.reward.size * rollout.period,
        falls=int(steps.fell.sum()),
        reward=float(steps.reward.mean()),
        ee_median=_of(np.median, rollout.ee_error[steps.reaches]),
        ee_p90=_of(lambda values: np.percentile(values, 90), rollout.ee_error[steps.reaches]),
        ee_angle_median=_of(np.median, rollout.ee_angle[steps.reaches]),
        linear_error=_of(np.mean, rollout.linear_error[walks]),
        yaw_error=_of(np.mean, rollout.yaw_error[walks]),
    )


def _of(figure: Callable[[NDArray], np.floating], values: NDArray) -> float | None:
    return float(figure(values)) if values.size else None
