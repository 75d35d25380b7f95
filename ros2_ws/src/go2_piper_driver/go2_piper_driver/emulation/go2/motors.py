"""The emulated motors' side of LowCmd: what is obeyed, what is refused, and what breaks a limit."""

from __future__ import annotations

from collections import Counter

import numpy as np

from ...go2 import wire
from ...go2.motors import EFFORT, LOWER, MAX_KD, MAX_KP, SLOTS, UPPER, VELOCITY
from ..physics import Drive

_SLOTS = list(SLOTS)
_MODES = wire.COMMAND.places(SLOTS, wire.MODE_OF_MOTOR)
POSITION_OFF = 1.0e9
"""A position at least as large switches position control off, whatever kp says."""
VELOCITY_OFF = 1.5e4
_EDGE = 1e-4
"""What single precision may round beyond a limit."""


def read_drive(command: wire.Sample) -> tuple[Drive, Counter[str]]:
    """Return what a LowCmd makes the leg motors do, and how often it breaks each limit. What is not finite is off."""
    motors = wire.COMMAND.motors(command.data)[_SLOTS, : wire.CMD_FLOATS]
    q, dq, tau, kp, kd = motors.T.astype(np.float64)
    mode = np.frombuffer(command.data, np.uint8)[_MODES]
    broken: Counter[str] = Counter()
    finite = np.isfinite(motors).all(axis=1)
    broken["not finite"] = int((~finite).sum())
    on = (mode == 1) & finite
    kp = np.where(on & (np.abs(q) < POSITION_OFF), kp, 0.0)
    spinning = on & (np.abs(dq) >= VELOCITY_OFF) & (kd != 0.0)
    broken["velocity stop with a gain"] = int(spinning.sum())
    kd = np.where(on & ~spinning, kd, 0.0)
    tau = np.where(on, tau, 0.0)
    controlled = kp != 0.0
    broken["position"] = int((controlled & ((q < LOWER - _EDGE) | (q > UPPER + _EDGE))).sum())
    broken["velocity"] = int(((kd != 0.0) & (np.abs(dq) > VELOCITY + _EDGE)).sum())
    broken["effort"] = int((np.abs(tau) > EFFORT + _EDGE).sum())
    broken["gain"] = int(((kp < 0) | (kp > MAX_KP) | (kd < 0) | (kd > MAX_KD)).sum())
    drive = Drive(np.where(controlled, q, 0.0), np.where(kd != 0.0, dq, 0.0), tau, kp, kd)
    return drive, +broken
