"""Pose sequences: sampling, resampling, speeds, refusals."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from training.trajectories import PoseSequence, TrajectoryError

from .sequences import assert_same, walk

HALF = float(np.sqrt(0.5))
POSITIONS = [[0.0, 0.0, 0.0], [0.2, 0.0, 0.0], [0.2, 0.4, 0.0]]
QUARTER = [0.0, 0.0, HALF, HALF]
TURN = PoseSequence(np.array(POSITIONS), np.array([[0.0, 0.0, 0.0, 1.0], QUARTER, QUARTER]), 2.0, "turn")


def test_samples_between_poses_and_holds_the_ends() -> None:
    positions, orientations = TURN.sample([-1.0, 0.25, 0.75, 9.0])
    np.testing.assert_allclose(positions, np.array([[0, 0, 0], [0.1, 0, 0], [0.2, 0.2, 0], [0.2, 0.4, 0]]), atol=1e-12)
    yaw = Rotation.from_quat(orientations).as_euler("xyz", degrees=True)[:, 2]
    np.testing.assert_allclose(yaw, [0, 45, 90, 90], atol=1e-9)


def test_speeds() -> None:
    assert TURN.duration == pytest.approx(1.0)
    np.testing.assert_allclose(TURN.linear_speed(), [0.4, 0.8])
    np.testing.assert_allclose(TURN.angular_speed(), [np.pi, 0.0], atol=1e-9)


@settings(deadline=None)
@given(rate=st.floats(20.0, 1000.0), count=st.integers(2, 40))
def test_resampling_keeps_the_way(rate: float, count: int) -> None:
    given = walk(count, 100.0)
    other = given.resampled(rate)
    assert other.rate == rate and other.name == given.name
    assert given.duration - 1e-6 <= other.duration <= given.duration + 1.0 / rate + 1e-9
    positions, orientations = given.sample(other.times)
    np.testing.assert_allclose(other.positions, positions, atol=1e-12)
    np.testing.assert_allclose(np.abs(np.sum(other.orientations * orientations, axis=1)), 1.0, atol=1e-9)
    np.testing.assert_allclose(other.positions[-1], given.positions[-1], atol=1e-9)


def test_resampling_to_a_multiple_and_back_loses_nothing() -> None:
    given = walk(50, 100.0)
    assert_same(given.resampled(400.0).resampled(100.0), given)
    assert given.resampled(100.0) is given


def test_uneven_times_become_a_rate() -> None:
    even = walk(11, 10.0)
    uneven = PoseSequence.from_times([5.0, 5.1, 6.0], *even.sample([0.0, 0.1, 1.0]), rate=20.0, name="uneven")
    assert len(uneven) == 21
    np.testing.assert_allclose(uneven.positions[[0, 2, 20]], even.positions[[0, 1, 10]], atol=1e-12)


@pytest.mark.parametrize("times", [[0.0, 0.0, 1.0], [0.0, 1.0], [0.0, np.nan, 1.0], [2.0, 1.0, 3.0]])
def test_refuses_times_that_do_not_increase_or_fit(times: list[float]) -> None:
    with pytest.raises(TrajectoryError, match="times must increase"):
        PoseSequence.from_times(times, TURN.positions, TURN.orientations, 10.0)


@pytest.mark.parametrize(
    ("positions", "orientations", "rate", "message"),
    [
        (np.zeros((0, 3)), np.zeros((0, 4)), 1.0, "empty"),
        (np.zeros((1, 3)), [[0, 0, 0, 1]], 1.0, "2 or more"),
        (np.zeros((3, 3)), [[0, 0, 0, 1]] * 2, 1.0, "3 positions and 2 orientations"),
        (np.zeros((3, 2)), [[0, 0, 0, 1]] * 3, 1.0, r"shape \(3, 2\)"),
        (np.zeros(3), [[0, 0, 0, 1]] * 3, 1.0, r"shape \(3,\)"),
        ([[0, 0, 0], [0, np.nan, 0]], [[0, 0, 0, 1]] * 2, 1.0, "row 1 are not finite"),
        (np.zeros((2, 3)), [[0, 0, 0, 1], [0, 0, 0, np.inf]], 1.0, "orientations at row 1"),
        (np.zeros((2, 3)), np.zeros((2, 4)), 1.0, "quaternion of length 0"),
        (np.full((2, 3), 300.0), [[0, 0, 0, 1]] * 2, 1.0, "check the unit"),
        ([["a", "b", "c"]] * 2, [[0, 0, 0, 1]] * 2, 1.0, "not numbers"),
        (np.zeros((2, 3)), [[0, 0, 0, 1]] * 2, 0.0, "rate 0 Hz"),
        (np.zeros((2, 3)), [[0, 0, 0, 1]] * 2, np.nan, "rate nan Hz"),
    ],
)
def test_refuses_unusable_numbers(positions: object, orientations: object, rate: float, message: str) -> None:
    with pytest.raises(TrajectoryError, match=message) as caught:
        PoseSequence(np.asarray(positions), np.asarray(orientations), rate, "bad")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("rate", [0.0, -1.0, 1e9, np.nan])
def test_refuses_to_resample_to_no_rate(rate: float) -> None:
    with pytest.raises(TrajectoryError, match="rate"):
        TURN.resampled(rate)
