"""Publishes the reference ghost: a node of its own, so that no control loop pays for it."""

from __future__ import annotations

import sys
import time

from geometry_msgs.msg import PoseStamped
from nav_msgs.msg import Odometry
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from robot_bridge import convert
from robot_bridge.inbox import Inbox
from robot_bridge.priority import WATCHER, give_way
from robot_bridge.run_node import run_node
from robot_bridge.types import BaseState
from sensor_msgs.msg import JointState
from trajectory_msgs.msg import MultiDOFJointTrajectory
from visualization_msgs.msg import MarkerArray

from ..goals import EeGoal, GoalError, single_target
from ..messages import quaternion_of, trajectory_of
from .ghost import ReferenceGhost

_PERIOD = 0.1


class Reference(Node):
    """Follows the goals that everybody hears."""

    def __init__(self) -> None:
        super().__init__("reference", start_parameter_services=False)
        self._ghost = ReferenceGhost()
        self._goal: EeGoal | None = None
        self._base: BaseState | None = None
        self._stamp: float | None = None
        self._publisher = self.create_publisher(MarkerArray, "reference/ghost", 10)
        self._inbox = Inbox(self)
        self._inbox.subscribe(JointState, "joint_states", self._on_joints, 1)
        self._inbox.subscribe(Odometry, "odom", self._on_odometry, 1)
        self._inbox.subscribe(PoseStamped, "ee_target", self._on_target, 1)
        self._inbox.subscribe(MultiDOFJointTrajectory, "ee_trajectory", self._on_trajectory, 1)
        self._executor = SingleThreadedExecutor()

    def _on_joints(self, message: JointState) -> None:
        self._stamp = convert.to_seconds(message.header.stamp)

    def _on_odometry(self, message: Odometry) -> None:
        self._base = convert.base_state(message)

    def _on_target(self, message: PoseStamped) -> None:
        point = message.pose.position
        try:
            goal = single_target(
                (point.x, point.y, point.z),
                message.header.frame_id,
                self._base,
                quaternion_of(message.pose.orientation),
            )
        except GoalError:
            return  # the controller says why
        self._goal = EeGoal(goal.trajectory, goal.frame, 0.0)

    def _on_trajectory(self, message: MultiDOFJointTrajectory) -> None:
        try:
            trajectory, start = trajectory_of(message, self._stamp)
        except GoalError:
            return
        self._goal = EeGoal(trajectory, message.header.frame_id, self._stamp if start is None else start)

    def start(self) -> bool:
        """Nothing to begin."""
        return True

    def turn(self) -> None:
        """Renew the ghost."""
        time.sleep(_PERIOD)
        self._inbox.take()
        if self._goal is None or self._stamp is None or not self._publisher.get_subscription_count():
            return
        stamp = convert.to_time(self._stamp)
        markers = self._ghost.markers(self._goal, self._stamp, self._base, stamp)
        if markers is not None:
            self._publisher.publish(markers)

    def close(self) -> None:
        """Take the node down."""
        self._executor.shutdown()
        self.destroy_node()


def main(args: list[str] | None = None) -> int:
    """Run until a signal."""
    give_way(WATCHER)
    return run_node("reference", Reference, args)


if __name__ == "__main__":
    sys.exit(main())
