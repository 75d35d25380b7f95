"""Between SI units and the wire's integers, with the wire's ranges.

piper_sdk does not clamp: a torque of 8.1 N m goes out as -8.0, a kd of 6 as -4 (tests/go2_piper_driver/piper). All
that leaves this project therefore passes `clamp_mit`, `joint_to_mdeg` or `stroke_to_um` first.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from .frames import MitFrame

MDEG_PER_RAD = 180_000.0 / math.pi
INT32_MAX = 2**31 - 1

CURRENT_TO_TORQUE = (1.18125, 1.18125, 1.18125, 0.95844, 0.95844, 0.95844)
"""N m per A, joints 1 to 6 [piper_sdk 0.6.2 arm_feedback_high_spd.py]."""

GRIPPER_EFFORT_MAX = 5.0
"""N m on the wire [piper_sdk]."""
GRIPPER_NEWTON_PER_NM = 10.0
"""N at each finger per N m of the gripper's motor. Assumed: nobody publishes the pinion; 5 N m would be 50 N, which is
what AgileX gives as the greatest clamping force."""


@dataclass(frozen=True)
class MitField:
    """One field of a MIT frame: its range and its width."""

    low: float
    high: float
    bits: int

    @property
    def top(self) -> int:
        """Greatest raw value."""
        return (1 << self.bits) - 1

    def clamp(self, value: float) -> float:
        """Return the nearest value that the field can carry. Raises ValueError for what is not finite."""
        if not math.isfinite(value):
            raise ValueError(f"{value} cannot be sent to a motor")
        return min(max(value, self.low), self.high)

    def encode(self, value: float) -> int:
        """Return the raw value of what `clamp` returned, truncated as piper_sdk does it."""
        return int((value - self.low) * self.top / (self.high - self.low))

    def decode(self, raw: int) -> float:
        """Return the value that a motor understands."""
        return raw * (self.high - self.low) / self.top + self.low


MIT_POSITION = MitField(-12.5, 12.5, 16)
MIT_VELOCITY = MitField(-45.0, 45.0, 12)
MIT_KP = MitField(0.0, 500.0, 12)
MIT_KD = MitField(-5.0, 5.0, 12)
MIT_TORQUE = MitField(-8.0, 8.0, 8)


@dataclass(frozen=True)
class MitSetPoint:
    """What one motor gets in MIT mode: tau = kp (position - q) + kd (velocity - dq) + torque."""

    position: float
    """rad."""
    velocity: float
    """rad/s."""
    kp: float
    kd: float
    torque: float
    """N m."""


def clamp_mit(point: MitSetPoint) -> MitSetPoint:
    """Return the set point with every field inside the wire's range and kd not below 0. Raises ValueError on NaN."""
    return MitSetPoint(
        position=MIT_POSITION.clamp(point.position),
        velocity=MIT_VELOCITY.clamp(point.velocity),
        kp=MIT_KP.clamp(point.kp),
        kd=max(0.0, MIT_KD.clamp(point.kd)),
        torque=MIT_TORQUE.clamp(point.torque),
    )


def mit_from_frame(frame: MitFrame) -> MitSetPoint:
    """Return what a motor makes of a MIT frame."""
    return MitSetPoint(
        position=MIT_POSITION.decode(frame.position),
        velocity=MIT_VELOCITY.decode(frame.velocity),
        kp=MIT_KP.decode(frame.kp),
        kd=MIT_KD.decode(frame.kd),
        torque=MIT_TORQUE.decode(frame.torque),
    )


def mit_to_frame(point: MitSetPoint) -> MitFrame:
    """Return the raw fields of a set point, clamped."""
    point = clamp_mit(point)
    return MitFrame(
        position=MIT_POSITION.encode(point.position),
        velocity=MIT_VELOCITY.encode(point.velocity),
        kp=MIT_KP.encode(point.kp),
        kd=MIT_KD.encode(point.kd),
        torque=MIT_TORQUE.encode(point.torque),
    )


def rad_to_mdeg(angle: float) -> int:
    """Return an angle in 0.001 degrees, rounded."""
    return round(angle * MDEG_PER_RAD)


def joint_to_mdeg(angle: float, lower: float, upper: float) -> int:
    """Return a joint target in 0.001 degrees that lies inside [lower, upper] also after rounding; rad.

    Raises:
        ValueError: the angle is not finite.
    """
    if not math.isfinite(angle):
        raise ValueError(f"{angle} cannot be sent to a motor")
    low, high = math.ceil(lower * MDEG_PER_RAD), math.floor(upper * MDEG_PER_RAD)
    return min(max(rad_to_mdeg(angle), low), high)


def mdeg_to_rad(angle: int) -> float:
    """Return an angle of the wire in rad."""
    return angle / MDEG_PER_RAD


def stroke_to_um(finger_travel: float, max_travel: float) -> int:
    """Return the gripper's stroke in 0.001 mm, which is twice the travel of a finger in m, inside [0, max_travel].

    Raises:
        ValueError: the travel is not finite.
    """
    if not math.isfinite(finger_travel):
        raise ValueError(f"{finger_travel} cannot be sent to the gripper")
    return round(2e6 * min(max(finger_travel, 0.0), max_travel))


def um_to_travel(stroke: int) -> float:
    """Return the travel of a finger in m."""
    return stroke / 2e6
