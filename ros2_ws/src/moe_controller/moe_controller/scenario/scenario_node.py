"""The operator: makes the robot stand, plays a scenario, records it and writes the summary.

It does by topics and services what a person would do, so it works on every graph that has the bridge's interface. In
lockstep it also releases simulation time slice by slice, and gives goals only while the simulation waits.
"""

from __future__ import annotations

import contextlib
import signal
import sys
import time
from collections.abc import Callable
from operator import itemgetter
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import rclpy
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PoseStamped, Transform, Twist
from go2_piper_description.joints import GRIPPER, JOINT_NAMES
from go2_piper_description.links import EE_LINK
from lifecycle_msgs.msg import State
from lifecycle_msgs.srv import GetState
from nav_msgs.msg import Odometry
from numpy.typing import NDArray
from rcl_interfaces.msg import ParameterDescriptor
from rcl_interfaces.srv import GetParameters
from rclpy.client import Client
from rclpy.duration import Duration
from rclpy.exceptions import InvalidParameterTypeException
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import DurabilityPolicy, QoSProfile
from rclpy.signals import SignalHandlerOptions
from sensor_msgs.msg import JointState
from std_msgs.msg import Float64MultiArray, String
from std_srvs.srv import Trigger
from trajectory_msgs.msg import MultiDOFJointTrajectory, MultiDOFJointTrajectoryPoint

from .outcome import write_outcome
from .player import Ending, Interrupted, LinkError, Player, Progress
from .record import GateEvent, Recorder
from .scenarios import Goal, ScenarioError, goals
from .status import LiveStatus, Status
from .summary import Setting, print_summary, summarise

QUEUE = 10
LOG_QUEUE = QoSProfile(depth=1000)
"""Of the subscriptions that feed the record: nothing may be lost."""
GOAL_QUEUE = QoSProfile(depth=1)
"""Of the publishers of goals. A full queue makes Fast DDS ask for the acknowledgement at once (6 ms); with room left in
it, the question waits for the heartbeat (3 s)."""
LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)

POLL = 0.01
LOCKSTEP_POLL = 0.0005
"""s of wall time between two looks at what has arrived; in lockstep everybody waits for the operator."""
LOCKSTEP_START_NS = 500_000_000
"""Lockstep runs begin to stand up at a multiple of this: enough for the nodes to find each other."""
START_TIME = 60.0
"""s of wall time for the bridge and the controller to come up."""
LOST_TIME = 2.5
"""s of wall time without a new state after which the bridge counts as gone."""
LOCKSTEP_LOST_TIME = 10.0
"""The same in lockstep, where the bridge itself waits up to 2 s of wall time for a command."""
CALL_TIME = 5.0
"""s of wall time for an answer of a service, and for the acknowledgement of a goal."""
DIAGNOSTICS_TIME = 1.5
"""s of wall time to wait for the last diagnostics of the bridge and the controller, which come once a second."""
SAFETY_SERVICES = ("stand", "activate", "sit")

NANOSECONDS = 1_000_000_000


def _stamp_ns(stamp: Time) -> int:
    return stamp.sec * NANOSECONDS + stamp.nanosec


def _time_message(nanoseconds: int) -> Time:
    return Time(sec=nanoseconds // NANOSECONDS, nanosec=nanoseconds % NANOSECONDS)


class _Rate:
    """Counts events and gives their rate over the last second or so of wall time."""

    def __init__(self) -> None:
        self._since, self._count, self._rate = time.monotonic(), 0.0, 0.0

    def add(self, amount: float = 1.0) -> None:
        self._count += amount

    def value(self) -> float:
        passed = time.monotonic() - self._since
        if passed >= 1.0:
            self._rate, self._since, self._count = self._count / passed, time.monotonic(), 0.0
        return self._rate


class OperatorNode(Node):
    """The `Link` of the player over ROS topics and services."""

    def __init__(self) -> None:
        super().__init__("operator", start_parameter_services=False)
        self.scenario = self._text("scenario", "none", "what to play")
        self.seed = int(self._declare("seed", 0, "of the scenario"))
        self.duration = float(self._declare("duration", 0.0, "s to play; 0 for the scenario's own length"))
        self.lockstep = bool(self._declare("lockstep", False, "release simulation time slice by slice"))
        self._period_ns = round(NANOSECONDS / float(self._declare("rate", 200.0, "of the states, Hz; for lockstep")))
        self.out = self._text("out", "", "folder for record, plot and summary; empty for none")
        self.controller = self._text("controller", "moe", "kind of controller, for the summary")
        self.model = self._text("model", "", "policy file, for the summary")
        self.plant_model = self._text("plant_model", "", "model of the plant, for the summary")
        self._controller_name = self._text("controller_node", "moe_controller", "name of the controller's node")
        self._bridge_name = self._text("bridge_node", "robot_bridge", "name of the bridge's node")

        self.recorder = Recorder()
        self.diagnostics: dict[str, dict[str, str]] = {}
        self.interrupted = False
        self._mode, self._reason = "", ""
        self._state_ns = self._odom_ns = self._command_ns = -1
        self._first_command_ns = -1
        self._control_period_ns = 20_000_000
        self._joint_order: tuple[tuple[str, ...], NDArray[np.intp], int | None] | None = None
        self._rates = {"states": _Rate(), "commands": _Rate(), "time": _Rate()}
        self._weights: NDArray[np.float64] | None = None
        self._missing_weights = 0
        self._poll = LOCKSTEP_POLL if self.lockstep else POLL
        self._diagnosed: dict[str, int] = {}
        self._started: tuple[float, float] | None = None
        self._connect()
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self)

    # --- interface of the graph

    def _declare(self, name: str, default: Any, description: str) -> Any:
        return self.declare_parameter(name, default, ParameterDescriptor(description=description)).value

    def _text(self, name: str, default: str, description: str) -> str:
        return str(self._declare(name, default, description))

    def _connect(self) -> None:
        self._inputs = [
            self.create_subscription(JointState, "joint_states", self._on_states, LOG_QUEUE),
            self.create_subscription(Odometry, "odom", self._on_odom, LOG_QUEUE),
            self.create_subscription(JointState, "joint_commands", self._on_command, LOG_QUEUE),
            self.create_subscription(Float64MultiArray, "moe/expert_weights", self._on_weights, LOG_QUEUE),
            self.create_subscription(String, "safety/state", self._on_safety, LATCHED),
            self.create_subscription(DiagnosticArray, "diagnostics", self._on_diagnostics, QUEUE),
        ]
        self._target = self.create_publisher(PoseStamped, "ee_target", GOAL_QUEUE)
        self._path = self.create_publisher(MultiDOFJointTrajectory, "ee_trajectory", GOAL_QUEUE)
        self._velocity = self.create_publisher(Twist, "cmd_vel", GOAL_QUEUE)
        self._run_until = self.create_publisher(Time, "sim/run_until", QUEUE) if self.lockstep else None
        self._safety = {name: self.create_client(Trigger, f"safety/{name}") for name in SAFETY_SERVICES}
        self._controller_state = self.create_client(GetState, f"{self._controller_name}/get_state")
        self._bridge_parameters = self.create_client(GetParameters, f"{self._bridge_name}/get_parameters")

    def _on_states(self, message: JointState) -> None:
        stamp = _stamp_ns(message.header.stamp)
        if stamp <= self._state_ns:
            return
        self._rates["states"].add()
        self._rates["time"].add((stamp - self._state_ns) / NANOSECONDS if self._state_ns >= 0 else 0.0)
        names = tuple(message.name)
        if self._joint_order is None or self._joint_order[0] != names:
            index = np.array([names.index(name) for name in JOINT_NAMES])
            self._joint_order = (names, index, names.index(GRIPPER.name) if GRIPPER.name in names else None)
        _, index, gripper = self._joint_order
        position, velocity = np.asarray(message.position), np.asarray(message.velocity)
        travel = float(position[gripper]) if gripper is not None else 0.0
        self.recorder.states.append((stamp / NANOSECONDS, position[index], velocity[index], travel))
        self._state_ns = stamp

    def _on_odom(self, message: Odometry) -> None:
        self._odom_ns = _stamp_ns(message.header.stamp)
        pose, twist = message.pose.pose, message.twist.twist
        p, o, v, w = pose.position, pose.orientation, twist.linear, twist.angular
        row = np.array([p.x, p.y, p.z, o.x, o.y, o.z, o.w, v.x, v.y, v.z, w.x, w.y, w.z])
        self.recorder.bases.append((self._odom_ns / NANOSECONDS, row))

    def _on_command(self, message: JointState) -> None:
        self._rates["commands"].add()
        self._command_ns = _stamp_ns(message.header.stamp)
        self.recorder.commands.append(self._command_ns / NANOSECONDS)
        if self._first_command_ns < 0:
            self._first_command_ns = self._command_ns

    def _on_weights(self, message: Float64MultiArray) -> None:
        groups, experts = ((dim.label.partition(":")[2]).split(",") for dim in message.layout.dim)
        self.recorder.groups, self.recorder.experts = tuple(groups), tuple(experts)
        self._weights = np.asarray(message.data).reshape(len(groups), len(experts))
        self.recorder.weights.append(self._weights)

    def _on_safety(self, message: String) -> None:
        mode, _, reason = message.data.partition(":")
        self._mode, self._reason = mode.strip(), reason.strip()
        self.recorder.gate_events.append(GateEvent(max(self.now, 0.0), self._mode, self._reason))

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            self.diagnostics[status.name] = {item.key: item.value for item in status.values}
            self._diagnosed[status.name] = self._diagnosed.get(status.name, 0) + 1

    # --- Link

    @property
    def now(self) -> float:
        """Stamp of the newest state, s."""
        return self._state_ns / NANOSECONDS

    @property
    def mode(self) -> str:
        """Mode of the safety gate."""
        return self._mode

    @property
    def reason(self) -> str:
        """Why the gate is in this mode."""
        return self._reason

    def advance(self, until: float) -> None:
        """Let time pass until states of this time, s, are there; in lockstep also the commands that they lead to."""
        goal_ns = round(until * NANOSECONDS)
        if self._run_until is None:
            self._wait_for_states(
                lambda: self._state_ns >= goal_ns, LOST_TIME, "no new /joint_states: is the bridge running?"
            )
            return
        goal_ns = -(-goal_ns // self._period_ns) * self._period_ns
        self._release(goal_ns)
        if not self._wait_until(lambda: self._command_ns >= self._last_command_before(goal_ns), CALL_TIME):
            self._first_command_ns = -1  # the controller is silent; do not wait for it any more
        if not self._wait_until(self._weights_complete, CALL_TIME):
            self._note_missing_weights()
        if self._mode != "ACTIVE":
            # while the player waits for a mode, have it no later than the states of the step that entered it
            self._answer_of(self._bridge_parameters, GetParameters.Request())

    def _release(self, goal_ns: int) -> None:
        assert self._run_until is not None
        self._run_until.publish(_time_message(goal_ns))
        self._wait_for_states(
            lambda: self._state_ns >= goal_ns and self._odom_ns >= goal_ns,
            LOCKSTEP_LOST_TIME,
            "no new /joint_states and /odom: is the bridge running in lockstep?",
        )

    def _last_command_before(self, time_ns: int) -> int:
        """Return the stamp of the last command that can be expected for states up to this time."""
        if self._first_command_ns < 0:
            return -1
        periods = (time_ns - self._first_command_ns) // self._control_period_ns
        return self._first_command_ns + periods * self._control_period_ns

    def _weights_complete(self) -> bool:
        return len(self.recorder.weights) + self._missing_weights >= len(self.recorder.commands)

    def _note_missing_weights(self) -> None:
        """From here on do not wait for weights that were published before we were listening."""
        self._missing_weights = len(self.recorder.commands) - len(self.recorder.weights)

    @property
    def simulation_speed(self) -> float | None:
        """Time of the states as a multiple of wall time, since the robot began to stand up; None before."""
        if self._started is None:
            return None
        stamp, wall = self._started
        return (self.now - stamp) / max(time.monotonic() - wall, 1e-9)

    def request(self, service: str) -> tuple[bool, str]:
        """Call a service of the gate."""
        answer = self._answer_of(self._safety[service], Trigger.Request())
        return bool(answer.success), str(answer.message)

    def send_target(self, goal: Goal) -> None:
        """Publish `/ee_target`."""
        assert goal.target is not None
        message = PoseStamped()
        message.header.frame_id = goal.frame
        message.header.stamp = _time_message(self._state_ns)
        message.pose.position.x, message.pose.position.y, message.pose.position.z = goal.target
        message.pose.orientation.w = 1.0
        self._deliver(self._target, message)

    def send_path(self, goal: Goal) -> None:
        """Publish `/ee_trajectory`."""
        message = MultiDOFJointTrajectory(joint_names=[EE_LINK])
        message.header.frame_id = goal.frame
        message.header.stamp = _time_message(self._state_ns)
        for point in goal.path:
            transform = Transform()
            transform.translation.x, transform.translation.y, transform.translation.z = point.position
            transform.rotation.w = 1.0
            since = Duration(nanoseconds=round(point.time * NANOSECONDS)).to_msg()
            message.points.append(MultiDOFJointTrajectoryPoint(transforms=[transform], time_from_start=since))
        self._deliver(self._path, message)

    def send_velocity(self, goal: Goal) -> None:
        """Publish `/cmd_vel`."""
        assert goal.velocity is not None
        message = Twist()
        message.linear.x, message.linear.y, message.angular.z = goal.velocity
        self._deliver(self._velocity, message)

    def _deliver(self, publisher: Publisher, message: object) -> None:
        publisher.publish(message)
        # in lockstep, time stands until the goal has arrived; the controller takes goals before states
        if self.lockstep and not publisher.wait_for_all_acked(Duration(seconds=CALL_TIME)):
            raise LinkError(f"nobody acknowledged a message on {publisher.topic_name}: is the controller running?")

    # --- waiting

    def wait_for_graph(self, observe: Callable[[], None]) -> None:
        """Wait for the bridge and the controller, and in lockstep for the first command. Raises LinkError."""
        clients = [*self._safety.values(), self._controller_state, self._bridge_parameters]
        publishers = [self._target, self._path, self._velocity, *([self._run_until] if self._run_until else [])]
        deadline = time.monotonic() + START_TIME

        def missing() -> str | None:
            for client in clients:
                if not client.service_is_ready():
                    return f"service {client.srv_name}"
            for publisher in publishers:
                if not publisher.get_subscription_count():
                    return f"a subscriber of {publisher.topic_name}"
            if not self.count_publishers("joint_commands"):
                return "a publisher of joint_commands"
            return None

        while missing():
            if time.monotonic() > deadline:
                raise LinkError(f"no {missing()} within {START_TIME:g} s: the bridge or the controller did not start")
            self._pause(0.05)
            observe()
        while not self._controller_is_active():
            if time.monotonic() > deadline:
                raise LinkError(f"the controller did not become active within {START_TIME:g} s: see its log")
            self._pause(0.05)
            observe()
        if self.lockstep:
            self._wait_for_first_command(deadline)
        elif not self._wait_until(lambda: self._command_ns >= 0, max(deadline - time.monotonic(), 1.0)):
            raise LinkError("no /joint_commands: see the controller's log")
        self.recorder.begin(self.now)
        self._note_missing_weights()
        self._started = (self.now, time.monotonic())

    def _controller_is_active(self) -> bool:
        answer = self._answer_of(self._controller_state, GetState.Request())
        return bool(answer.current_state.id == State.PRIMARY_STATE_ACTIVE)

    def _wait_for_first_command(self, deadline: float) -> None:
        """Release single control periods until the controller answers one, then go on to the usual start.

        How many it takes depends on how fast the nodes find each other; what is recorded begins after that.
        """
        while self._first_command_ns < 0:
            if time.monotonic() > deadline:
                raise LinkError("no /joint_commands: see the controller's log")
            self._release(max(self._state_ns, 0) + self._control_period_ns)
            self._wait_until(lambda: self._first_command_ns >= 0, 1.0)
        start_ns = -(-self._state_ns // LOCKSTEP_START_NS) * LOCKSTEP_START_NS
        while self._state_ns < start_ns:
            self.advance((self._state_ns + self._control_period_ns) / NANOSECONDS)

    def wait_for_diagnostics(self) -> None:
        """Wait for a last word of the bridge and the controller."""
        before = dict(self._diagnosed)
        self._wait_until(
            lambda: bool(before) and all(self._diagnosed[name] > count for name, count in before.items()),
            DIAGNOSTICS_TIME,
        )

    def _take_messages(self) -> None:
        """Handle all messages that are here; an executor would build a wait set for each: several times the work."""
        taken = []
        for subscription in self._inputs:
            with subscription.handle:
                while (item := subscription.handle.take_message(subscription.msg_type, False)) is not None:
                    taken.append((item[1]["source_timestamp"], subscription.callback, item[0]))
        # in the order of publication, also across topics: an event belongs to the state before it
        for _, callback, message in sorted(taken, key=itemgetter(0)):
            callback(message)

    def _pause(self, duration: float) -> None:
        """Let `duration` s of wall time pass. Raises Interrupted."""
        if self.interrupted:
            raise Interrupted
        time.sleep(duration)

    def _wait_until(self, done: Callable[[], bool], patience: float) -> bool:
        """Handle messages until something holds; False after `patience` s of wall time."""
        deadline = time.monotonic() + patience
        while True:
            self._take_messages()
            if done():
                return True
            if time.monotonic() > deadline:
                return False
            self._pause(self._poll)

    def _wait_for_states(self, done: Callable[[], bool], patience: float, problem: str) -> None:
        """As `_wait_until`, with `patience` counted from the last new state. Raises LinkError."""
        while True:
            before = self._state_ns
            if self._wait_until(done, patience):
                return
            if self._state_ns == before:
                raise LinkError(f"{problem} (waited {patience:g} s)")

    def _answer_of(self, client: Client, request: Any) -> Any:
        future = client.call_async(request)
        deadline = time.monotonic() + CALL_TIME
        while not future.done():
            if time.monotonic() > deadline:
                client.remove_pending_request(future)
                raise LinkError(f"no answer from service {client.srv_name} within {CALL_TIME:g} s")
            self._pause(0.0)
            self._executor.spin_once(0.1)
        self._take_messages()
        return future.result()

    # --- live status

    def status(self, progress: Progress) -> Status:
        """Return what the live status shows."""
        rates = {name: rate.value() for name, rate in self._rates.items()}
        return Status(
            progress=progress,
            time=max(self.now, 0.0),
            speed=rates["time"],
            mode=self._mode,
            reason=self._reason,
            state_rate=rates["states"],
            command_rate=rates["commands"],
            weights=self._weights,
            groups=self.recorder.groups,
            experts=self.recorder.experts,
        )


def play(node: OperatorNode, live: LiveStatus) -> Ending:
    """Wait for the graph and play the scenario that the node's parameters ask for."""
    progress = Progress()

    def observe(progress: Progress) -> None:
        if live.due():
            live.update(node.status(progress))

    duration = node.duration or None
    stream = goals(node.scenario, node.seed, duration)
    try:
        node.wait_for_graph(lambda: observe(progress))
    except LinkError as error:
        return Ending(str(error), finished=False)
    except Interrupted:
        return Ending("interrupted", finished=False, interrupted=True)
    return Player(node, stream, duration, observe).run()


def run(node: OperatorNode) -> int:
    """Play, then write what the run leaves behind. Returns the exit status: 0 only if all went well."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        node.interrupted = True

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interrupt)
    with LiveStatus() as live:
        ending = play(node, live)
    speed = node.simulation_speed
    node.interrupted = False  # from here on a second Ctrl-C only ends the waiting
    with contextlib.suppress(Interrupted):
        if not ending.interrupted:
            node.wait_for_diagnostics()
    setting = Setting(node.scenario, node.seed, node.lockstep, node.controller, node.model, node.plant_model)
    record = node.recorder.finish()
    summary = summarise(record, ending, setting, node.diagnostics, speed)
    if node.out:
        write_outcome(record, summary, Path(node.out))
    print_summary(summary)
    if ending.interrupted:
        return 130
    return 0 if summary["success"] else 1


def main() -> None:
    """Run the operator."""
    # no handlers of rclpy: after Ctrl-C the node still has a summary to write
    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    try:
        node = OperatorNode()
        try:
            status = run(node)
        finally:
            node.destroy_node()
    except (ScenarioError, InvalidParameterTypeException) as error:
        print(f"operator: {error}", file=sys.stderr)
        status = 2
    finally:
        rclpy.try_shutdown()
    sys.exit(status)


if __name__ == "__main__":
    main()
