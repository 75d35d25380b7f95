"""Clips of the open-loop trot: kinematics alone, without a simulator.

The root moves exactly at the command, level and at one height, and each foot on the ground stays where it is (up to the
curve that it describes about a turning root).
"""

from __future__ import annotations

import numpy as np
from go2_piper_description.joints import ARM_SLICE, JOINT_NAMES, LEG_SLICE, NUM_JOINTS, joint_array
from go2_piper_description.links import FOOT_RADIUS
from numpy.typing import NDArray

from ...gait import Trot, feet
from ..motion import Motion
from .expert_clips import COMMANDS

Array = NDArray[np.float64]

RATE = 50.0
_STEP = 1e-3
"""s, half the span of the differences that give joint velocities."""


def gait_clip(vx: float, wz: float, seconds: float, name: str, trot: Trot | None = None) -> Motion:
    """Return a clip of the trot.

    Args:
        vx: m/s.
        wz: rad/s.
        seconds: of the clip.
        name: of the clip.
        trot: numbers of the gait; None for exact strides at a pace that grows with the speed.
    """
    trot = trot or Trot(frequency=2.0 + 0.8 * min(1.0, abs(vx) + 0.3 * abs(wz)), stride=1.0, drift=0.0)
    times = np.arange(round(seconds * RATE)) / RATE
    count = len(times)
    standing = joint_array("stand")
    height = FOOT_RADIUS - feet(standing[LEG_SLICE])[:, 2].min()
    yaw = wz * times
    # the root's path is an arc, or a line where it does not turn
    x, y = (times * vx * np.sinc(yaw / (2.0 * np.pi)) * part for part in (np.cos(yaw / 2.0), np.sin(yaw / 2.0)))
    qpos, qvel = np.zeros((count, 7 + NUM_JOINTS)), np.zeros((count, 6 + NUM_JOINTS))
    qpos[:, :3] = np.stack([x, y, np.full(count, height)], axis=1)
    qpos[:, 3], qpos[:, 6] = np.cos(yaw / 2.0), np.sin(yaw / 2.0)
    qvel[:, 0], qvel[:, 1], qvel[:, 5] = vx * np.cos(yaw), vx * np.sin(yaw), wz
    command = np.tile([vx, 0.0, wz], (count, 1))
    before, now, after = (trot.joints(command, (times + shift) * trot.frequency) for shift in (-_STEP, 0.0, _STEP))
    qpos[:, 7:][:, LEG_SLICE], qpos[:, 7:][:, ARM_SLICE] = now, standing[ARM_SLICE]
    qvel[:, 6:][:, LEG_SLICE] = (after - before) / (2.0 * _STEP)
    return Motion(JOINT_NAMES, qpos, qvel, (count,), (name,), RATE)


def gait_clips(seconds: float = 6.2) -> list[Motion]:
    """Return a clip for each of the expert's commands."""
    return [gait_clip(vx, wz, seconds, f"trot_{name}") for name, (vx, wz) in COMMANDS.items()]
