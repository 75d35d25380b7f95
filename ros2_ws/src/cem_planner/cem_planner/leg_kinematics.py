"""Forward and inverse kinematics of the legs in `base_link`, vectorised NumPy, from the link table.

A foot is the centre of its contact sphere. Legs come in canonical order FL, FR, RL, RR.
"""

from __future__ import annotations

import numpy as np
from go2_piper_description.joints import LEG_SLICE, LEGS, joint_array
from go2_piper_description.links import CALF_LENGTH, FRAMES, HIP_OFFSET, HIP_POSITION, THIGH_LENGTH, leg_signs
from numpy.typing import NDArray

Array = NDArray[np.float64]

_FOOT_X = next(frame for frame in FRAMES if frame.name == "FL_foot").xyz[0]

HIPS: Array = np.array([[HIP_POSITION[0] * leg_signs(leg)[0], HIP_POSITION[1] * leg_signs(leg)[1], 0] for leg in LEGS])
"""Hip joints in `base_link`, m, shape (4, 3)."""
HIP_OFFSETS: Array = np.array([HIP_OFFSET * leg_signs(leg)[1] for leg in LEGS])
"""From the hip to the thigh joint along y, m, shape (4,)."""
SHANK = float(np.hypot(CALF_LENGTH, _FOOT_X))
"""From the calf joint to the foot, m."""
SHANK_ANGLE = float(np.arctan2(-_FOOT_X, CALF_LENGTH))
"""The foot lies this far behind the calf's axis, rad."""

LOWER: Array = joint_array("lower")[LEG_SLICE]
UPPER: Array = joint_array("upper")[LEG_SLICE]


def forward(leg_positions: Array) -> Array:
    """Return where the feet are.

    Args:
        leg_positions: rad, shape (..., 12), canonical order.

    Returns:
        m in `base_link`, shape (..., 4, 3).
    """
    q = np.asarray(leg_positions, dtype=np.float64)
    hip, thigh, calf = np.moveaxis(q.reshape(*q.shape[:-1], 4, 3), -1, 0)
    shank = thigh + calf + SHANK_ANGLE
    x = -THIGH_LENGTH * np.sin(thigh) - SHANK * np.sin(shank)
    down = -THIGH_LENGTH * np.cos(thigh) - SHANK * np.cos(shank)
    y = HIP_OFFSETS * np.cos(hip) - down * np.sin(hip)
    z = HIP_OFFSETS * np.sin(hip) + down * np.cos(hip)
    return np.stack([x, y, z], axis=-1) + HIPS


def inverse(feet: Array) -> tuple[Array, NDArray[np.bool_]]:
    """Return the leg positions that put the feet at given places, knees pointing backwards.

    Args:
        feet: m in `base_link`, shape (..., 4, 3), below the hips.

    Returns:
        rad, shape (..., 12), canonical order, within the joint ranges; and whether each foot is reached, shape
        (..., 4). A leg that is too short or too long stretches or folds towards its place.
    """
    x, y, z = np.moveaxis(np.asarray(feet, dtype=np.float64) - HIPS, -1, 0)
    square = y**2 + z**2 - HIP_OFFSETS**2
    down = -np.sqrt(np.maximum(square, 0.0))
    hip = np.arctan2(z, y) - np.arctan2(down, HIP_OFFSETS)
    cosine = (x**2 + down**2 - THIGH_LENGTH**2 - SHANK**2) / (2.0 * THIGH_LENGTH * SHANK)
    knee = -np.arccos(np.clip(cosine, -1.0, 1.0))
    thigh = np.arctan2(-x, -down) - np.arctan2(SHANK * np.sin(knee), THIGH_LENGTH + SHANK * np.cos(knee))
    joints = np.stack([hip, thigh, knee - SHANK_ANGLE], axis=-1)
    joints = joints.reshape(*joints.shape[:-2], 12)
    limited = np.clip(joints, LOWER, UPPER)
    inside = (np.abs(joints - limited) < 1e-9).reshape(*x.shape, 3).all(axis=-1)
    return limited, (square >= 0.0) & (np.abs(cosine) <= 1.0) & inside
