"""How long it takes from a command to a measurement that shows it: a torque to and fro, and the motor's answer."""

from __future__ import annotations

import numpy as np

TORQUE = 1.5
"""N m; a robot that lies on its belly stays where it is."""
PERIOD = 0.05
"""s between two changes; not a multiple of a loop's period with the jitter below."""
_JITTER = 0.007


class RoundTrips:
    """Says what torque to command and notes when it is measured."""

    def __init__(self) -> None:
        self._sign = 1.0
        self._rng = np.random.default_rng(0)
        self._next = 0.0
        self._asked: float | None = None
        self.seconds: list[float] = []

    def torque(self, now: float) -> float:
        """Return the torque to command, N m; its sign changes every `PERIOD`, once the one before was answered."""
        if now >= self._next and self._asked is None:
            self._sign, self._asked = -self._sign, now
            self._next = now + PERIOD + self._rng.uniform(0.0, _JITTER)
        return self._sign * TORQUE

    def measured(self, effort: float, now: float) -> None:
        """Note a measured torque, N m."""
        if self._asked is not None and effort * self._sign > 0.5 * TORQUE:
            self.seconds.append(now - self._asked)
            self._asked = None

    def percentiles_ms(self) -> list[float]:
        """Return p50, p99 and the largest, ms; nan where nothing was measured."""
        if not self.seconds:
            return [float("nan")] * 3
        return [float(value) for value in 1e3 * np.percentile(self.seconds, [50, 99, 100])]
