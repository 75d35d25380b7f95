"""Markers, weights and goals as ROS messages."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("visualization_msgs")

from builtin_interfaces.msg import Time
from geometry_msgs.msg import Quaternion, Transform, Twist, Vector3
from moe_controller.controller import ControlOutput
from moe_controller.goals import GoalError
from moe_controller.markers import control_markers, weights_message, weights_text
from moe_controller.messages import quaternion_of, trajectory_of, velocity_of
from moe_controller.policy import PolicyOutput
from moe_controller.trajectory import Pose
from robot_bridge.convert import to_time
from trajectory_msgs.msg import MultiDOFJointTrajectory, MultiDOFJointTrajectoryPoint
from visualization_msgs.msg import Marker

from tests.support.tiny_policy import TINY_CONTRACT

WEIGHTS = np.array([[0.9, 0.1], [0.0, 1.0]])
OUTPUT = ControlOutput(
    position=np.zeros(18),
    weights=WEIGHTS,
    velocity_command=np.zeros(3),
    target=Pose(np.array([2.0, 0.5, 0.4]), np.array([0.0, 0.0, 0.0, 1.0])),
    shown_target=np.array([0.5, 0.1, 0.3]),
    shown_rotation=np.eye(3),
    walking=False,
    action=np.zeros(18),
    policy=PolicyOutput(np.zeros(18), WEIGHTS, np.zeros((2, 18))),
)


def test_weights_message_is_row_major_and_labelled() -> None:
    message = weights_message(WEIGHTS, TINY_CONTRACT)
    assert list(message.data) == [0.9, 0.1, 0.0, 1.0]
    assert [dim.label for dim in message.layout.dim] == ["groups:legs,arm", "experts:base,arm"]
    assert [(dim.size, dim.stride) for dim in message.layout.dim] == [(2, 4), (2, 2)]


def test_weights_text() -> None:
    assert weights_text(WEIGHTS, TINY_CONTRACT) == "legs: base 0.90  arm 0.10\narm: base 0.00  arm 1.00"


def test_markers_show_target_projection_and_weights() -> None:
    markers = control_markers(OUTPUT, TINY_CONTRACT, Time(sec=3)).markers
    by_name = {marker.ns: marker for marker in markers}
    assert {(m.header.frame_id, m.header.stamp.sec) for m in markers} == {("base_link", 3)}
    assert len({(m.ns, m.id) for m in markers}) == len(markers)
    assert by_name["target"].pose.position.x == 2.0
    assert by_name["shown_target"].pose.position.x == 0.5
    heights = [m.scale.z for m in markers if m.ns == "weights"]
    np.testing.assert_allclose(heights, [0.18, 0.02, 0.002, 0.2])
    for marker in markers:
        assert marker.pose.orientation.w == 1.0
        assert marker.lifetime.sec > 0
        assert marker.type == Marker.TEXT_VIEW_FACING or min(marker.scale.x, marker.scale.y, marker.scale.z) > 0


def test_walking_is_written_above_the_robot() -> None:
    def text(walking: bool) -> str:
        markers = control_markers(replace(OUTPUT, walking=walking), TINY_CONTRACT, Time()).markers
        return next(str(marker.text) for marker in markers if marker.text)

    assert "walking" in text(True)
    assert "walking" not in text(False)


def test_velocity_and_quaternion() -> None:
    twist = Twist(linear=Vector3(x=0.1, y=0.2, z=9.0), angular=Vector3(x=9.0, y=9.0, z=0.3))
    np.testing.assert_allclose(velocity_of(twist), (0.1, 0.2, 0.3))
    np.testing.assert_allclose(quaternion_of(Quaternion(x=0.1, y=0.2, z=0.3, w=0.4)), (0.1, 0.2, 0.3, 0.4))


def path_message(times: tuple[float, ...] = (0.0, 1.0), stamp: float = 0.0) -> MultiDOFJointTrajectory:
    message = MultiDOFJointTrajectory(joint_names=["ee_link"])
    message.header.stamp = to_time(stamp)
    for time in times:
        transform = Transform(translation=Vector3(x=0.4, y=0.1 * time, z=0.3))
        message.points.append(MultiDOFJointTrajectoryPoint(transforms=[transform]))
        message.points[-1].time_from_start.sec = int(time)
        message.points[-1].time_from_start.nanosec = round(1e9 * (time - int(time)))
    return message


def test_trajectory_with_and_without_stamp() -> None:
    trajectory, start = trajectory_of(path_message(), now=5.0)
    assert start is None
    np.testing.assert_allclose(trajectory.sample(0.5).position, (0.4, 0.05, 0.3))
    assert trajectory_of(path_message(stamp=6.5), now=5.0)[1] == pytest.approx(6.5)


def test_bad_trajectories_are_refused_in_one_line() -> None:
    other_link = path_message()
    other_link.joint_names = ["wrist"]
    no_transform = path_message()
    no_transform.points[0].transforms = []
    bad = [other_link, no_transform, path_message(()), path_message((1.0, 1.0)), path_message(stamp=1.7e9)]
    for message in bad:
        with pytest.raises(GoalError) as caught:
            trajectory_of(message, now=5.0)
        assert "\n" not in str(caught.value)
