"""Statistics of planning: percentiles of its time, misses, samples used and the rate achieved."""

from __future__ import annotations

import math
from collections import Counter, deque

from robot_bridge.timing import LatencyTracker

from .plan import Plan

WINDOW = 2000
"""Plans over which percentiles and rates are taken: 40 s at 50 Hz."""
PARTS = ("nn", "cem", "other", "total")


class PlanStatistics:
    """Collects what plans report. Percentiles are of the latest WINDOW plans, counts of all."""

    def __init__(self, frequency: float, window: int = WINDOW) -> None:
        """Begin to count.

        Args:
            frequency: plans in a second that are wanted, Hz.
            window: plans that percentiles are taken over.
        """
        self.frequency = frequency
        self.plans = 0
        self.misses = 0
        """Plans that were done after their deadline."""
        self.faults = 0
        """Problems without a plan."""
        self._times = {part: LatencyTracker(window) for part in PARTS}
        self._samples: deque[int] = deque(maxlen=window)
        self._finished: deque[float] = deque(maxlen=window)
        self._rungs: Counter[str] = Counter()

    def add(self, plan: Plan, finished: float) -> None:
        """Add a plan.

        Args:
            plan: the plan.
            finished: when it was done, s, on a clock that does not go back.
        """
        self.plans += 1
        self.misses += plan.missed
        for part, tracker in self._times.items():
            tracker.add(float(getattr(plan.seconds, part)))
        self._samples.append(plan.samples_used)
        self._finished.append(finished)
        self._rungs[f"{plan.backend}/{plan.rung}"] += 1

    def add_fault(self) -> None:
        """Count a problem without a plan."""
        self.faults += 1

    @property
    def rate(self) -> float:
        """Plans in a second over the window, Hz; not a number before the second plan."""
        span = self._finished[-1] - self._finished[0] if len(self._finished) > 1 else 0.0
        return (len(self._finished) - 1) / span if span > 0.0 else math.nan

    @property
    def achievable_rate(self) -> float:
        """Rate that 95 % of the plans would hold, Hz; not a number before the first plan."""
        seconds = self._times["total"].percentile(95.0)
        return 1.0 / seconds if seconds > 0.0 else math.nan

    def percentile(self, part: str, percent: float) -> float:
        """Return a percentile of the time of a part, s.

        Args:
            part: "nn", "cem", "other" or "total".
            percent: 0 to 100.
        """
        return self._times[part].percentile(percent)

    def warning(self) -> str | None:
        """Return, in one line, that the frequency is out of reach, and which one is not; None where all is well."""
        if self.plans == 0 or not self.achievable_rate < self.frequency:
            return None
        return (
            f"planner: {self.frequency:g} Hz is out of reach, 95 % of the plans hold {self.achievable_rate:.3g} Hz; "
            f"lower the frequency or the samples"
        )

    def summary(self) -> dict[str, float | int | str | None]:
        """Return everything as plain values for a JSON file: times in ms, rates in Hz, None where not known."""
        result: dict[str, float | int | str | None] = {
            "plans": self.plans,
            "misses": self.misses,
            "faults": self.faults,
            "frequency": self.frequency,
            "frequency_achieved": _known(self.rate),
            "backend": ", ".join(self._rungs),
        }
        for part in PARTS:
            prefix = "plan" if part == "total" else part
            for percent in (50, 95, 99):
                result[f"{prefix}_ms_p{percent}"] = _known(1e3 * self.percentile(part, percent))
        result["samples_used_mean"] = sum(self._samples) / len(self._samples) if self._samples else None
        result["samples_used_min"] = min(self._samples, default=None)
        return result

    def diagnostics(self) -> list[tuple[str, str]]:
        """Return the values for /diagnostics: pairs of key and text."""
        return [(key, _text(value)) for key, value in self.summary().items()]


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _text(value: float | int | str | None) -> str:
    if value is None:
        return "-"
    return f"{value:.3f}" if isinstance(value, float) else str(value)
