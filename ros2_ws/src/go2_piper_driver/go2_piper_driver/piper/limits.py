"""How far the arm may go: the intersection of everybody's limits."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from go2_piper_description.joints import ARM_JOINTS, GRIPPER

from .frames import MotorLimits

SdkLimits = Sequence[tuple[float, float]]
"""rad, joints 1 to 6."""


class LimitsError(ValueError):
    """What the arm says of its limits makes no sense; one line."""


@dataclass(frozen=True)
class ArmLimits:
    """rad, joints 1 to 6; gripper in m of finger travel."""

    lower: tuple[float, ...]
    upper: tuple[float, ...]
    gripper: float


def intersect(sdk: SdkLimits, sdk_stroke: float, arm: Mapping[int, MotorLimits]) -> ArmLimits:
    """Return the limits inside those of the joint table, of piper_sdk and of the arm itself.

    Args:
        sdk: limits of piper_sdk.
        sdk_stroke: greatest stroke of the gripper in piper_sdk, m.
        arm: what the arm answered, by motor 1 to 6.

    Raises:
        LimitsError: an answer is missing, or nothing is left between the limits.
    """
    lower, upper = [], []
    for motor, (joint, (low, high)) in enumerate(zip(ARM_JOINTS, sdk, strict=True), start=1):
        if motor not in arm:
            raise LimitsError(f"the arm did not tell the limits of {joint.name} (query 0x472)")
        told = arm[motor]
        # the arm rounds to 0.1 degrees
        low = max(joint.lower, low, math.radians(told.min_ddeg / 10.0 - 0.05))
        high = min(joint.upper, high, math.radians(told.max_ddeg / 10.0 + 0.05))
        if high - low < 0.1:
            raise LimitsError(
                f"the arm says {joint.name} moves from {told.min_ddeg / 10:.1f} to {told.max_ddeg / 10:.1f} degrees, "
                "which leaves no room inside the joint table; set its limits with AgileX's tools"
            )
        lower.append(low)
        upper.append(high)
    return ArmLimits(tuple(lower), tuple(upper), min(GRIPPER.upper, sdk_stroke / 2.0))
