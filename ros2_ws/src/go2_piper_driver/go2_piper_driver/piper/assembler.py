"""One six-vector out of three joint frames, never mixed from two measurements."""

from __future__ import annotations

from dataclasses import dataclass

from go2_piper_description.joints import ARM_JOINTS

from . import frames
from .wire import MDEG_PER_RAD

_MAX_SPREAD = 0.004
"""s from the first to the last frame: less than a cycle of 5 ms."""
_MAX_SPEED = 2.0
"""Times the joint's velocity limit; whatever moves faster was measured at another time."""
_SLACK = 0.02 * MDEG_PER_RAD
"""0.001 degrees that a joint may jump at once: noise, and two cycles that arrive together."""
_SPEED = tuple(_MAX_SPEED * joint.velocity * MDEG_PER_RAD for joint in ARM_JOINTS)


@dataclass(frozen=True)
class JointFrames:
    """A complete measurement."""

    stamp: float
    """s, when its first frame arrived."""
    mdeg: tuple[int, ...]
    """0.001 degrees, joints 1 to 6."""


class Assembler:
    """Takes joint frames in the order of their arrival."""

    def __init__(self) -> None:
        self._parts: list[tuple[int, int]] = []
        self._started = 0.0
        self._last: JointFrames | None = None
        self.rejected = 0
        """Frames given up because one was missing, out of order, late or from another time."""

    def feed(self, part: int, values: tuple[int, int], now: float) -> JointFrames | None:
        """Take one frame and return the measurement that it completes.

        Args:
            part: 0 for joints 1 and 2, 1 for 3 and 4, 2 for 5 and 6.
            values: 0.001 degrees.
            now: s, when it arrived.
        """
        if part == 0:
            if self._parts:
                self.rejected += 1
            self._parts, self._started = [values], now
            return None
        if part != len(self._parts) or now - self._started > _MAX_SPREAD:
            self.rejected += 1
            self._parts = []
            return None
        self._parts.append(values)
        if len(self._parts) < len(frames.JOINTS):
            return None
        whole = JointFrames(self._started, tuple(value for pair in self._parts for value in pair))
        self._parts = []
        if not self._follows(whole):
            self.rejected += 1
            return None
        self._last = whole
        return whole

    def _follows(self, whole: JointFrames) -> bool:
        """Whether the arm can have moved there since the last measurement. The bound grows until it can."""
        if self._last is None:
            return True
        elapsed = whole.stamp - self._last.stamp
        pairs = zip(whole.mdeg, self._last.mdeg, _SPEED, strict=True)
        return all(abs(value - before) <= speed * elapsed + _SLACK for value, before, speed in pairs)
