"""The bridge node: one plant, one safety gate, the topics of docs/architecture.md.

One thread. Each turn of the loop sleeps until its deadline, takes the messages that are there (in lockstep: until the
controller's command is among them) and then steps the gate, writes and steps the plant, reads it and publishes.
"""

from __future__ import annotations

import sys
import time
from collections import Counter, deque
from dataclasses import replace
from typing import Any, cast

import numpy as np
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from geometry_msgs.msg import PoseStamped
from nav_msgs.msg import Odometry
from rcl_interfaces.msg import SetParametersResult
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, QoSProfile
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import Imu, JointState
from std_msgs.msg import String
from std_srvs.srv import Trigger

from . import convert
from .bridge_params import Settings, flat, read_settings
from .domain_lock import claim_domain
from .external_pose import ExternalPose
from .gate import GateInputs, GateOutput, GateState, step
from .inbox import Inbox
from .lockstep import Lockstep
from .modes import Mode, Request
from .plant import Plant, PlantError, PushedPlant, SteppedPlant
from .plant_loader import make_plant
from .priority import BRIDGE, go_first
from .run_node import run_node
from .timing import FixedRate, LatencyTracker
from .types import JointCommand, RobotState

QUEUE = 10
_POLL = 0.02
"""s to sleep at a time: an upper bound for the reaction to signals."""
_LOCKSTEP_WAIT = 0.005
"""s to wait at a time for the command that a step waits for: services have to be served meanwhile."""
_SERVICE_PERIOD = 0.02
"""s between looks at services and parameters: a control period, and much cheaper than in each turn."""
_PUBLISHER_CHECK = 0.1
"""s between looks at who publishes commands."""
_NEWCOMER_TIME = 10.0
"""s after its start in which a bridge that meets another one gives way: discovery may be slow on a busy machine."""
_DIAGNOSTICS_PERIOD = 1.0
_LEVELS = {Mode.ESTOP: DiagnosticStatus.ERROR, Mode.DAMPING: DiagnosticStatus.WARN,
           Mode.DISCONNECTED: DiagnosticStatus.WARN}  # fmt: skip


class Bridge(Node):
    """Publishes what a plant measures and writes to it what the safety gate lets through."""

    def __init__(self) -> None:
        super().__init__("robot_bridge", automatically_declare_parameters_from_overrides=True)
        self.settings = self._read_parameters()
        bridge = self.settings.bridge
        self._refuse_second_bridge(bridge.discovery_time)
        self.plant: Plant = make_plant(self.settings.plant_class, self.settings.plant_options)
        self.stepped = self.plant if isinstance(self.plant, SteppedPlant) else None
        if bridge.lockstep and self.stepped is None:
            raise ValueError(f"lockstep is for simulations: {bridge.plant} cannot be stepped")
        self._steps_per_turn = self._count_steps(bridge.rate)
        # plants of real robots measure monotonic time, messages carry the time of day
        self._offset_ns = 0 if self.stepped is not None else time.time_ns() - time.monotonic_ns()
        self._gate = GateState()
        self._state: RobotState | None = None
        self._command: JointCommand | None = None
        self._gripper: float | None = None
        self._command_publishers = 0
        self._publishers_checked = -1.0
        self._started = time.monotonic()
        self._answered = False
        self._served = -1.0
        self._asked: tuple[int, str] | None = None
        self._published: deque[tuple[int, float]] = deque(maxlen=200)
        self.latency = LatencyTracker()
        self.counts: Counter[str] = Counter()
        self._last_event = ""
        self.lockstep = (
            Lockstep(bridge.control_period, bridge.wait_for_run_until, bridge.command_patience)
            if bridge.lockstep
            else None
        )
        self._paced = bridge.lockstep is False or bridge.speed > 0.0
        self.rate = FixedRate(1.0 / (bridge.rate * (bridge.speed if self.stepped and bridge.speed > 0.0 else 1.0)))
        self._diagnosed = (time.monotonic(), self.now(), 0)
        self._external = ExternalPose() if bridge.external_pose_topic and self.stepped is None else None
        self._create_interfaces(bridge.publish_clock)
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self)
        self._scheduling = "normal"

    # -- start -------------------------------------------------------------------------------------------------------

    def _read_parameters(self) -> Settings:
        overrides = cast("dict[str, Parameter]", self.get_parameters_by_prefix(""))
        given = {name: item.value for name, item in overrides.items()}
        settings = read_settings(given)
        for name, value in flat(settings).items():
            if not self.has_parameter(name):
                self.declare_parameter(name, value)
        self.add_on_set_parameters_callback(_refuse_change)
        return settings

    def _refuse_second_bridge(self, discovery_time: float) -> None:
        """Look for another bridge before anything is started: on this machine, then wherever discovery reaches."""
        self._claim = claim_domain(self.get_namespace())  # held until the process ends
        deadline = time.monotonic() + discovery_time
        while True:
            self._refuse_publishers_beside(0)
            if time.monotonic() >= deadline:
                return
            time.sleep(0.05)

    def _refuse_publishers_beside(self, own: int) -> None:
        topic = self.resolve_topic_name("joint_states")
        if self.count_publishers(topic) > own:
            raise ValueError(f"{topic} is published already: another bridge runs here; stop it or set another "
                             "ROS_DOMAIN_ID")  # fmt: skip

    def _count_steps(self, rate: float) -> int:
        if self.stepped is None:
            return 1
        ratio = 1.0 / (rate * self.stepped.step_period)
        if round(ratio) < 1 or abs(ratio - round(ratio)) > 1e-3:
            period = self.stepped.step_period
            raise ValueError(f"rate is {rate} Hz: it must be 1 / (n x {period:g} s), whole steps of the plant")
        return round(ratio)

    def _create_interfaces(self, publish_clock: bool) -> None:
        self._clock_pub = self.create_publisher(Clock, "/clock", QUEUE) if publish_clock and self.stepped else None
        self._imu_pub = self.create_publisher(Imu, "imu/data", QUEUE)
        self._odom_pub = self.create_publisher(Odometry, "odom", QUEUE)
        self._joints_pub = self.create_publisher(JointState, "joint_states", QUEUE)
        latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self._safety_pub = self.create_publisher(String, "safety/state", latched)
        self._diagnostics_pub = self.create_publisher(DiagnosticArray, "diagnostics", QUEUE)
        self._inbox = Inbox(self)
        self._command_sub = self._inbox.subscribe(JointState, "joint_commands", self._on_command, QUEUE, warn=True)
        self._inbox.subscribe(JointState, "gripper_command", self._on_gripper, QUEUE, warn=True)
        if self._external is not None:
            topic = self.settings.bridge.external_pose_topic
            self._inbox.subscribe(PoseStamped, topic, self._on_external_pose, QUEUE, warn=True)
        if self.lockstep is not None:
            self._inbox.subscribe(Time, "sim/run_until", self._on_run_until, QUEUE)
        if self.stepped is not None and isinstance(self.plant, PushedPlant):
            self.create_service(Trigger, "sim/push", self._push)
        for request in Request:
            self.create_service(Trigger, f"safety/{request}", self._service(request))

    # -- messages ------------------------------------------------------------------------------------------------------

    def now(self) -> float:
        """Return the time of the gate and the plant, s."""
        return self.stepped.time if self.stepped is not None else time.monotonic()

    def _on_command(self, message: JointState) -> None:
        arrived = time.perf_counter()
        self.counts["commands"] += 1
        stamp = convert.to_nanoseconds(message.header.stamp)
        sent = next((wall for ns, wall in reversed(self._published) if ns == stamp), None)
        if sent is not None:
            self.latency.add(arrived - sent)
        self._command = convert.joint_command(message, self.now(), self._offset_ns)
        if self.lockstep is not None:
            self.lockstep.command_arrived(self._command.state_stamp, self.now())

    def _on_gripper(self, message: JointState) -> None:
        try:
            self._gripper = convert.gripper_travel(message)
        except ValueError as error:
            self.get_logger().warning(str(error), throttle_duration_sec=1.0)

    def _on_external_pose(self, message: PoseStamped) -> None:
        if self._external is not None:
            place, turn = message.pose.position, message.pose.orientation
            position, orientation = np.array([place.x, place.y, place.z]), np.array([turn.x, turn.y, turn.z, turn.w])
            self._external.add(time.monotonic(), position, orientation)

    def _with_external_pose(self, state: RobotState | None) -> RobotState | None:
        """Return the state with the base from outside; without one to trust the robot shall sit down."""
        if self._external is None or state is None:
            return state
        fault = self._external.fault(time.monotonic())
        wear = state.wear if fault is None else (*state.wear, fault)
        return replace(state, base=self._external.base(state.angular_velocity), wear=wear)

    def _on_run_until(self, message: Time) -> None:
        if self.lockstep is not None:
            self.lockstep.run_until(convert.to_seconds(message))

    def _service(self, request: Request) -> Any:
        def answer(_: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
            self._answered = True
            self._check_publishers(force=True)
            output = self._step_gate((request,))
            reply = output.replies[0]
            response.success, response.message = reply.accepted, reply.message
            return response

        return answer

    def _push(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        assert isinstance(self.plant, PushedPlant)
        self._answered = True
        response.success, response.message = True, self.plant.push()
        return response

    def handle_messages(self) -> None:
        """Handle all messages that are there and, every `_SERVICE_PERIOD`, all requests."""
        self._inbox.take()
        wall = time.monotonic()
        if wall - self._served < _SERVICE_PERIOD:
            return
        self._served = wall
        self._answered = True
        while self._answered:  # one spin_once handles one callback
            self._answered = False
            self._executor.spin_once(timeout_sec=0.0)

    # -- the loop ------------------------------------------------------------------------------------------------------

    def turn(self) -> None:
        """Wait until the next step is due, handle messages, take the step."""
        if self._paced:
            while (remaining := self.rate.remaining()) > 0.0:
                time.sleep(min(remaining, _POLL))
            self.rate.advance()
        self.handle_messages()
        if self.lockstep is not None and self.stepped is not None:
            step_time = self._steps_per_turn * self.stepped.step_period
            if not self.lockstep.may_step(self.now(), step_time, time.monotonic()):
                self._inbox.wait(_LOCKSTEP_WAIT)
                self._diagnose()
                return
        self._check_publishers()
        self._advance()
        self._diagnose()

    def _advance(self) -> None:
        if self.stepped is None:
            self._state = self._with_external_pose(self.plant.read())
            self._step_gate(self._requests_at_the_robot())
        else:
            # the state read after the last step is the one that commands were computed from
            self._step_gate()
            for _ in range(self._steps_per_turn):
                self.stepped.step()
            self._state = self.plant.read()
        self.counts["turns"] += 1
        self._publish_state()

    def _requests_at_the_robot(self) -> tuple[Request, ...]:
        """Return what the robot's own remote control asks for, once; one that was pressed before the start does not."""
        asked = self._state.request if self._state is not None else None
        if asked is None or asked == self._asked:
            return ()
        self._asked = asked
        name = asked[1]
        return (Request(name),) if name in {request.value for request in Request} else ()

    def start(self) -> bool:
        """Start the plant and publish the first state. Raises PlantError where it does not start."""
        self.plant.start()
        self._state = self.plant.read()
        self._asked = self._state.request if self._state is not None else None
        self._publish_safety(self._gate.mode, self._gate.reason)
        self._step_gate()  # requests are answered before time passes, as lockstep may wait at time zero
        self._publish_state()
        if self.settings.bridge.real_time:
            self._scheduling = go_first(BRIDGE)
        self.rate.restart()
        self.get_logger().info(f"plant {self.settings.bridge.plant} started")
        return True

    def close(self) -> None:
        """Stop the plant and take the node down; its executor first, which would complain at the interpreter's end."""
        self.plant.stop()
        self._executor.shutdown()
        self.destroy_node()

    def _step_gate(self, requests: tuple[Request, ...] = ()) -> GateOutput:
        inputs = GateInputs(self.now(), self._state, self._command, self._command_publishers, self._gripper, requests)
        before = self._gate.mode
        self._gate, output = step(self._gate, inputs, self.settings.gate)
        if output.targets is not None:
            self.plant.write(output.targets)
        for event in output.events:
            self.get_logger().info(f"[{inputs.now:.3f} s] {event}")
            self._last_event = event
        self.counts["events"] += len(output.events)
        self.counts.update(f"limited by {name}" for name in output.limited)
        if output.mode is not before:
            self._publish_safety(output.mode, output.reason)
        return output

    def _check_publishers(self, force: bool = False) -> None:
        wall = time.monotonic()
        if force or wall - self._publishers_checked >= _PUBLISHER_CHECK:
            self._command_publishers = self.count_publishers(self._command_sub.topic_name)
            self._publishers_checked = wall
            if wall - self._started < _NEWCOMER_TIME:
                self._refuse_publishers_beside(1)

    # -- publishing ----------------------------------------------------------------------------------------------------

    def _publish_state(self) -> None:
        if self._clock_pub is not None:
            self._clock_pub.publish(Clock(clock=convert.to_time(self.now())))
        state = self._state
        if state is None:
            return
        stamp = convert.to_time(state.stamp, self._offset_ns)
        stamp_ns = convert.to_nanoseconds(stamp)
        if self._published and self._published[-1][0] == stamp_ns:
            return  # hardware has not measured anew
        self._imu_pub.publish(convert.imu_message(state, stamp))
        if state.base is not None:
            self._odom_pub.publish(convert.odometry_message(state.base, stamp))
        message = convert.joint_state_message(state, stamp)
        self._published.append((stamp_ns, time.perf_counter()))
        self._joints_pub.publish(message)

    def _publish_safety(self, mode: Mode, reason: str) -> None:
        self._safety_pub.publish(String(data=f"{mode}: {reason}"))

    def _diagnose(self) -> None:
        wall = time.monotonic()
        then, simulated, commands = self._diagnosed
        if wall - then < _DIAGNOSTICS_PERIOD:
            return
        now = self.now()
        values: dict[str, object] = {
            "mode": self._gate.mode,
            "reason": self._gate.reason,
            "command_publishers": self._command_publishers,
            "commands": self.counts["commands"],
            "command_rate_hz": f"{(self.counts['commands'] - commands) / max(now - simulated, 1e-9):.1f}",
            "command_fault": self._gate.command_fault or "none",
            "state_to_command_p50_ms": f"{1e3 * self.latency.p50:.3f}",
            "state_to_command_p99_ms": f"{1e3 * self.latency.p99:.3f}",
            "state_to_command_max_ms": f"{1e3 * self.latency.max:.3f}",
            "loop_overruns": self.rate.overruns,
            "loop_skipped": self.rate.skipped,
            "scheduling": self._scheduling,
            "turns": self.counts["turns"],
            "time": f"{now:.3f}",
            "sim_speed": f"{(now - simulated) / (wall - then):.3f}",
            "limited_position_or_step": self.counts["limited by position or step"],
            "limited_torque": self.counts["limited by torque"],
            "events": self.counts["events"],
            "last_event": self._last_event,
        }
        self._diagnosed = (wall, now, self.counts["commands"])
        status = DiagnosticStatus(
            level=_LEVELS.get(self._gate.mode, DiagnosticStatus.OK),
            name="robot_bridge: safety gate",
            message=f"{self._gate.mode}: {self._gate.reason}",
            hardware_id=self.settings.bridge.plant,
            values=[KeyValue(key=key, value=str(value)) for key, value in values.items()],
        )
        message = DiagnosticArray(status=[status, *self._plant_status()])
        message.header.stamp = convert.to_time(now, self._offset_ns)
        self._diagnostics_pub.publish(message)

    def _plant_status(self) -> list[DiagnosticStatus]:
        """Return what the plant tells about itself, if it does."""
        describe = getattr(self.plant, "diagnostics", None)
        if describe is None:
            return []
        state = self._state
        level, message = DiagnosticStatus.OK, "ok"
        if state is not None and (state.faults or state.wear):
            level = DiagnosticStatus.ERROR if state.faults else DiagnosticStatus.WARN
            message = "; ".join((*state.faults, *state.wear))
        values = [KeyValue(key=key, value=str(value)) for key, value in describe().items()]
        plant = self.settings.bridge.plant
        return [DiagnosticStatus(level=level, name="robot_bridge: plant", message=message, hardware_id=plant,
                                 values=values)]  # fmt: skip


def _refuse_change(_: list[Parameter]) -> SetParametersResult:
    return SetParametersResult(successful=False, reason="the bridge reads its parameters at the start: restart it")


def main(args: list[str] | None = None) -> int:
    """Run the bridge until a signal. Returns the exit code: 0 after a signal, 1 for a mistake or a lost plant."""
    return run_node("robot_bridge", Bridge, args, (PlantError, ValueError))


if __name__ == "__main__":
    sys.exit(main())
