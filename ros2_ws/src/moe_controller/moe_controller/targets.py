"""End-effector targets inside the region that the policies know; one sampler for training, scenarios and evaluation."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .contract import TargetRegion

Array = NDArray[np.float64]

TRUNK_BOX_LOW = np.array([-0.45, -0.20, -np.inf])
TRUNK_BOX_HIGH = np.array([0.45, 0.20, 0.15])
"""m in base_link. No targets here: the gripper or the forearm would touch the trunk."""


def from_spherical(radius: Array, azimuth: Array, elevation: Array, shoulder: Array) -> Array:
    """Return positions in base_link, m, shape (..., 3), of spherical coordinates about the shoulder (m, rad, rad)."""
    flat = radius * np.cos(elevation)
    offset = np.stack([flat * np.cos(azimuth), flat * np.sin(azimuth), radius * np.sin(elevation)], axis=-1)
    return shoulder + offset


def in_trunk_box(position: Array) -> NDArray[np.bool_]:
    """Return whether positions in base_link, m, shape (..., 3), lie in the excluded box around the trunk."""
    return np.all((position > TRUNK_BOX_LOW) & (position < TRUNK_BOX_HIGH), axis=-1)


def sample_targets(rng: np.random.Generator, count: int, region: TargetRegion, shoulder: Array) -> Array:
    """Draw targets uniformly in radius, azimuth and elevation, outside the trunk box.

    Returns:
        positions in base_link, m, shape (count, 3).
    """
    positions = np.empty((count, 3))
    missing = np.arange(count)
    while missing.size:
        ranges = (region.radius, region.azimuth, region.elevation)
        radius, azimuth, elevation = (rng.uniform(low, high, missing.size) for low, high in ranges)
        positions[missing] = from_spherical(radius, azimuth, elevation, shoulder)
        missing = missing[in_trunk_box(positions[missing])]
    return positions
