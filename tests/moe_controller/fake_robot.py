"""A bridge's topics without a robot: publishes states of a standing robot and collects what the controller sends."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Mapping
from typing import Any

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PoseStamped
from go2_piper_description.joints import NUM_JOINTS, joint_array
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState, GetState
from nav_msgs.msg import Odometry
from rcl_interfaces.srv import GetParameters, ListParameters
from rclpy.executors import SingleThreadedExecutor
from rclpy.parameter import parameter_value_to_python
from rclpy.qos import DurabilityPolicy, QoSProfile
from robot_bridge import convert
from sensor_msgs.msg import Imu, JointState
from std_msgs.msg import Float64MultiArray, String

from .states import base_at, standing

HANG = 120.0
"""s of wall time after which a test gives up; guards against hanging, says nothing about speed."""
MS = 1_000_000
TRANSITIONS = {
    "configure": Transition.TRANSITION_CONFIGURE,
    "activate": Transition.TRANSITION_ACTIVATE,
    "deactivate": Transition.TRANSITION_DEACTIVATE,
    "cleanup": Transition.TRANSITION_CLEANUP,
}


class FakeRobot:
    """Create it after `rclpy.init`, give it the controller's process, and call `close` at the end."""

    def __init__(self, process: subprocess.Popen[str], namespace: str = "", controller: str = "moe_controller") -> None:
        self._controller = process
        self._node = rclpy.create_node("fake_robot", namespace=namespace)
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self._node)
        self.commands: list[JointState] = []
        self.weights: list[Float64MultiArray] = []
        self.diagnostics: Mapping[str, str] = {}
        self.message = ""
        node = self._node
        self._imu = node.create_publisher(Imu, "imu/data", 10)
        self._odom = node.create_publisher(Odometry, "odom", 10)
        self._joints = node.create_publisher(JointState, "joint_states", 10)
        self._target = node.create_publisher(PoseStamped, "ee_target", 10)
        latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self._safety = node.create_publisher(String, "safety/state", latched)
        node.create_subscription(JointState, "joint_commands", self.commands.append, 100)
        node.create_subscription(Float64MultiArray, "moe/expert_weights", self.weights.append, 100)
        node.create_subscription(DiagnosticArray, "diagnostics", self._on_diagnostics, 10)
        self._get_state = node.create_client(GetState, f"{controller}/get_state")
        self._list_parameters = node.create_client(ListParameters, f"{controller}/list_parameters")
        self._get_parameters = node.create_client(GetParameters, f"{controller}/get_parameters")
        self._change_state = node.create_client(ChangeState, f"{controller}/change_state")

    def listen(self, kind: Any, topic: str, callback: Callable[[Any], None]) -> None:
        """Subscribe to another topic."""
        self._node.create_subscription(kind, topic, callback, 100)

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            self.diagnostics = {item.key: item.value for item in status.values}
            self.message = status.message

    @property
    def stamps(self) -> list[int]:
        """Stamps of the commands, ms."""
        return [convert.to_nanoseconds(command.header.stamp) // MS for command in self.commands]

    def close(self) -> None:
        """Destroy the node."""
        self._node.destroy_node()

    def spin(self, seconds: float) -> None:
        """Handle messages for a while."""
        end = time.monotonic() + seconds
        while (remaining := end - time.monotonic()) > 0:
            self._executor.spin_once(remaining)

    def wait(self, condition: Callable[[], object], what: str, meanwhile: Callable[[], None] | None = None) -> None:
        """Handle messages until something holds; fails when the controller ends or nothing happens for long."""
        give_up = time.monotonic() + HANG
        while not condition():
            assert self._controller.poll() is None, f"the controller ended while waiting for {what}"
            assert time.monotonic() < give_up, f"no {what}"
            if meanwhile is not None:
                meanwhile()
            self._executor.spin_once(0.02)

    def wait_command(self, milliseconds: int) -> None:
        """Wait for the command computed from the state of this stamp."""
        self.wait(lambda: milliseconds in self.stamps, f"command for {milliseconds} ms")

    def publish_state(self, milliseconds: int, joints: JointState | None = None) -> None:
        """Publish IMU, odometry and joint states of one stamp."""
        stamp = convert.to_time(1e-3 * milliseconds)
        state = standing(1e-3 * milliseconds, base_at((0.0, 0.0, 0.3)))
        assert state.base is not None
        if joints is None:
            joints = convert.joint_state_message(state, stamp)
        joints.header.stamp = stamp
        self._imu.publish(convert.imu_message(state, stamp))
        self._odom.publish(convert.odometry_message(state.base, stamp))
        self._joints.publish(joints)

    def publish_mode(self, mode: str) -> None:
        """Publish `/safety/state`."""
        self._safety.publish(String(data=f"{mode}: test"))

    def publish_target(self, frame: str, position: tuple[float, float, float]) -> None:
        """Publish `/ee_target`."""
        message = PoseStamped()
        message.header.frame_id = frame
        message.pose.position.x, message.pose.position.y, message.pose.position.z = position
        self._target.publish(message)

    def wait_for_controller(self) -> None:
        """Wait until the controller listens."""
        publishers = (self._imu, self._odom, self._joints, self._target)
        self.wait(lambda: all(p.get_subscription_count() for p in publishers), "subscriptions of the controller")

    def first_command(self, begin: int = 0) -> int:
        """Publish states 1 s apart until one is answered; return the stamp of the last one published, ms."""
        self.wait_for_controller()
        stamp = begin - 1000
        while not self.commands:
            stamp += 1000
            self.publish_state(stamp)
            self.spin(0.3)
            assert stamp < begin + 1e6, "no command"
        return stamp

    def controller_publishes(self) -> bool:
        """Whether there is a publisher of commands."""
        return self._node.count_publishers("joint_commands") > 0

    def lifecycle(self) -> str:
        """Return the lifecycle state of the controller."""
        return str(self._call(self._get_state, GetState.Request()).current_state.label)

    def change(self, transition: str) -> bool:
        """Ask for a lifecycle transition; return whether it succeeded."""
        request = ChangeState.Request(transition=Transition(id=TRANSITIONS[transition]))
        return bool(self._call(self._change_state, request).success)

    def parameters(self) -> dict[str, Any]:
        """Return the parameters of the controller and their values."""
        names = list(self._call(self._list_parameters, ListParameters.Request()).result.names)
        values = self._call(self._get_parameters, GetParameters.Request(names=names)).values
        return {name: parameter_value_to_python(value) for name, value in zip(names, values, strict=True)}

    def _call(self, client: Any, request: Any) -> Any:
        self.wait(client.service_is_ready, f"service {client.srv_name}")
        future = client.call_async(request)
        self.wait(future.done, f"answer of {client.srv_name}")
        return future.result()


def shuffled_joints(leave_out: int | None = None) -> JointState:
    """Return joint states of a standing robot in reversed order, perhaps without one joint."""
    message = convert.joint_state_message(standing(), convert.to_time(0.0))
    keep = [index for index in reversed(range(NUM_JOINTS)) if index != leave_out]
    stand, zeros = joint_array("stand"), [0.0] * len(keep)
    return JointState(
        name=[message.name[index] for index in keep], position=stand[keep].tolist(), velocity=zeros, effort=zeros
    )
