"""A pose of the base from outside: what is believed, and what makes the robot sit down."""

from __future__ import annotations

import numpy as np
import pytest
from robot_bridge.external_pose import CALM_TIME, MAX_AGE, ExternalPose

UPRIGHT = np.array([0.0, 0.0, 0.0, 1.0])
GYRO = np.array([0.0, 0.0, 0.3])


def _walking(seconds: float = 0.5, speed: float = 0.5) -> tuple[ExternalPose, float]:
    pose, now = ExternalPose(), 0.0
    while now < seconds:
        now += 0.01
        pose.add(now, np.array([speed * now, 0.0, 0.3]), UPRIGHT)
    return pose, now


def test_poses_and_their_velocity_are_passed_on() -> None:
    pose, now = _walking()
    assert pose.fault(now) is None
    base = pose.base(GYRO)
    assert base is not None
    np.testing.assert_allclose(base.position, [0.5 * now, 0.0, 0.3])
    np.testing.assert_allclose(base.linear_velocity, [0.5, 0.0, 0.0], atol=0.01)
    np.testing.assert_allclose(base.angular_velocity, GYRO)


def test_velocity_is_in_the_axes_of_the_base() -> None:
    pose = ExternalPose()
    turned = np.array([0.0, 0.0, np.sqrt(0.5), np.sqrt(0.5)])
    for index in range(50):
        pose.add(0.01 * index, np.array([0.0, 0.005 * index, 0.3]), turned)
    base = pose.base(GYRO)
    assert base is not None
    np.testing.assert_allclose(base.linear_velocity, [0.5, 0.0, 0.0], atol=0.02)


def test_none_yet_is_a_fault() -> None:
    pose = ExternalPose()
    assert pose.fault(0.0) == "no external pose yet" and pose.base(GYRO) is None


def test_late_pose_is_a_fault() -> None:
    pose, now = _walking()
    assert pose.fault(now + MAX_AGE - 0.01) is None
    assert "s old" in str(pose.fault(now + MAX_AGE + 0.01))


@pytest.mark.parametrize(
    ("position", "orientation", "word"),
    [([5.0, 0.0, 0.3], UPRIGHT, "jumped"), ([0.25, 0.0, 0.3], [0.0, 0.0, 1.0, 0.0], "turned")],
)
def test_jump_is_a_fault_for_a_while(position: list[float], orientation: object, word: str) -> None:
    pose, now = _walking()
    now += 0.01
    place, turn = np.array(position), np.array(orientation)
    pose.add(now, place, turn)
    assert word in str(pose.fault(now))
    base = pose.base(GYRO)
    assert base is not None and np.abs(base.linear_velocity).max() < 1.0  # no jump of the velocity with it
    later = now
    while later < now + CALM_TIME + 0.02:
        later += 0.01
        pose.add(later, place, turn)
    assert pose.fault(later) is None


@pytest.mark.parametrize("position", [np.full(3, np.nan), np.array([np.inf, 0.0, 0.0])])
def test_what_is_no_number_counts_as_no_pose(position: np.ndarray) -> None:
    pose, now = _walking()
    for index in range(30):
        pose.add(now + 0.01 * (index + 1), position, UPRIGHT)
    assert "s old" in str(pose.fault(now + 0.3))
    pose.add(now + 0.31, np.zeros(3), np.zeros(4))
    assert "s old" in str(pose.fault(now + 0.31))
