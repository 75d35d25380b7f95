"""Feedback of a healthy arm at rest, to be changed frame by frame."""

from __future__ import annotations

from go2_piper_driver.piper import frames
from go2_piper_driver.piper.listener import Listener

HOMED = frames.GRIPPER_HOMED | frames.GRIPPER_ENABLED


class Clock:
    """Time that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def healthy() -> dict[int, bytes]:
    """Return one payload for each id that a state needs."""
    slow = frames.pack_motor_slow(frames.MotorSlow(240, 33, 35, frames.MOTOR_ENABLED, 400))
    return {
        frames.STATUS: frames.pack_status(frames.Status(ctrl_mode=frames.CAN_CONTROL)),
        frames.JOINTS[0]: frames.pack_pair(10_000, 20_000),
        frames.JOINTS[1]: frames.pack_pair(-30_000, 40_000),
        frames.JOINTS[2]: frames.pack_pair(50_000, -60_000),
        frames.GRIPPER: frames.pack_gripper(frames.GripperFeedback(40_000, 500, HOMED)),
        **{
            can_id: frames.pack_motor_fast(frames.MotorFast(100 * i, 1000, 0))
            for i, can_id in enumerate(frames.MOTOR_FAST)
        },
        **dict.fromkeys(frames.MOTOR_SLOW, slow),
    }


def feed(listener: Listener, payloads: dict[int, bytes]) -> None:
    """Feed a whole cycle."""
    for can_id, data in payloads.items():
        listener.feed(can_id, data)
