"""What reached the arm: every command is checked against the limits, independently of the driver."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field

from go2_piper_description.joints import ARM_JOINTS, GRIPPER

from ...piper.wire import MitSetPoint

MAX_KEPT = 50
ROUNDING = math.radians(0.001)
_MAX_RATE = 1.5
"""Times the joint's velocity limit at which targets may move, over at least `_RATE_WINDOW`: the host's own clock
decides how evenly they come."""
_RATE_WINDOW = 0.05
"""s."""


@dataclass
class CommandLog:
    """Counts commands and keeps what was wrong with them."""

    counts: Counter[int] = field(default_factory=Counter)
    """Frames by id."""
    violations: list[str] = field(default_factory=list)
    """The first `MAX_KEPT` commands beyond a limit, one line each."""
    num_violations: int = 0
    power_cuts: list[str] = field(default_factory=list)
    """The first `MAX_KEPT` commands that took power from motors, one line each."""
    last_motion: float = -math.inf
    """s, when the last joint target or MIT frame came."""
    _window: dict[int, tuple[float, float]] = field(default_factory=dict)

    def violation(self, text: str) -> None:
        """Note a command that must not have been sent."""
        self.num_violations += 1
        if len(self.violations) < MAX_KEPT:
            self.violations.append(text)

    def power_cut(self, text: str) -> None:
        """Note a command that takes power from motors."""
        if len(self.power_cuts) < MAX_KEPT:
            self.power_cuts.append(text)

    def joint_target(self, now: float, index: int, target: float, measured: float | None, following: bool) -> None:
        """Check one joint's target.

        Args:
            now: s.
            index: of the joint, 0 to 5.
            target: rad.
            measured: rad; None for a motor without power, which does not move.
            following: whether this joint had a target before, since it got power.
        """
        joint = ARM_JOINTS[index]
        self.last_motion = now
        if not joint.lower - ROUNDING <= target <= joint.upper + ROUNDING:
            self.violation(f"{joint.name}: target {target:.4f} rad beyond its limits")
        if measured is None:
            return
        nearest = min(max(measured, joint.lower), joint.upper)
        if not following and abs(target - nearest) > 0.1:
            self.violation(f"{joint.name}: first target {target:.3f} rad, but it is at {measured:.3f}")
        start, before = self._window.get(index, (now, target))
        if not following:
            start, before = now, target
        nearer = abs(target - nearest) < abs(before - nearest)  # a stop may drop the lead that a target has
        if not nearer and abs(target - before) > _MAX_RATE * joint.velocity * max(now - start, _RATE_WINDOW):
            self.violation(f"{joint.name}: target moved {target - before:.3f} rad in {now - start:.3f} s")
        if not following or now - start >= _RATE_WINDOW:
            start, before = now, target
        self._window[index] = (start, before)

    def mit(self, now: float, index: int, point: MitSetPoint, scale: float) -> None:
        """Check one joint's MIT set point, of which the motor makes `scale` times the torque."""
        joint = ARM_JOINTS[index]
        self.last_motion = now
        if not joint.lower - 2e-3 <= point.position <= joint.upper + 2e-3:  # 16 bits over 25 rad, truncated
            self.violation(f"{joint.name}: MIT position {point.position:.4f} rad beyond its limits")
        if point.kd < -2e-3:
            self.violation(f"{joint.name}: MIT damping {point.kd:.3f} is negative")
        if abs(scale * point.torque) > joint.effort + 0.1 * scale:
            self.violation(f"{joint.name}: MIT torque {scale * point.torque:.2f} N m beyond its limit")

    def gripper(self, stroke: float) -> None:
        """Check the gripper's target, m of stroke."""
        if not -1e-6 <= stroke <= 2.0 * GRIPPER.upper + 1e-6:
            self.violation(f"gripper: stroke {stroke:.4f} m beyond its limits")
