"""MIT set points: what one motor may be told, given what it will make of it."""

from __future__ import annotations

import math

from go2_piper_description.joints import Joint

from .wire import MIT_KD, MIT_KP, MIT_TORQUE, MitSetPoint, clamp_mit


def set_point(
    joint: Joint,
    position: float,
    velocity: float,
    effort: float,
    kp: float,
    kd: float,
    measured: tuple[float, float],
    scale: float,
) -> MitSetPoint:
    """Return what to send so that the motor's torque is kp (position - q) + kd (velocity - dq) + effort, within limits.

    Args:
        joint: the joint table's row.
        position: target inside the joint's limits, rad.
        velocity: target, rad/s.
        effort: feed-forward torque, N m.
        kp: N m/rad.
        kd: N m s/rad.
        measured: position in rad and velocity in rad/s.
        scale: torque that the motor makes of 1 N m sent; depends on the firmware.

    Raises:
        ValueError: something is not finite.
    """
    q, dq = measured
    for value in (position, velocity, effort, kp, kd, q, dq):
        if not math.isfinite(value):
            raise ValueError(f"{value} cannot be sent to {joint.name}")
    velocity = min(max(velocity, -joint.velocity), joint.velocity)
    kp = min(max(kp, 0.0), scale * MIT_KP.high)
    kd = min(max(kd, 0.0), scale * MIT_KD.high)
    if kp > 0.0:  # the spring alone stays within the joint's effort; a nearer target is also inside the limits
        reach = joint.effort / kp
        position = min(max(position, q - reach), q + reach)
        position = min(max(position, joint.lower), joint.upper)
    drive = kp * (position - q) + kd * (velocity - dq)
    effort = min(max(effort, -joint.effort - drive), joint.effort - drive)
    effort = min(max(effort, -scale * MIT_TORQUE.high), scale * MIT_TORQUE.high)
    return clamp_mit(MitSetPoint(position, velocity, kp / scale, kd / scale, effort / scale))
