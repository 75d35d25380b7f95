"""What teleoperation publishes and calls. Shared by keyboard and gamepad."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from geometry_msgs.msg import PoseStamped, Twist
from go2_piper_description.joints import GRIPPER
from sensor_msgs.msg import JointState
from trajectory_msgs.msg import MultiDOFJointTrajectory

from ..calls import STOP, Calls
from ..goals import BASE_LINK
from ..messages import trajectory_message
from ..trajectory import PoseTrajectory
from .motion import Motion

if TYPE_CHECKING:
    from rclpy.node import Node


class TeleopOutput:
    """Publishers and clients of a teleoperating node.

    Args:
        node: owner.
        tell: shows a line to the person.
        spin: takes an answer that has come, if there is one.
    """

    def __init__(self, node: Node, tell: Callable[[str], None], spin: Callable[[], None]) -> None:
        self._velocity = node.create_publisher(Twist, "cmd_vel", 10)
        self._target = node.create_publisher(PoseStamped, "ee_target", 10)
        self._gripper = node.create_publisher(JointState, "gripper_command", 10)
        self._path = node.create_publisher(MultiDOFJointTrajectory, "ee_trajectory", 10)
        self._calls = Calls(node, tell, spin)

    def send(self, motion: Motion) -> bool:
        """Let the motion go on and publish it; return whether the target has changed."""
        velocity, moved, gripped = motion.step()
        if velocity is not None:
            message = Twist()
            message.linear.x, message.linear.y, message.angular.z = velocity.tolist()
            self._velocity.publish(message)
        if moved:
            target = PoseStamped()
            target.header.frame_id = BASE_LINK
            target.pose.orientation.w = 1.0
            target.pose.position.x, target.pose.position.y, target.pose.position.z = motion.target.tolist()
            self._target.publish(target)
        if gripped:
            self._gripper.publish(JointState(name=[GRIPPER.name], position=[motion.gripper]))
        return moved

    def send_path(self, trajectory: PoseTrajectory, frame: str) -> None:
        """Publish a trajectory that begins now."""
        self._path.publish(trajectory_message(trajectory, frame))

    def call(self, service: str) -> None:
        """Call a service of the gate; the emergency stop goes out even where nobody seems to offer it."""
        if service == STOP:
            self._calls.stop()
        else:
            self._calls.call(service)

    def hear(self) -> None:
        """Tell what the services have answered; repeat a stop that was not answered."""
        self._calls.turn()
