"""Sequences for the tests of this folder."""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from training.trajectories import PoseSequence


def walk(count: int = 21, rate: float = 200.0, name: str = "walk", seed: int = 0) -> PoseSequence:
    """Return a sequence of small steps and turns."""
    rng = np.random.default_rng(seed)
    positions = np.array([0.4, 0.0, 0.2]) + np.cumsum(rng.normal(0.0, 0.002, (count, 3)), axis=0)
    turns = np.cumsum(rng.normal(0.0, 0.02, (count, 3)), axis=0)
    return PoseSequence(positions, Rotation.from_rotvec(turns).as_quat(), rate, name)


def assert_same(left: PoseSequence, right: PoseSequence, tolerance: float = 1e-9) -> None:
    """Compare poses (a quaternion and its negative are the same turn), rate and name."""
    assert (left.rate, left.name) == (right.rate, right.name)
    np.testing.assert_allclose(left.positions, right.positions, atol=tolerance)
    between = Rotation.from_quat(left.orientations).inv() * Rotation.from_quat(right.orientations)
    np.testing.assert_allclose(between.magnitude(), 0.0, atol=max(tolerance, 1e-7))
