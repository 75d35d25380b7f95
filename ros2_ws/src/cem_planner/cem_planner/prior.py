"""The policy's proposal in the plan's coordinates: one candidate, and the centre of some samples.

The policy's present joint targets are held over the horizon. That is honest about what the policy says now; where it
would go from there is not rolled out.
"""

from __future__ import annotations

import numpy as np
from go2_piper_description.joints import ARM_SLICE, LEG_SLICE
from numpy.typing import NDArray

from . import leg_kinematics
from .coordinates import ARM_SLICE_12, NUM_COORDINATES
from .stance import NOMINAL_TRUNK, Stance

Array = NDArray[np.float64]


def trunk_over_feet(legs: Array, stance: Stance) -> Array:
    """Return the six trunk coordinates that fit leg positions to planted feet best (least squares).

    Args:
        legs: rad, shape (12,).
        stance: the planted feet.
    """
    feet = leg_kinematics.forward(legs)
    middle, planted = feet.mean(axis=0), stance.feet.mean(axis=0)
    u, _, vt = np.linalg.svd((stance.feet - planted).T @ (feet - middle))
    rotation = u @ np.diag([1.0, 1.0, np.sign(np.linalg.det(u @ vt))]) @ vt  # stance <- base_link
    position = planted - rotation @ middle
    roll = np.arctan2(rotation[2, 1], rotation[2, 2])
    pitch = np.arcsin(np.clip(-rotation[2, 0], -1.0, 1.0))
    yaw = np.arctan2(rotation[1, 0], rotation[0, 0])
    return np.concatenate([position - NOMINAL_TRUNK, [roll, pitch, yaw]])


def prior_knots(targets: Array, num_knots: int, stance: Stance | None) -> Array:
    """Return knots that hold the policy's joint targets, m and rad, shape (num_knots, 12).

    Args:
        targets: of the 18 joints, rad, shape (18,).
        num_knots: of the spline.
        stance: the planted feet; None where the trunk is not planned: its coordinates are 0.
    """
    coordinates = np.zeros(NUM_COORDINATES)
    if stance is not None:
        coordinates[:6] = trunk_over_feet(targets[LEG_SLICE], stance)
    coordinates[ARM_SLICE_12] = targets[ARM_SLICE]
    return np.tile(coordinates, (num_knots, 1))
