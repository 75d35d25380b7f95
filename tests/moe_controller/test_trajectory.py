"""Timed poses: interpolation, ends, and one-line refusals."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from moe_controller.trajectory import PoseTrajectory
from scipy.spatial.transform import Rotation

HALF = float(np.sqrt(0.5))
TURN = PoseTrajectory(
    [1.0, 2.0, 4.0],
    [[0, 0, 0], [1, 0, 0], [1, 2, 0]],
    [[0.0, 0.0, 0.0, 1.0], [0.0, 0.0, HALF, HALF], [0.0, 0.0, HALF, HALF]],
)


@pytest.mark.parametrize(
    ("time", "position", "yaw"),
    [(1.0, (0, 0, 0), 0), (1.5, (0.5, 0, 0), 45), (2.0, (1, 0, 0), 90), (3.0, (1, 1, 0), 90), (4.0, (1, 2, 0), 90)],
)
def test_interpolates(time: float, position: tuple[float, ...], yaw: float) -> None:
    pose = TURN.sample(time)
    np.testing.assert_allclose(pose.position, position, atol=1e-12)
    assert Rotation.from_quat(pose.orientation).as_euler("xyz", degrees=True)[2] == pytest.approx(yaw)


def test_ends_are_held() -> None:
    np.testing.assert_array_equal(TURN.sample(-5.0).position, TURN.positions[0])
    np.testing.assert_array_equal(TURN.sample(99.0).position, TURN.positions[-1])


def test_velocity_is_that_of_the_segment() -> None:
    for time, velocity in ((0.5, (0, 0, 0)), (1.0, (1, 0, 0)), (2.0, (0, 1, 0)), (3.9, (0, 1, 0)), (4.0, (0, 0, 0))):
        np.testing.assert_allclose(TURN.velocity(time), velocity)


def test_single_point_is_a_constant() -> None:
    single = PoseTrajectory([0.0], [[0.1, 0.2, 0.3]])
    np.testing.assert_allclose(single.sample(7.0).position, (0.1, 0.2, 0.3))
    np.testing.assert_allclose(single.sample(7.0).orientation, (0, 0, 0, 1))
    np.testing.assert_allclose(single.velocity(0.0), 0)


def test_does_not_keep_the_callers_arrays() -> None:
    positions = np.zeros((2, 3))
    trajectory = PoseTrajectory([0.0, 1.0], positions)
    positions[:] = np.nan
    assert np.all(np.isfinite(trajectory.sample(0.5).position))


@pytest.mark.parametrize(
    ("times", "positions", "orientations", "part"),
    [
        ([], np.zeros((0, 3)), None, "no points"),
        ([0, 1, 1], np.zeros((3, 3)), None, "point 2 is at 1 s"),
        ([1, 0], np.zeros((2, 3)), None, "must increase"),
        ([0, np.nan], np.zeros((2, 3)), None, "not finite"),
        ([0], [[0, np.inf, 0]], None, "not finite"),
        ([0], [[0, 0]], None, "shape"),
        ([0], [[0, 0, 0]], [[0, 0, 0, 0]], "length 0"),
        ([0], [[0, 0, 0]], [[0, 0, np.nan, 1]], "quaternion"),
        ([0], [[0, 0, 0]], [[0, 0, 1]], "shape"),
    ],
)
def test_refusals(times: object, positions: object, orientations: object, part: str) -> None:
    with pytest.raises(ValueError, match=part) as caught:
        PoseTrajectory(times, positions, orientations)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), count=st.integers(1, 6), at=st.floats(-2, 12))
def test_samples_stay_between_their_neighbours(seed: int, count: int, at: float) -> None:
    rng = np.random.default_rng(seed)
    times = np.cumsum(rng.uniform(0.1, 2.0, count))
    positions = rng.normal(size=(count, 3))
    trajectory = PoseTrajectory(times, positions, Rotation.random(count, rng).as_quat())
    pose = trajectory.sample(at)
    after = int(np.clip(np.searchsorted(times, at), 1, max(count - 1, 1))) if count > 1 else 0
    pair = positions[[max(after - 1, 0), after]]
    assert np.all(pose.position >= pair.min(axis=0) - 1e-9)
    assert np.all(pose.position <= pair.max(axis=0) + 1e-9)
    assert np.linalg.norm(pose.orientation) == pytest.approx(1.0)
