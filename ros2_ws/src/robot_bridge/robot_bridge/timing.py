"""Fixed-rate loops and latency statistics, without ROS."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

import numpy as np


class FixedRate:
    """Absolute deadlines of a periodic loop.

    Deadlines lie on a fixed grid, so that a late period does not shift the later ones. A loop that is late by whole
    periods skips them instead of catching up in a burst.
    """

    def __init__(self, period: float, clock: Callable[[], float] = time.monotonic) -> None:
        """Start the grid now.

        Args:
            period: s, above 0.
            clock: returns s and never goes back.
        """
        if not period > 0.0:
            raise ValueError(f"period is {period}: it must be above 0")
        self.period = period
        self.overruns = 0
        """How often the loop was late by a whole period or more."""
        self.skipped = 0
        """Periods that never ran."""
        self._clock = clock
        self._deadline = clock() + period

    @property
    def deadline(self) -> float:
        """When the present period ends, s on the clock."""
        return self._deadline

    def remaining(self) -> float:
        """Return the time until the deadline, s; negative when it has passed."""
        return self._deadline - self._clock()

    def advance(self) -> int:
        """Go on to the next deadline that lies ahead. Call once per period, at or after the deadline.

        Returns:
            Number of periods skipped.
        """
        behind = self._clock() - self._deadline
        skipped = max(int(behind / self.period), 0)
        self._deadline += (1 + skipped) * self.period
        self.skipped += skipped
        self.overruns += skipped > 0
        return skipped

    def shift(self, seconds: float) -> None:
        """Move this deadline and all later ones, to keep pace with events of another clock; below 0 for sooner."""
        self._deadline += seconds

    def restart(self) -> None:
        """Begin a new grid now, after a pause that was meant."""
        self._deadline = self._clock() + self.period


class LatencyTracker:
    """Percentiles of the latest durations, and the number of all of them."""

    def __init__(self, window: int = 2000) -> None:
        """Keep the latest `window` durations for the percentiles."""
        self._values: deque[float] = deque(maxlen=window)
        self.count = 0
        """Durations added since the beginning."""

    def add(self, seconds: float) -> None:
        """Add a duration, s."""
        self._values.append(seconds)
        self.count += 1

    def percentile(self, percent: float) -> float:
        """Return a percentile of the window, s; not a number where nothing was added."""
        return float(np.percentile(self._values, percent)) if self._values else float("nan")

    @property
    def p50(self) -> float:
        """Median of the window, s."""
        return self.percentile(50.0)

    @property
    def p99(self) -> float:
        """99th percentile of the window, s."""
        return self.percentile(99.0)

    @property
    def max(self) -> float:
        """Largest in the window, s."""
        return max(self._values) if self._values else float("nan")
