"""Goals out of ROS messages, with checks. Imports message packages, not rclpy."""

from __future__ import annotations

from array import array

import numpy as np
from builtin_interfaces.msg import Duration
from geometry_msgs.msg import Quaternion, Transform, Twist
from go2_piper_description.links import EE_LINK
from robot_bridge.convert import to_seconds, to_time
from std_msgs.msg import Int64MultiArray, MultiArrayDimension
from trajectory_msgs.msg import MultiDOFJointTrajectory, MultiDOFJointTrajectoryPoint

from .goals import GoalError
from .step_trace import FIELDS, StepTrace
from .trajectory import Array, PoseTrajectory

LARGEST_START_GAP = 60.0
"""s between the start of a trajectory and the states; more means two different clocks."""


def velocity_of(message: Twist) -> Array:
    """Return vx, vy, wz, shape (3,); the other components are not used."""
    return np.array([message.linear.x, message.linear.y, message.angular.z])


def quaternion_of(message: Quaternion) -> Array:
    """Return x, y, z, w, shape (4,)."""
    return np.array([message.x, message.y, message.z, message.w])


def trajectory_of(message: MultiDOFJointTrajectory, now: float | None) -> tuple[PoseTrajectory, float | None]:
    """Return the poses of `ee_link` and when they start.

    Args:
        message: one transform per point, of `ee_link`.
        now: stamp of the newest state, s; None where there is none.

    Returns:
        The trajectory, and its start on the clock of the states, s; None for the next control step (zero stamp).

    Raises:
        GoalError: in one line, for anything that is not such a trajectory.
    """
    if list(message.joint_names) not in ([], [EE_LINK]):
        raise GoalError(f"the trajectory is for {list(message.joint_names)}: give poses of '{EE_LINK}'")
    if any(len(point.transforms) != 1 for point in message.points):
        raise GoalError("each point of the trajectory needs one transform")
    transforms: list[Transform] = [point.transforms[0] for point in message.points]
    try:
        trajectory = PoseTrajectory(
            [to_seconds(point.time_from_start) for point in message.points],
            np.array([[t.translation.x, t.translation.y, t.translation.z] for t in transforms]).reshape(-1, 3),
            np.array([quaternion_of(t.rotation) for t in transforms]).reshape(-1, 4),
        )
    except ValueError as error:
        raise GoalError(str(error)) from None
    start = to_seconds(message.header.stamp)
    if start == 0.0:
        return trajectory, None
    if now is not None and abs(start - now) > LARGEST_START_GAP:
        raise GoalError(f"the trajectory starts at {start:.3f} s and the states are at {now:.3f} s: "
                        "stamp it with their clock (use_sim_time) or leave the stamp zero")  # fmt: skip
    return trajectory, start


def trajectory_message(trajectory: PoseTrajectory, frame: str) -> MultiDOFJointTrajectory:
    """Return `/ee_trajectory` for poses of `ee_link` in a frame; it begins when it arrives."""
    message = MultiDOFJointTrajectory(joint_names=[EE_LINK])
    message.header.frame_id = frame
    for time, position, orientation in zip(
        trajectory.times.tolist(), trajectory.positions.tolist(), trajectory.orientations.tolist(), strict=True
    ):
        transform = Transform()
        transform.translation.x, transform.translation.y, transform.translation.z = position
        transform.rotation.x, transform.rotation.y, transform.rotation.z, transform.rotation.w = orientation
        since = to_time(time)
        at = Duration(sec=since.sec, nanosec=since.nanosec)
        message.points.append(MultiDOFJointTrajectoryPoint(transforms=[transform], time_from_start=at))
    return message


def step_trace_message(trace: StepTrace) -> Int64MultiArray:
    """Return `/control_inputs` for a control step; the names stand in the label of the dimension."""
    message = Int64MultiArray(data=array("q", trace.numbers()))
    message.layout.dim = [MultiArrayDimension(label=",".join(FIELDS), size=len(FIELDS), stride=len(FIELDS))]
    return message


def step_trace_of(message: Int64MultiArray) -> StepTrace:
    """Return what `step_trace_message` put into a message. Raises ValueError, in one line, for another layout."""
    labels = [dimension.label for dimension in message.layout.dim]
    if labels != [",".join(FIELDS)]:
        raise ValueError(f"/control_inputs has the layout {labels}, not {[','.join(FIELDS)]}")
    return StepTrace.from_numbers(list(message.data))
