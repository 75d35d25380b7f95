"""Samples of a mixture at work, and the situations that they belong to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from tensordict import TensorDict

from ..algorithms.routing_losses import entropy

Mask = NDArray[np.bool_]

SLOW, FAST = 0.3, 0.6
"""m/s of the commanded planar velocity; below counts as slow, above as fast."""
NEAR, FAR = 0.03, 0.10
"""m of end-effector error; below counts as small, above as large."""
FEWEST = 32
"""Samples that a situation needs to count."""


@dataclass(frozen=True)
class Samples:
    """M samples of a mixture in its environment, time-major: all robots of the first step, then of the second, ..."""

    obs: TensorDict
    """Observation groups, (M, size) each."""
    weights: torch.Tensor
    """(M, G, E)"""
    expert_actions: torch.Tensor
    """(M, E, 18), raw"""
    actions: torch.Tensor
    """What was done, with exploration noise, (M, 18), raw."""
    advantages: torch.Tensor
    """How much better than others the following second went, standard deviations, (M,)."""
    mode: NDArray[np.int64]
    """Index in `mode_names`, (M,)."""
    mode_names: tuple[str, ...]
    command: NDArray[np.float64]
    """vx, vy, wz, (M, 3)."""
    ee_error: NDArray[np.float64]
    """m, (M,)"""

    def subset(self, count: int, seed: int = 0) -> Samples:
        """Return at most this many samples, at random but always the same."""
        total = len(self.weights)
        if total <= count:
            return self
        picked = np.sort(np.random.default_rng(seed).choice(total, count, replace=False))
        index = torch.from_numpy(picked)
        return Samples(
            self.obs[index], self.weights[index], self.expert_actions[index], self.actions[index],
            self.advantages[index], self.mode[picked], self.mode_names, self.command[picked], self.ee_error[picked],
        )  # fmt: skip


def situations(samples: Samples) -> dict[str, Mask]:
    """Return which samples belong to which situation, (M,) each: modes, speeds, end-effector errors."""
    speed = np.linalg.norm(samples.command[:, :2], axis=1)
    moving = np.abs(samples.command).max(axis=1) > 0.0
    masks = {name: samples.mode == index for index, name in enumerate(samples.mode_names)}
    masks |= {
        "command: none": ~moving,
        "command: slow": moving & (speed < SLOW),
        "command: fast": speed > FAST,
        "EE error: small": samples.ee_error < NEAR,
        "EE error: large": samples.ee_error > FAR,
    }
    return {name: mask for name, mask in masks.items() if mask.sum() >= FEWEST}


@dataclass(frozen=True)
class SituationRow:
    """How the weights are in one situation."""

    name: str
    count: int
    usage: tuple[tuple[float, ...], ...]
    """Mean weight by joint group and expert."""
    entropy: tuple[float, ...]
    """Mean entropy by joint group, 0 (one expert) to 1 (all alike)."""


def situation_rows(samples: Samples) -> list[SituationRow]:
    """Return usage and entropy for each situation, all samples first."""
    masks = {"all": np.ones(len(samples.mode), dtype=bool), **situations(samples)}
    return [_row(name, mask, samples.weights) for name, mask in masks.items()]


def _row(name: str, mask: Mask, weights: torch.Tensor) -> SituationRow:
    chosen = weights[torch.from_numpy(mask)]
    relative = relative_entropy(chosen).mean(dim=0)
    usage: Sequence[Sequence[float]] = chosen.mean(dim=0).tolist()
    return SituationRow(name, int(mask.sum()), tuple(tuple(group) for group in usage), tuple(relative.tolist()))


def relative_entropy(weights: torch.Tensor) -> torch.Tensor:
    """Return the entropy of weights (N, G, E) as a share of the largest possible one, (N, G)."""
    return entropy(weights) / max(float(np.log(weights.shape[-1])), 1e-9)
