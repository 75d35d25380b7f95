"""The cockpit's node: between the graph and the browsers. Serves on the loopback address only."""

from __future__ import annotations

import logging
import sys
import time
from pathlib import Path
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PoseStamped, Twist
from go2_piper_description.joints import GRIPPER
from nav_msgs.msg import Odometry
from rcl_interfaces.msg import ParameterDescriptor
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from robot_bridge import convert
from robot_bridge.inbox import Inbox
from robot_bridge.priority import PERSON, give_way
from robot_bridge.run_node import run_node
from sensor_msgs.msg import JointState
from std_msgs.msg import Float64MultiArray, String
from trajectory_msgs.msg import MultiDOFJointTrajectory
from visualization_msgs.msg import MarkerArray

from ..calls import PUSH, STOP, Calls
from ..goals import BASE_LINK, ODOM, EeGoal, GoalError
from ..messages import quaternion_of, trajectory_message, trajectory_of
from ..trajectory import PoseTrajectory
from .heard import Heard
from .local_server import LOOPBACK, LocalServer, PortError
from .marker_scene import MarkerScene
from .panel import Panel
from .trajectory_recording import TrajectoryRecording
from .wishes import Wishes

MARKERS = ("moe/markers", "cem/ghost", "reference/ghost")
_PERIOD = 0.01
"""s of a turn."""
_LISTEN_PERIOD = 0.05
_VELOCITY_PERIOD = 0.1
_STATE_PERIOD = 0.25
_PLOT_PERIOD = 1.0
_LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)


class CockpitNode(Node):
    """Shows the graph to browsers and publishes what people do there."""

    def __init__(self) -> None:
        super().__init__("cockpit", start_parameter_services=False)
        port = int(self._declare("port", 8080, "of the page"))
        host = str(self._declare("host", LOOPBACK, "address of the page; loopback keeps other hosts out"))
        folder = str(self._declare("out", "", "folder for recorded trajectories; empty for the working directory"))
        self.heard, self.wishes = Heard(), Wishes()
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self)
        self.calls = Calls(self, self._tell, lambda: self._executor.spin_once(timeout_sec=0.0))
        self._recording = TrajectoryRecording(Path(folder), self._tell)
        self.server = LocalServer(host, port)
        self._panel = Panel(self.server, self.wishes, self._recording, self.stop)
        self._markers = {topic: MarkerScene(self.server.scene, topic.replace("/", "_")) for topic in MARKERS}
        self._inbox = Inbox(self)
        self._listen()
        self._target = self.create_publisher(PoseStamped, "ee_target", 10)
        self._path = self.create_publisher(MultiDOFJointTrajectory, "ee_trajectory", 10)
        self._velocity = self.create_publisher(Twist, "cmd_vel", 10)
        self._grip = self.create_publisher(JointState, "gripper_command", 10)
        self._due = dict.fromkeys(("listen", "velocity", "state", "plots"), 0.0)
        self._address = f"http://{host}:{port}"

    def _declare(self, name: str, default: Any, description: str) -> Any:
        return self.declare_parameter(name, default, ParameterDescriptor(description=description)).value

    def _tell(self, text: str) -> None:
        self._panel.tell(text)

    # -- from the graph ------------------------------------------------------------------------------------------------

    def _listen(self) -> None:
        # only the newest counts: what a browser does not show in time is not worth anything
        take = self._inbox.subscribe
        take(JointState, "joint_states", self._on_joints, 1)
        take(Odometry, "odom", self._on_odometry, 1)
        take(String, "safety/state", self._on_gate, _LATCHED)
        take(Float64MultiArray, "moe/expert_weights", self._on_weights, 1)
        take(DiagnosticArray, "diagnostics", self._on_diagnostics, 10)
        take(PoseStamped, "ee_target", self._on_target, 1)
        take(MultiDOFJointTrajectory, "ee_trajectory", self._on_trajectory, 1)
        for topic, markers in self._markers.items():
            take(MarkerArray, topic, markers.show, 1)

    def _on_joints(self, message: JointState) -> None:
        self.heard.take_joints(list(message.name), list(message.position), convert.to_seconds(message.header.stamp))

    def _on_odometry(self, message: Odometry) -> None:
        self.heard.base = convert.base_state(message)

    def _on_gate(self, message: String) -> None:
        self.heard.gate = message.data

    def _on_weights(self, message: Float64MultiArray) -> None:
        labels = [dimension.label.partition(":")[2].split(",") for dimension in message.layout.dim]
        if len(labels) == 2 and len(message.data) == len(labels[0]) * len(labels[1]):
            names = [f"{group}: {expert}" for group in labels[0] for expert in labels[1]]
            self.heard.weights = dict(zip(names, message.data, strict=True))

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            self.heard.diagnostics[status.name] = {item.key: item.value for item in status.values}

    def _on_target(self, message: PoseStamped) -> None:
        point, turn = message.pose.position, quaternion_of(message.pose.orientation)
        try:
            trajectory = PoseTrajectory([0.0], [[point.x, point.y, point.z]], [turn])
        except ValueError:
            return
        self._take_goal(EeGoal(trajectory, message.header.frame_id, 0.0))

    def _on_trajectory(self, message: MultiDOFJointTrajectory) -> None:
        try:
            trajectory, start = trajectory_of(message, None)
        except GoalError:
            return
        self._take_goal(EeGoal(trajectory, message.header.frame_id, self.heard.stamp if start is None else start))

    def _take_goal(self, goal: EeGoal) -> None:
        self.heard.goal = goal
        pose = goal.trajectory.sample(goal.trajectory.start)
        if goal.frame == self._frame():
            self._panel.show_target(pose.position, pose.orientation)
        elif goal.frame == BASE_LINK:
            self._panel.show_target(self.heard.in_scene(pose.position), pose.orientation)

    # -- to the graph --------------------------------------------------------------------------------------------------

    def _frame(self) -> str:
        """Return the frame of the scene: odom where the base is known."""
        return BASE_LINK if self.heard.base is None else ODOM

    def stop(self) -> None:
        """Stop the robot; runs in the web server's thread and does not wait for the loop."""
        self.wishes.stop()
        self._recording.take_back()
        self.calls.stop()

    def _carry_out(self) -> None:
        for name in self.wishes.take_services():
            self.calls.call(name)
        if (target := self.wishes.take_target()) is not None:
            message = PoseStamped()
            message.header.frame_id = self._frame()
            message.header.stamp = convert.to_time(self.heard.stamp)
            point, turn = message.pose.position, message.pose.orientation
            point.x, point.y, point.z = target[0].tolist()
            turn.x, turn.y, turn.z, turn.w = target[1].tolist()
            self._target.publish(message)
            self._recording.note(*target, self._frame())
        if (travel := self.wishes.take_gripper()) is not None:
            self._grip.publish(JointState(name=[GRIPPER.name], position=[travel]))
        if (path := self._recording.take_to_send()) is not None:
            self._path.publish(trajectory_message(*path))

    def _send_velocity(self) -> None:
        velocity = self.wishes.velocity()
        if velocity is not None:
            message = Twist()
            message.linear.x, message.linear.y, message.angular.z = velocity.tolist()
            self._velocity.publish(message)

    # -- the loop ------------------------------------------------------------------------------------------------------

    def start(self) -> bool:
        """Say where the page is."""
        self.get_logger().info(f"cockpit at {self._address}")
        return True

    def _is_due(self, what: str, period: float) -> bool:
        now = time.monotonic()
        if now - self._due[what] < period:
            return False
        self._due[what] = now
        return True

    def turn(self) -> None:
        """Carry out wishes, then show what is new."""
        time.sleep(_PERIOD)
        self._carry_out()
        self.calls.turn()
        if self._is_due("velocity", _VELOCITY_PERIOD):
            self._send_velocity()
        if not self._is_due("listen", _LISTEN_PERIOD):
            return
        self._inbox.take()
        if not self.server.get_clients():
            self.wishes.release()
        else:
            with self.server.atomic():
                self._panel.follow(self.heard)
                for markers in self._markers.values():
                    markers.expire()
        if self._is_due("state", _STATE_PERIOD):
            quiet = self.heard.alive and not self.calls.offered(STOP)
            self._panel.show_state(self.heard, self.calls.offered(PUSH), quiet)
        if self._is_due("plots", _PLOT_PERIOD):
            self.heard.sample()
            if self.server.get_clients():
                self._panel.plots.show(self.heard)

    def close(self) -> None:
        """Stop the server and take the node down."""
        self.server.stop()
        self._executor.shutdown()
        self.destroy_node()


def main(args: list[str] | None = None) -> int:
    """Run the cockpit until a signal. Returns the exit code: 0 after a signal, 1 where it could not start."""
    give_way(PERSON)
    logging.getLogger("websockets").setLevel(logging.CRITICAL)  # browsers come and go as they like
    return run_node("cockpit", CockpitNode, args, (PortError,))


if __name__ == "__main__":
    sys.exit(main())
