"""Sends a saved trajectory of the end effector: `python -m moe_controller.teleop.send_trajectory_node FILE`."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

import rclpy
from nav_msgs.msg import Odometry
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions
from rclpy.utilities import remove_ros_args
from robot_bridge import convert
from robot_bridge.inbox import Inbox
from robot_bridge.types import BaseState
from trajectory_msgs.msg import MultiDOFJointTrajectory

from ..goals import BASE_LINK, ODOM, in_odom
from ..graph.description import CONTROLLER_NODE, PLANNER_NODE
from ..messages import trajectory_message
from ..trajectory import PoseTrajectory
from ..trajectory_file import TrajectoryFileError, load_trajectory

PATIENCE = 10.0
"""s for a controller, the odometry and the delivery."""
_PERIOD = 0.02


class SendError(RuntimeError):
    """The trajectory was not sent; one line."""


class Sender(Node):
    """Publishes one trajectory."""

    def __init__(self) -> None:
        super().__init__("send_trajectory", start_parameter_services=False)
        self._base: BaseState | None = None
        self._inbox = Inbox(self)
        self._inbox.subscribe(Odometry, "odom", self._on_odometry, 1)
        self._publisher = self.create_publisher(MultiDOFJointTrajectory, "ee_trajectory", 10)

    def _on_odometry(self, message: Odometry) -> None:
        self._base = convert.base_state(message)

    def _wait(self, condition: Callable[[], bool], problem: str) -> None:
        give_up = time.monotonic() + PATIENCE
        while not condition():
            if time.monotonic() > give_up:
                raise SendError(problem)
            time.sleep(_PERIOD)
            self._inbox.take()

    def _has_controller(self) -> bool:
        listeners = self.get_subscriptions_info_by_topic(self._publisher.topic_name)
        matched = self._publisher.get_subscription_count() >= len(listeners)
        return matched and any(info.node_name in (CONTROLLER_NODE, PLANNER_NODE) for info in listeners)

    def fixed_here(self, trajectory: PoseTrajectory) -> PoseTrajectory:
        """Return a trajectory of `base_link` fixed in `odom`, where the robot is now. Raises SendError."""
        self._wait(lambda: self._base is not None, "--here: no /odom came, so nobody knows where the robot is")
        assert self._base is not None
        positions, orientations = in_odom(trajectory.positions, trajectory.orientations, self._base)
        return PoseTrajectory(trajectory.times, positions, orientations if trajectory.turns else None)

    def send(self, trajectory: PoseTrajectory, frame: str) -> None:
        """Publish a trajectory and wait until it has arrived. Raises SendError."""
        self._wait(self._has_controller, "nobody who controls the robot listens: is the graph running?")
        self._publisher.publish(trajectory_message(trajectory, frame))
        if not self._publisher.wait_for_all_acked(Duration(seconds=PATIENCE)):
            raise SendError("the trajectory did not reach all who listen")


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(prog="send_trajectory", description="Send a saved trajectory to the controller.")
    parser.add_argument("file", type=Path, metavar="FILE", help="JSON of the cockpit, or of training.trajectories")
    parser.add_argument("--here", action="store_true", help="fix a trajectory of base_link where the robot is now")
    given = sys.argv[1:] if arguments is None else arguments
    options = parser.parse_args(remove_ros_args(["", *given])[1:])
    node: Sender | None = None
    try:
        trajectory, frame = load_trajectory(options.file)
        if options.here and frame != BASE_LINK:
            raise SendError(f"--here: {options.file} is fixed already, in {frame}")
        rclpy.init(args=given, signal_handler_options=SignalHandlerOptions.NO)
        node = Sender()
        if options.here:
            trajectory, frame = node.fixed_here(trajectory), ODOM
        node.send(trajectory, frame)
    except (TrajectoryFileError, SendError) as error:
        print(f"send_trajectory: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    finally:
        if node is not None:
            node.destroy_node()
        rclpy.try_shutdown()
    print(f"{options.file}: {trajectory.end - trajectory.start:.1f} s in {frame}, sent")
    return 0


if __name__ == "__main__":
    sys.exit(main())
