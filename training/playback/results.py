"""The npz files of a rollout. Plain arrays, read with `numpy.load`; T steps, N robots, G joint groups, E experts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .rollout import Rollout
from .statistics import WeightStatistics

RESULTS, WEIGHTS = "moe_results.npz", "weight_stats.npz"


def _names(rollout: Rollout) -> dict[str, NDArray]:
    return {
        "policy": np.array(rollout.policy),
        "experts": np.array(rollout.experts),
        "groups": np.array(rollout.groups),
        "modes": np.array(rollout.modes),
        "time": rollout.time,
    }


def write_results(rollout: Rollout, path: Path) -> None:
    """Write what came of each step: errors, reward, falls, commands, weights.

    Keys beside the names: `time` (T,) s; `ee_error` m, `ee_angle` rad, `linear_error` m/s, `yaw_error` rad/s, `reward`,
    `fell`, `walks`, `reaches` (whether the errors count), `mode`, (T, N) each; `command` (T, N, 3);
    `weights` (T, N, G, E).
    """
    steps = rollout.steps
    errors = {name: getattr(rollout, name) for name in ("ee_error", "ee_angle", "linear_error", "yaw_error")}
    outcome = {
        name: getattr(steps, name) for name in ("reward", "fell", "walks", "reaches", "mode", "command", "weights")
    }
    _write(path, _names(rollout) | errors | outcome)


def write_weight_statistics(rollout: Rollout, statistics: WeightStatistics, path: Path) -> None:
    """Write how the experts were used.

    Keys beside the names: `<expert>_weights` (T, N, G) for each expert, so `base_weights` and `arm_weights`;
    `weight_entropy` (T, N, G), nats; `mean`, `spread` (standard deviation) and `usage` (share of samples in which the
    expert has the largest weight), (G, E) each; `mode_means` (number of modes, G, E), NaN for modes that did not occur.
    """
    weights = rollout.steps.weights
    each = {f"{name}_weights": weights[..., index] for index, name in enumerate(rollout.experts)}
    nothing = np.full_like(statistics.mean, np.nan)
    figures = {
        "weight_entropy": statistics.entropy,
        "mean": statistics.mean,
        "spread": statistics.spread,
        "usage": statistics.usage,
        "mode_means": np.stack([statistics.by_mode.get(name, nothing) for name in rollout.modes]),
    }
    _write(path, _names(rollout) | each | figures)


def _write(path: Path, arrays: dict[str, NDArray]) -> None:
    np.savez_compressed(path, **arrays)  # type: ignore[arg-type]  # the stub counts all of them as allow_pickle
