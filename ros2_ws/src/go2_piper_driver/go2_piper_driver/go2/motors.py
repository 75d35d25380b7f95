"""Which motor slot is which joint, and a command that is safe to send. The only place that knows the Go2's order."""

from __future__ import annotations

from typing import Any

import numpy as np
from go2_piper_description.joints import JOINT_BY_NAME, LEG_JOINT_NAMES, LEGS
from numpy.typing import NDArray

Array = NDArray[np.float64]

SDK_LEGS = ("FR", "FL", "RR", "RL")
"""The vendor's order, of motors and of feet."""
SLOT_OF = {f"{leg}_{part}_joint": 3 * place + offset for place, leg in enumerate(SDK_LEGS)
           for offset, part in enumerate(("hip", "thigh", "calf"))}  # fmt: skip
SLOTS = tuple(SLOT_OF[name] for name in LEG_JOINT_NAMES)
"""Slot of each leg joint, canonical order."""
FEET = tuple(SDK_LEGS.index(leg) for leg in LEGS)
"""Place of each foot in `foot_force`, canonical order."""

POS_STOP = 2.146e9
"""Position that means: no position control. Valid with kp = 0 only."""
VEL_STOP = 16000.0
"""Velocity that means: no velocity control. Valid with kd = 0 only; with a kd it would be a command to spin."""
SERVO = 1
"""Motor mode: field-oriented control. 0 is off."""

MAX_KP = 150.0
"""N m/rad; twice what the joint table has, and INRIA's highest."""
MAX_KD = 10.0
"""N m s/rad; damping uses up to 8."""

LOWER = np.array([JOINT_BY_NAME[name].lower for name in LEG_JOINT_NAMES])
UPPER = np.array([JOINT_BY_NAME[name].upper for name in LEG_JOINT_NAMES])
EFFORT = np.array([JOINT_BY_NAME[name].effort for name in LEG_JOINT_NAMES])
VELOCITY = np.array([min(JOINT_BY_NAME[name].velocity, 30.1 if "calf" not in name else 15.7)
                     for name in LEG_JOINT_NAMES])  # fmt: skip
"""rad/s; the smaller of the published figures where they differ (calf)."""


def prepare(command: Any) -> None:
    """Fill in what every command has: head, level, and motors that are on and do nothing."""
    command.head = [0xFE, 0xEF]
    command.level_flag = 0xFF
    for motor in command.motor_cmd:
        motor.mode, motor.q, motor.dq = SERVO, POS_STOP, VEL_STOP
        motor.kp = motor.kd = motor.tau = 0.0


_LOW = np.array([LOWER, -VELOCITY, -EFFORT, np.zeros(12), np.zeros(12)])
_HIGH = np.array([UPPER, VELOCITY, EFFORT, np.full(12, MAX_KP), np.full(12, MAX_KD)])


def fill(command: Any, position: Array, velocity: Array, effort: Array, kp: Array, kd: Array) -> bool:
    """Write targets of the legs (arrays of shape (12,), canonical order) into a prepared command, inside every limit.

    Returns:
        Whether all were finite; otherwise the command is left as it was.
    """
    given = np.array((position, velocity, effort, kp, kd))
    if not np.isfinite(given).all():
        return False
    rows = np.minimum(np.maximum(given, _LOW), _HIGH).T.tolist()
    motors = command.motor_cmd
    for slot, (q, dq, tau, stiffness, damping) in zip(SLOTS, rows, strict=True):
        motor = motors[slot]
        motor.mode = SERVO
        motor.q = q if stiffness > 0.0 else POS_STOP
        motor.dq = dq if damping > 0.0 else VEL_STOP
        motor.kp, motor.kd, motor.tau = stiffness, damping, tau
    return True


def fill_damping(command: Any, kd: float) -> None:
    """Make a prepared command damp all legs: no position, velocity zero (never VEL_STOP), gain `kd`."""
    for slot in SLOTS:
        motor = command.motor_cmd[slot]
        motor.mode, motor.q, motor.dq = SERVO, POS_STOP, 0.0
        motor.kp, motor.kd, motor.tau = 0.0, min(max(kd, 0.0), MAX_KD), 0.0
