"""Timing of small calls."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Quantiles:
    """Of one call's duration, in microseconds."""

    p50: float
    p99: float

    def __str__(self) -> str:
        return f"{self.p50:.0f} / {self.p99:.0f} us"


def time_side_by_side(calls: dict[str, Callable[[], object]], repeats: int = 3000) -> dict[str, Quantiles]:
    """Time calls in turns, so that a noisy machine disturbs all alike."""
    for call in calls.values():
        for _ in range(100):
            call()
    samples: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(repeats):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            samples[name].append((time.perf_counter() - start) * 1e6)
    return {name: Quantiles(*np.percentile(values, [50, 99])) for name, values in samples.items()}
