"""Running mean and standard deviation that stop learning after a number of samples."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class Moments(NamedTuple):
    """What a jitted function needs to normalise: float32, (D,) each."""

    mean: NDArray[np.float32]
    std: NDArray[np.float32]


class RunningNormalizer:
    """Mean and variance over all samples seen (Chan's parallel update, float64), frozen after `limit` samples.

    A normaliser that never stops moves the ground under policy and discriminator; one that stops early knows only the
    first falls.

    Args:
        size: D.
        limit: samples after which it no longer changes.
    """

    CLIP = 5.0
    """Of normalised values."""
    FLOOR = 0.01
    """Added to the standard deviation."""

    def __init__(self, size: int, limit: int) -> None:
        self.limit, self.count = limit, 0
        self.mean, self.square = np.zeros(size), np.zeros(size)

    @property
    def frozen(self) -> bool:
        """Whether it has seen enough."""
        return self.count >= self.limit

    def update(self, samples: NDArray[np.floating]) -> None:
        """Learn from samples (..., D); those beyond the limit count as well, the next ones do not."""
        if self.frozen:
            return
        flat = np.asarray(samples, dtype=np.float64).reshape(-1, len(self.mean))
        count, mean = len(flat), flat.mean(axis=0)
        total = self.count + count
        shift = mean - self.mean
        self.square += ((flat - mean) ** 2).sum(axis=0) + shift**2 * self.count * count / total
        self.mean += shift * count / total
        self.count = total

    def moments(self) -> Moments:
        """Return mean and standard deviation as they are now; 0 and 1 before the first sample."""
        std = np.sqrt(self.square / self.count) + self.FLOOR if self.count else np.ones_like(self.mean)
        return Moments(self.mean.astype(np.float32), std.astype(np.float32))

    def state(self) -> dict[str, Array]:
        """Return what `load` needs to go on."""
        return {"mean": self.mean, "square": self.square, "count": np.array([self.count], dtype=np.float64)}

    def load(self, state: Mapping[str, Array]) -> None:
        """Go on from a state. Raises ValueError if it has another size."""
        if state["mean"].shape != self.mean.shape:
            raise ValueError(f"a normaliser of {len(state['mean'])} numbers, here are {len(self.mean)}")
        self.mean, self.square = state["mean"].copy(), state["square"].copy()
        self.count = int(state["count"][0])
