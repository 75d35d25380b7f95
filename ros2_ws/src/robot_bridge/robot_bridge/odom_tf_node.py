"""Publishes `/odom` as the transform odom -> base_link for rviz2. Needs tf2_msgs, so only a full ROS installation."""

from __future__ import annotations

import contextlib
import sys

import rclpy
from geometry_msgs.msg import TransformStamped
from nav_msgs.msg import Odometry
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node


class OdomTfNode(Node):
    """Repeats each odometry message on `/tf`."""

    def __init__(self) -> None:
        super().__init__("odom_tf")
        from tf2_msgs.msg import TFMessage

        self._message_type = TFMessage
        self._publisher = self.create_publisher(TFMessage, "/tf", 10)
        self.create_subscription(Odometry, "odom", self._on_odom, 10)

    def _on_odom(self, odometry: Odometry) -> None:
        transform = TransformStamped(header=odometry.header, child_frame_id=odometry.child_frame_id)
        pose = odometry.pose.pose
        transform.transform.translation.x = pose.position.x
        transform.transform.translation.y = pose.position.y
        transform.transform.translation.z = pose.position.z
        transform.transform.rotation = pose.orientation
        self._publisher.publish(self._message_type(transforms=[transform]))


def main() -> None:
    """Run the node."""
    rclpy.init()
    try:
        with contextlib.suppress(KeyboardInterrupt, ExternalShutdownException):
            rclpy.spin(OdomTfNode())
    except ModuleNotFoundError as error:
        sys.exit(f"odom_tf: {error}: install ros-jazzy-tf2-msgs")
    finally:
        rclpy.try_shutdown()


if __name__ == "__main__":
    main()
