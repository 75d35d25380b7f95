"""Puts the messages of one measurement together by their stamp. ROS-free: messages are opaque."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["joints", "imu", "odometry"]

KEPT = 32
"""Stamps kept: 0.16 s at 200 Hz, so one slow control step loses nothing."""
ODOMETRY_LOST_NS = 50_000_000
"""Odometry older than this beside the newest joint states counts as not there."""
JUMP_BACK_NS = 100_000_000
"""Stamps this much older than the newest are not late messages but a clock that was set back: a restarted bridge."""


@dataclass
class Measurement:
    """Messages of one stamp; None where not received."""

    stamp_ns: int
    joints: Any = None
    imu: Any = None
    odometry: Any = None


class StateAssembler:
    """Holds the latest messages of the three state topics, which may arrive in any order."""

    def __init__(self, odometry_required: bool = False) -> None:
        """Begin empty.

        Args:
            odometry_required: a measurement is complete only with odometry. Otherwise it is waited for only as long as
                it keeps coming: on a robot nobody may know where the base is.
        """
        self._odometry_required = odometry_required
        self.restarts = 0
        """How often the stamps jumped back."""
        self.clear()

    def clear(self) -> None:
        """Forget all messages."""
        self._sets: dict[int, Measurement] = {}
        self._newest_ns: int | None = None
        self._newest_odometry_ns: int | None = None

    def add(self, kind: Kind, stamp_ns: int, message: Any) -> None:
        """Take a message."""
        if self._newest_ns is not None and stamp_ns < self._newest_ns - JUMP_BACK_NS:
            self.clear()
            self.restarts += 1
        self._newest_ns = stamp_ns if self._newest_ns is None else max(stamp_ns, self._newest_ns)
        if kind == "odometry":
            self._newest_odometry_ns = max(stamp_ns, self._newest_odometry_ns or stamp_ns)
        setattr(self._sets.setdefault(stamp_ns, Measurement(stamp_ns)), kind, message)
        while len(self._sets) > KEPT:
            del self._sets[min(self._sets)]

    def newest(self) -> Measurement | None:
        """Return the newest complete measurement."""
        return max((m for m in self._sets.values() if self._complete(m)), key=lambda m: m.stamp_ns, default=None)

    def next(self, from_ns: int) -> Measurement | None:
        """Return the oldest complete measurement of this stamp or later."""
        candidates = (m for m in self._sets.values() if m.stamp_ns >= from_ns and self._complete(m))
        return min(candidates, key=lambda m: m.stamp_ns, default=None)

    def _complete(self, measurement: Measurement) -> bool:
        if measurement.joints is None or measurement.imu is None:
            return False
        if measurement.odometry is not None:
            return True
        newest = self._newest_odometry_ns
        lost = newest is None or newest < measurement.stamp_ns - ODOMETRY_LOST_NS
        return lost and not self._odometry_required
