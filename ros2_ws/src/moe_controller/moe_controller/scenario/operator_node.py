"""The operator's node: parameters, goals, services, and how it waits for simulation time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from builtin_interfaces.msg import Time
from geometry_msgs.msg import PoseStamped, Twist
from lifecycle_msgs.msg import State
from lifecycle_msgs.srv import GetState
from rcl_interfaces.msg import ParameterDescriptor
from rcl_interfaces.srv import GetParameters
from rclpy.client import Client
from rclpy.duration import Duration
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import DurabilityPolicy, QoSProfile
from robot_bridge import convert
from robot_bridge.inbox import Inbox
from std_srvs.srv import Trigger
from trajectory_msgs.msg import MultiDOFJointTrajectory

from .goal_messages import path_message, target_message, velocity_message
from .listener import NANOSECONDS, Listener
from .player import Interrupted, LinkError, Progress
from .record import Recorder
from .scenarios import Goal
from .status import Status

QUEUE = 10
LOG_DEPTH = 1000
"""Of the queues that feed the record: nothing may be lost."""
GOAL_QUEUE = QoSProfile(depth=1)
"""Of the publishers of goals. A full queue makes Fast DDS ask for the acknowledgement at once (6 ms); with room left in
it, the question waits for the heartbeat (3 s)."""
LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)

POLL = 0.01
"""s of wall time between two looks at what has arrived; in lockstep, where everybody waits for the operator, it waits
for messages instead."""
CONTROL_PERIOD_NS = 20_000_000
"""Between the states that the controller answers in lockstep; also the bridge's default."""
LOCKSTEP_START_NS = 500_000_000
"""Lockstep runs begin to stand up at a multiple of this: enough for the nodes to find each other."""
START_TIME = 180.0
"""s of wall time for the bridge and the controller to come up: a planner may have to compile first, which on a busy
machine took 131 s for 6 s of CPU."""
LOST_TIME = 2.5
"""s of wall time without a new state after which the bridge counts as gone."""
LOCKSTEP_LOST_TIME = 10.0
"""The same in lockstep, where the bridge itself waits up to 2 s of wall time for a command."""
CALL_TIME = 5.0
"""s of wall time for an answer of a service, and for the acknowledgement of a goal."""
DIAGNOSTICS_TIME = 1.5
"""s of wall time to wait for the last diagnostics of the bridge and the controller, which come once a second."""
SAFETY_SERVICES = ("stand", "activate", "sit")


class OperatorNode(Node):
    """The `Link` of the player over ROS topics and services."""

    def __init__(self) -> None:
        super().__init__("operator", start_parameter_services=False)
        self.scenario = str(self._declare("scenario", "none", "what to play"))
        self.seed = int(self._declare("seed", 0, "of the scenario"))
        self.duration = float(self._declare("duration", 0.0, "s to play; 0 for the scenario's own length"))
        self.lockstep = bool(self._declare("lockstep", False, "release simulation time slice by slice"))
        self._period_ns = round(NANOSECONDS / float(self._declare("rate", 200.0, "of the states, Hz; for lockstep")))
        self.out = str(self._declare("out", "", "folder for record, plot and summary; empty for none"))
        self.controller = str(self._declare("controller", "moe", "kind of controller, for the summary"))
        self.model = str(self._declare("model", "", "policy file, for the summary; empty for the shipped one"))
        self.plant_model = str(self._declare("plant_model", "", "model of the plant, for the summary"))
        controller_name = str(self._declare("controller_node", "moe_controller", "name of the controller's node"))
        bridge_name = str(self._declare("bridge_node", "robot_bridge", "name of the bridge's node"))

        self.interrupted = False
        """Set by a signal: everything that waits raises Interrupted."""
        self.listener = Listener()
        self._inbox = Inbox(self)
        self.listener.subscribe(self._inbox, LOG_DEPTH, LATCHED)
        self._target = self.create_publisher(PoseStamped, "ee_target", GOAL_QUEUE)
        self._path = self.create_publisher(MultiDOFJointTrajectory, "ee_trajectory", GOAL_QUEUE)
        self._velocity = self.create_publisher(Twist, "cmd_vel", GOAL_QUEUE)
        self._run_until = self.create_publisher(Time, "sim/run_until", QUEUE) if self.lockstep else None
        self._safety = {name: self.create_client(Trigger, f"safety/{name}") for name in SAFETY_SERVICES}
        self._controller_state = self.create_client(GetState, f"{controller_name}/get_state")
        self._bridge_parameters = self.create_client(GetParameters, f"{bridge_name}/get_parameters")
        self._started: tuple[float, float] | None = None
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self)

    def _declare(self, name: str, default: Any, description: str) -> Any:
        return self.declare_parameter(name, default, ParameterDescriptor(description=description)).value

    # -- Link ----------------------------------------------------------------------------------------------------------

    @property
    def recorder(self) -> Recorder:
        """What has been heard."""
        return self.listener.recorder

    @property
    def now(self) -> float:
        """Stamp of the newest state, s."""
        return self.listener.now

    @property
    def mode(self) -> str:
        """Mode of the safety gate."""
        return self.listener.mode

    @property
    def reason(self) -> str:
        """Why the gate is in this mode."""
        return self.listener.reason

    def advance(self, until: float) -> None:
        """Let time pass until states of this time, s, are there; in lockstep also the commands that they lead to."""
        heard, goal_ns = self.listener, round(until * NANOSECONDS)
        if self._run_until is None:
            self._wait_for_states(lambda: heard.state_ns >= goal_ns, LOST_TIME, "no new /joint_states")
            return
        goal_ns = -(-goal_ns // self._period_ns) * self._period_ns
        self._release(goal_ns)
        if not self._wait_until(lambda: heard.command_ns >= self._last_command_before(goal_ns), CALL_TIME):
            heard.first_command_ns = -1  # the controller is silent; do not wait for it any more
        # the planner alone has no experts, so nobody publishes weights
        if not self.count_publishers("moe/expert_weights") or not self._wait_until(heard.weights_complete, CALL_TIME):
            heard.forgive_weights()
        if heard.mode != "ACTIVE":
            # while the player waits for a mode, have it no later than the states of the step that entered it
            self._answer_of(self._bridge_parameters, GetParameters.Request())

    def _release(self, goal_ns: int) -> None:
        """Let the simulation run until this time and wait for its states."""
        assert self._run_until is not None
        heard = self.listener
        self._run_until.publish(convert.to_time(0.0, goal_ns))
        self._wait_for_states(
            lambda: heard.state_ns >= goal_ns and heard.odom_ns >= goal_ns,
            LOCKSTEP_LOST_TIME,
            "no new /joint_states and /odom in lockstep",
        )

    def _last_command_before(self, time_ns: int) -> int:
        """Return the stamp of the last command that can be expected for states up to this time."""
        first = self.listener.first_command_ns
        return -1 if first < 0 else first + (time_ns - first) // CONTROL_PERIOD_NS * CONTROL_PERIOD_NS

    def request(self, service: str) -> tuple[bool, str]:
        """Call a service of the gate."""
        answer = self._answer_of(self._safety[service], Trigger.Request())
        return bool(answer.success), str(answer.message)

    def send_target(self, goal: Goal) -> None:
        """Publish `/ee_target`."""
        self._deliver(self._target, target_message(goal, self._stamp()))

    def send_path(self, goal: Goal) -> None:
        """Publish `/ee_trajectory`."""
        self._deliver(self._path, path_message(goal, self._stamp()))

    def send_velocity(self, goal: Goal) -> None:
        """Publish `/cmd_vel`."""
        self._deliver(self._velocity, velocity_message(goal))

    def _stamp(self) -> Time:
        return convert.to_time(0.0, self.listener.state_ns)

    def _deliver(self, publisher: Publisher, message: object) -> None:
        publisher.publish(message)
        # in lockstep, time stands until the goal has arrived; the controller takes goals before states
        if self.lockstep and not publisher.wait_for_all_acked(Duration(seconds=CALL_TIME)):
            raise LinkError(f"nobody acknowledged a message on {publisher.topic_name}: is the controller running?")

    # -- start and end -------------------------------------------------------------------------------------------------

    def wait_for_graph(self, observe: Callable[[], None]) -> None:
        """Wait for the bridge and the controller, and in lockstep for the first command. Raises LinkError."""
        deadline = time.monotonic() + START_TIME
        while missing := self._missing():
            if time.monotonic() > deadline:
                raise LinkError(f"no {missing} within {START_TIME:g} s: the bridge or the controller did not start")
            self._pause(0.05)
            observe()
        while not self._controller_is_active():
            if time.monotonic() > deadline:
                raise LinkError(f"the controller did not become active within {START_TIME:g} s: see its log")
            self._pause(0.05)
            observe()
        if self.lockstep:
            self._wait_for_first_command(deadline)
        elif not self._wait_until(lambda: self.listener.command_ns >= 0, max(deadline - time.monotonic(), 1.0)):
            raise LinkError("no /joint_commands: see the controller's log")
        self.listener.begin()
        self._started = (self.now, time.monotonic())

    def _missing(self) -> str | None:
        """Return what the graph still lacks, in words."""
        for client in (*self._safety.values(), self._controller_state, self._bridge_parameters):
            if not client.service_is_ready():
                return f"service {client.srv_name}"
        for publisher in (self._target, self._path, self._velocity, self._run_until):
            if publisher is not None and not publisher.get_subscription_count():
                return f"subscriber of {publisher.topic_name}"
        return None if self.count_publishers("joint_commands") else "publisher of joint_commands"

    def _controller_is_active(self) -> bool:
        answer = self._answer_of(self._controller_state, GetState.Request())
        return bool(answer.current_state.id == State.PRIMARY_STATE_ACTIVE)

    def _wait_for_first_command(self, deadline: float) -> None:
        """Release single control periods until the controller answers one, then go on to the usual start.

        How many it takes depends on how fast the nodes find each other; what is recorded begins after that.
        """
        heard = self.listener
        while heard.first_command_ns < 0:
            if time.monotonic() > deadline:
                raise LinkError("no /joint_commands: see the controller's log")
            self._release(max(heard.state_ns, 0) + CONTROL_PERIOD_NS)
            self._wait_until(lambda: heard.first_command_ns >= 0, 1.0)
        start_ns = -(-heard.state_ns // LOCKSTEP_START_NS) * LOCKSTEP_START_NS
        while heard.state_ns < start_ns:
            self.advance((heard.state_ns + CONTROL_PERIOD_NS) / NANOSECONDS)

    @property
    def simulation_speed(self) -> float | None:
        """Time of the states as a multiple of wall time, since the robot began to stand up; None before."""
        if self._started is None:
            return None
        stamp, wall = self._started
        return (self.now - stamp) / max(time.monotonic() - wall, 1e-9)

    def close(self) -> None:
        """Take the node down; the executor first, which would complain at the end of the interpreter."""
        self._executor.shutdown()
        self.destroy_node()

    def wait_for_diagnostics(self) -> None:
        """Wait for a last word of the bridge and the controller."""
        counts = self.listener.diagnosed
        before = dict(counts)
        self._wait_until(
            lambda: bool(before) and all(counts[name] > count for name, count in before.items()), DIAGNOSTICS_TIME
        )

    # -- waiting -------------------------------------------------------------------------------------------------------

    def _pause(self, duration: float) -> None:
        """Let `duration` s of wall time pass. Raises Interrupted."""
        if self.interrupted:
            raise Interrupted
        time.sleep(duration)

    def _wait_until(self, done: Callable[[], bool], patience: float) -> bool:
        """Handle messages until something holds; False after `patience` s of wall time."""
        deadline = time.monotonic() + patience
        while True:
            self._inbox.take()
            if done():
                return True
            if time.monotonic() > deadline:
                return False
            if self.lockstep:
                self._inbox.wait(POLL)
                self._pause(0.0)
            else:
                self._pause(POLL)

    def _wait_for_states(self, done: Callable[[], bool], patience: float, problem: str) -> None:
        """As `_wait_until`, with `patience` counted from the last new state. Raises LinkError."""
        while True:
            before = self.listener.state_ns
            if self._wait_until(done, patience):
                return
            if self.listener.state_ns == before:
                raise LinkError(f"{problem} for {patience:g} s: is the bridge running?")

    def _answer_of(self, client: Client, request: Any) -> Any:
        future = client.call_async(request)
        deadline = time.monotonic() + CALL_TIME
        while not future.done():
            if time.monotonic() > deadline:
                client.remove_pending_request(future)
                raise LinkError(f"no answer from service {client.srv_name} within {CALL_TIME:g} s")
            self._pause(0.0)
            self._executor.spin_once(0.1)
        self._inbox.take()
        return future.result()

    # -- live status ---------------------------------------------------------------------------------------------------

    def status(self, progress: Progress) -> Status:
        """Return what the live status shows."""
        heard = self.listener
        rates = {name: rate.value() for name, rate in heard.rates.items()}
        return Status(
            progress=progress,
            time=self.now,
            speed=rates["time"],
            mode=heard.mode,
            reason=heard.reason,
            state_rate=rates["states"],
            command_rate=rates["commands"],
            weights=heard.weights,
            groups=self.recorder.groups,
            experts=self.recorder.experts,
        )
