"""End-effector targets inside the region that the policies know; one sampler for training, scenarios and evaluation."""

from __future__ import annotations

import numpy as np
from go2_piper_description.kinematics import ArmKinematics
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from .contract import TargetRegion

Array = NDArray[np.float64]

TRUNK_BOX_LOW = np.array([-0.45, -0.20, -np.inf])
TRUNK_BOX_HIGH = np.array([0.45, 0.20, 0.15])
"""m in base_link. No targets here: the gripper or the forearm would touch the trunk."""

LARGEST_WRIST_ROLL = 1.3
"""rad; the largest |joint 4| of sampled poses: away from its limits of +-1.745 (robot_facts.md)."""

_PITCHES = sorted(np.linspace(-1.6, 1.6, 33), key=abs)
_PITCH_TURNS = Rotation.from_rotvec([[pitch, 0.0, 0.0] for pitch in _PITCHES]).as_matrix()
"""Turns about the axis of `ee_link` that points left, the smallest first."""

MOST_DRAWS = 200
"""Rounds of drawing poses until the region counts as out of reach; four of five draws are reached in the usual one."""


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


def natural_rotation(position: Array, shoulder: Array) -> Array:
    """Return the orientation of `ee_link` in the middle of what the arm can take at a position.

    The gripper points away from the shoulder and down, the more the nearer the target: a fit to the middle of the pitch
    angles that `ArmKinematics.inverse` reaches over the target region.

    Args:
        position: m in base_link, shape (..., 3).
        shoulder: m in base_link, shape (3,).

    Returns:
        rotation matrices base_link <- ee_link, shape (..., 3, 3); z is the approach direction.
    """
    offset = position - shoulder
    x, y, z = offset[..., 0], offset[..., 1], offset[..., 2]
    flat = np.hypot(x, y)
    azimuth, radius = np.arctan2(y, x), np.hypot(flat, z)
    pitch = np.arctan2(z, flat) + 1.9 * radius.clip(0.25, 0.6) - 1.425
    ca, sa, cp, sp = np.cos(azimuth), np.sin(azimuth), np.cos(pitch), np.sin(pitch)
    axes = np.zeros((*azimuth.shape, 3, 3))
    axes[..., 0, 0], axes[..., 1, 0] = -sa, ca  # left
    axes[..., 0, 1], axes[..., 1, 1], axes[..., 2, 1] = -sp * ca, -sp * sa, cp  # up
    axes[..., 0, 2], axes[..., 1, 2], axes[..., 2, 2] = cp * ca, cp * sa, sp  # forward
    return axes


def sample_poses(
    rng: np.random.Generator, count: int, region: TargetRegion, arm: ArmKinematics, spread: float = 0.6
) -> tuple[Array, Array]:
    """Draw poses that the arm reaches: positions as `sample_targets`, orientations about the natural one.

    Args:
        rng: where the draws come from.
        count: how many.
        region: of the positions.
        arm: its inverse kinematics decide what is reached.
        spread: largest turn away from the natural orientation, rad.

    Returns:
        positions in base_link, m, shape (count, 3), and rotation matrices base_link <- ee_link, shape (count, 3, 3).

    Raises:
        ValueError: the arm does not reach the region.
    """
    positions, rotations = np.empty((count, 3)), np.empty((count, 3, 3))
    missing = np.arange(count)
    for _ in range(MOST_DRAWS):
        if not missing.size:
            break
        position = sample_targets(rng, missing.size, region, arm.shoulder)
        axis = rng.normal(size=(missing.size, 3))
        axis /= np.linalg.norm(axis, axis=1, keepdims=True)
        turn = Rotation.from_rotvec(axis * rng.uniform(0.0, spread, (missing.size, 1))).as_matrix()
        rotation = natural_rotation(position, arm.shoulder) @ turn
        joints, reached = arm.inverse(position, rotation)
        good = reached & (np.abs(joints[:, 3]) < LARGEST_WRIST_ROLL)
        positions[missing[good]], rotations[missing[good]] = position[good], rotation[good]
        missing = missing[~good]
    if missing.size:
        raise ValueError(f"the arm reaches next to nothing of the target region {region}")
    return positions, rotations


def reachable_rotation(position: Array, rotation: Array, arm: ArmKinematics, steps: int = 5) -> Array:
    """Turn orientations that the arm cannot take at a position towards the natural one until it can.

    Args:
        position: m in base_link, shape (N, 3).
        rotation: wanted, shape (N, 3, 3).
        arm: its inverse kinematics decide what is reached.
        steps: how finely to look between wanted and natural.

    Returns:
        shape (N, 3, 3); where none between is reached, the natural one or the nearest to it in pitch that is.
    """
    _, reached = arm.inverse(position, rotation)
    if reached.all():
        return rotation
    at = np.flatnonzero(~reached)
    position, wanted = position[at], rotation[at]
    natural = natural_rotation(position, arm.shoulder)
    turn = (Rotation.from_matrix(wanted).inv() * Rotation.from_matrix(natural)).as_rotvec()
    parts = np.arange(1, steps)[:, None, None] / steps
    turns = Rotation.from_rotvec((parts * turn).reshape(-1, 3)).as_matrix()
    between = wanted @ turns.reshape(steps - 1, at.size, 3, 3)
    _, good = arm.inverse(position, between)
    nearest = between[good.argmax(axis=0), np.arange(at.size)]  # argmax is the first that is reached
    result = rotation.copy()
    result[at] = np.where(np.any(good, axis=0)[:, None, None], nearest, _reachable_pitch(position, natural, arm))
    return result


def _reachable_pitch(position: Array, rotation: Array, arm: ArmKinematics) -> Array:
    """Return orientations (N, 3, 3) turned in pitch by as little as it takes to reach the positions, or by nothing.

    Near the shoulder and steep above it, the natural orientation is beyond what the arm can take at 8 % of the places.
    """
    turned = rotation @ _PITCH_TURNS[:, None]
    _, good = arm.inverse(position, turned)
    return np.asarray(turned[good.argmax(axis=0), np.arange(len(position))])  # the first of all where none is reached
