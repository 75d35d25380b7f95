"""Transitions of earlier policies, so that the discriminator does not forget what it has already told apart."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


class ReplayBuffer:
    """A ring of `capacity` rows of `size` numbers; the oldest go first."""

    def __init__(self, capacity: int, size: int) -> None:
        if capacity < 1:
            raise ValueError(f"a replay buffer of {capacity} rows: at least 1")
        self._rows = np.zeros((capacity, size), dtype=np.float32)
        self._next, self._count = 0, 0

    def __len__(self) -> int:
        return self._count

    def add(self, rows: Floats) -> None:
        """Add rows (B, D); of more than the capacity only the last ones stay."""
        capacity = len(self._rows)
        rows = rows[-capacity:]
        places = (self._next + np.arange(len(rows))) % capacity
        self._rows[places] = rows
        self._next = (self._next + len(rows)) % capacity
        self._count = min(self._count + len(rows), capacity)

    def sample(self, rng: np.random.Generator, count: int) -> Floats:
        """Return `count` rows drawn with replacement, (count, D). Raises ValueError while empty."""
        if self._count == 0:
            raise ValueError("the replay buffer is empty: add rows before sampling")
        return self._rows[rng.integers(self._count, size=count)]

    def state(self) -> dict[str, NDArray]:
        """Return what `load` needs to go on."""
        return {"rows": self._rows[: self._count].copy(), "next": np.array([self._next])}

    def load(self, state: Mapping[str, NDArray]) -> None:
        """Go on from a state of the same capacity and size. Raises ValueError if they differ."""
        rows = state["rows"]
        if rows.ndim != 2 or rows.shape[1] != self._rows.shape[1] or len(rows) > len(self._rows):
            raise ValueError(f"a replay buffer of shape {rows.shape}, here is room for {self._rows.shape}")
        self._rows[: len(rows)] = rows
        self._next, self._count = int(state["next"][0]), len(rows)
