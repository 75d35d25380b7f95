"""The reference ghost: the arm where the goal wants it, the path that follows."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("rclpy")

from builtin_interfaces.msg import Time
from moe_controller.goals import EeGoal
from moe_controller.reference.ghost import LIFETIME, PATH_AHEAD, ReferenceGhost
from moe_controller.trajectory import PoseTrajectory
from robot_bridge.types import BaseState
from scipy.spatial.transform import Rotation
from visualization_msgs.msg import Marker, MarkerArray

TARGET = np.array([0.45, 0.1, 0.4])
HAND = 0.12
"""m from ee_link to the middle of a finger, at most."""
TURN = Rotation.from_euler("z", 0.8)
BASE = BaseState(np.array([2.0, 1.0, 0.3]), TURN.as_quat(), np.zeros(3), np.zeros(3))


def still(position: np.ndarray, frame: str = "base_link") -> EeGoal:
    return EeGoal(PoseTrajectory([0.0], [position]), frame, 0.0)


def drawn(goal: EeGoal, now: float = 0.0, base: BaseState | None = None) -> MarkerArray:
    markers = ReferenceGhost().markers(goal, now, base, Time())
    assert markers is not None
    return markers


def places(markers: MarkerArray) -> np.ndarray:
    arm = [marker.pose.position for marker in markers.markers if marker.ns == "reference"]
    return np.array([(point.x, point.y, point.z) for point in arm])


def path(markers: MarkerArray) -> np.ndarray:
    lines = [marker for marker in markers.markers if marker.ns == "reference_path"]
    return np.array([(point.x, point.y, point.z) for marker in lines for point in marker.points])


def test_the_hand_is_at_the_target_and_the_arm_on_the_robot() -> None:
    markers = drawn(still(TARGET))
    arm = places(markers)
    assert len(arm) > 8 and np.all(np.isfinite(arm))
    assert np.linalg.norm(arm - TARGET, axis=1).min() < HAND
    assert np.linalg.norm(arm[0] - arm[-1]) > 0.2
    assert {(m.ns, m.id) for m in markers.markers} == {("reference", index) for index in range(len(arm))}
    for marker in markers.markers:
        assert marker.lifetime == LIFETIME and marker.header.frame_id == "base_link" and 0.0 < marker.color.a < 1.0
        assert min(marker.scale.x, marker.scale.y, marker.scale.z) > 0.0
    assert len(path(markers)) == 0, "a target that stays has no path"


def test_a_target_in_odom_is_drawn_where_the_robot_sees_it() -> None:
    fixed = still(TURN.apply(TARGET) + BASE.position, "odom")
    np.testing.assert_allclose(places(drawn(fixed, base=BASE)), places(drawn(still(TARGET))), atol=1e-6)
    assert ReferenceGhost().markers(fixed, 0.0, None, Time()) is None, "nobody knows where that is"


def test_the_path_begins_now_and_looks_a_few_seconds_ahead() -> None:
    times = np.linspace(0.0, 20.0, 41)
    positions = TARGET + np.stack([0.0 * times, 0.01 * times, 0.0 * times], axis=1)
    goal = EeGoal(PoseTrajectory(times, positions), "base_link", 100.0)
    ahead = path(drawn(goal, 104.0))
    np.testing.assert_allclose(ahead[0], TARGET + [0.0, 0.04, 0.0])
    np.testing.assert_allclose(ahead[-1], TARGET + [0.0, 0.01 * (4.0 + PATH_AHEAD), 0.0])
    np.testing.assert_allclose(path(drawn(goal, 118.0))[-1], positions[-1])
    after = drawn(goal, 121.0)
    assert len(path(after)) == 0
    assert np.linalg.norm(places(after) - positions[-1], axis=1).min() < HAND


def test_a_given_orientation_turns_the_hand() -> None:
    natural = places(drawn(still(TARGET)))
    rolled = Rotation.from_euler("xyz", [0.6, 1.2, 0.0]).as_quat()
    turned = EeGoal(PoseTrajectory([0.0], [TARGET], [rolled]), "base_link", 0.0)
    assert np.abs(places(drawn(turned)) - natural).max() > 0.01
    assert np.linalg.norm(places(drawn(turned)) - TARGET, axis=1).min() < HAND


def test_out_of_reach_is_finite() -> None:
    for far in ([3.0, 0.0, 0.0], [0.0, 0.0, -5.0], [0.0, 0.0, 0.0]):
        markers = drawn(still(np.array(far)))
        assert np.all(np.isfinite(places(markers)))
        assert not any(m.type == Marker.LINE_STRIP for m in markers.markers)
