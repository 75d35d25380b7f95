"""An open-loop trot from leg kinematics: the teacher from which a walking policy learns its first steps.

Diagonal legs swing together; stance feet move against the commanded velocity of the ground below them. It carries the
robot somehow; reinforcement learning makes it track, bear pushes and stand still.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from go2_piper_description.joints import LEG_JOINTS, LEG_SLICE, LEGS, joint_array
from go2_piper_description.links import CALF_LENGTH, HIP_OFFSET, HIP_POSITION, THIGH_LENGTH
from numpy.typing import NDArray

from .trajectories.motion import min_jerk

Array = NDArray[np.float64]

_SIDE = np.array([1.0 if leg[1] == "L" else -1.0 for leg in LEGS])
_FRONT = np.array([1.0 if leg[0] == "F" else -1.0 for leg in LEGS])
_HIPS = np.stack([HIP_POSITION[0] * _FRONT, HIP_POSITION[1] * _SIDE, np.zeros(4)], axis=1)
_PHASE = np.array([0.0 if side == front else 0.5 for side, front in zip(_SIDE, _FRONT, strict=True)])


def feet(joints: Array) -> Array:
    """Return foot positions in base_link, m, shape (..., 4, 3), of leg joints in rad, shape (..., 12)."""
    hip, thigh, calf = np.moveaxis(joints.reshape(*joints.shape[:-1], 4, 3), -1, 0)
    x = -THIGH_LENGTH * np.sin(thigh) - CALF_LENGTH * np.sin(thigh + calf)
    down = -THIGH_LENGTH * np.cos(thigh) - CALF_LENGTH * np.cos(thigh + calf)
    out = HIP_OFFSET * _SIDE
    c, s = np.cos(hip), np.sin(hip)
    return _HIPS + np.stack([x, out * c - down * s, out * s + down * c], axis=-1)


def legs(positions: Array) -> Array:
    """Return leg joints in rad, shape (..., 12), that put the feet there: the inverse of `feet`, knees back.

    Args:
        positions: m in base_link, shape (..., 4, 3); out of reach stretches the leg.
    """
    x, y, z = np.moveaxis(positions - _HIPS, -1, 0)
    out = HIP_OFFSET * _SIDE
    down = -np.sqrt(np.maximum(y**2 + z**2 - HIP_OFFSET**2, 1e-6))
    hip = np.arctan2(z, y) - np.arctan2(down, out)
    hip = (hip + np.pi) % (2.0 * np.pi) - np.pi
    cosine = (x**2 + down**2 - THIGH_LENGTH**2 - CALF_LENGTH**2) / (2.0 * THIGH_LENGTH * CALF_LENGTH)
    calf = -np.arccos(np.clip(cosine, -1.0, 1.0))
    thigh = np.arctan2(-x, -down) - 0.5 * calf  # thigh and calf are of one length
    joints = np.stack([hip, thigh, calf], axis=-1)
    return joints.reshape(*joints.shape[:-2], len(LEG_JOINTS))


_NOMINAL = feet(joint_array("stand")[LEG_SLICE])


@dataclass(frozen=True)
class Trot:
    """Numbers of the gait."""

    frequency: float = 2.8
    """Hz"""
    duty: float = 0.55
    """Part of the cycle on the ground."""
    lift: float = 0.08
    """m"""
    stride: float = 1.35
    """Strides longer than kinematics asks for: soft motors fall short."""
    drift: float = 0.2
    """m/s by which the robot falls behind, whatever the command; added to vx."""

    def joints(self, command: Array, phase: Array) -> Array:
        """Return leg joint targets, rad, shape (N, 12).

        Args:
            command: vx, vy (m/s), wz (rad/s), shape (N, 3); zero stands.
            phase: of the cycle, 0 to 1, shape (N,).
        """
        vx, vy, wz = (column[:, None] for column in command.T)
        ground = np.stack([vx + self.drift - wz * _NOMINAL[:, 1], vy + wz * _NOMINAL[:, 0]], axis=-1)
        own = (phase[:, None] + _PHASE) % 1.0
        swing = own < 1.0 - self.duty
        s = np.where(swing, own / (1.0 - self.duty), (own - (1.0 - self.duty)) / self.duty)
        along = np.where(swing, min_jerk(s) - 0.5, 0.5 - s)  # of the stride, from behind to the front and back
        reach = self.stride * self.duty / self.frequency
        moving = (np.linalg.norm(command, axis=1) > 0.05)[:, None]
        position = np.broadcast_to(_NOMINAL, (len(command), 4, 3)).copy()
        position[..., :2] += np.where(moving, along * reach, 0.0)[..., None] * ground
        position[..., 2] += np.where(swing & moving, self.lift * np.sin(np.pi * s), 0.0)
        return legs(position)
