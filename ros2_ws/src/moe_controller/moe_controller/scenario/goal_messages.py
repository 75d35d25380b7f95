"""Goals as ROS messages."""

from __future__ import annotations

from builtin_interfaces.msg import Duration, Time
from geometry_msgs.msg import PoseStamped, Transform, Twist
from go2_piper_description.links import EE_LINK
from robot_bridge import convert
from trajectory_msgs.msg import MultiDOFJointTrajectory, MultiDOFJointTrajectoryPoint

from .scenarios import Goal


def target_message(goal: Goal, stamp: Time) -> PoseStamped:
    """Return `/ee_target` for a goal with a target."""
    assert goal.target is not None
    message = PoseStamped()
    message.header.frame_id = goal.frame
    message.header.stamp = stamp
    message.pose.position.x, message.pose.position.y, message.pose.position.z = goal.target
    message.pose.orientation.w = 1.0
    return message


def path_message(goal: Goal, start: Time) -> MultiDOFJointTrajectory:
    """Return `/ee_trajectory` for a goal with a path that begins at `start`."""
    message = MultiDOFJointTrajectory(joint_names=[EE_LINK])
    message.header.frame_id = goal.frame
    message.header.stamp = start
    for point in goal.path:
        transform = Transform()
        transform.translation.x, transform.translation.y, transform.translation.z = point.position
        transform.rotation.w = 1.0
        since = convert.to_time(point.time)
        message.points.append(
            MultiDOFJointTrajectoryPoint(
                transforms=[transform], time_from_start=Duration(sec=since.sec, nanosec=since.nanosec)
            )
        )
    return message


def velocity_message(goal: Goal) -> Twist:
    """Return `/cmd_vel` for a goal with a velocity."""
    assert goal.velocity is not None
    message = Twist()
    message.linear.x, message.linear.y, message.angular.z = goal.velocity
    return message
