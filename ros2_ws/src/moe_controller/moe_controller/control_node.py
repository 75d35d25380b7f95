"""What every controller node has: lifecycle, states, goals, the loop, commands and diagnostics.

A subclass brings a core, which computes joint targets from states and knows no ROS, and what it publishes beside them.
One thread with a loop of its own. In real time it wakes up just before the state that is a control period younger than
the last one, waits for that and computes from it, or from the newest one where it does not come. In lockstep it
computes whenever a control period of state time has passed (docs/architecture.md).
"""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar, Protocol

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from geometry_msgs.msg import PoseStamped, Twist
from nav_msgs.msg import Odometry
from rcl_interfaces.msg import ParameterDescriptor
from rclpy.event_handler import PublisherEventCallbacks
from rclpy.executors import SingleThreadedExecutor
from rclpy.lifecycle import LifecycleNode, TransitionCallbackReturn
from rclpy.lifecycle.node import LifecycleState
from rclpy.qos import DurabilityPolicy, QoSProfile
from robot_bridge import convert
from robot_bridge.inbox import Inbox
from robot_bridge.modes import Mode
from robot_bridge.priority import CONTROLLER, go_first
from robot_bridge.timing import FixedRate
from robot_bridge.types import BaseState, RobotState
from sensor_msgs.msg import Imu, JointState
from std_msgs.msg import Int64MultiArray, String
from trajectory_msgs.msg import MultiDOFJointTrajectory

from .goals import GoalError
from .messages import quaternion_of, step_trace_message, trajectory_of, velocity_of
from .pace import await_state
from .state_assembler import Kind, Measurement, StateAssembler
from .step_trace import StepTrace
from .telemetry import Telemetry
from .trajectory import Array, PoseTrajectory

QUEUE = 10
LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
_POLL = 0.1
"""s to sleep at a time: an upper bound for the reaction to signals."""
_LOCKSTEP_WAIT = 0.005
"""s to wait at a time for the next state in lockstep: services have to be served meanwhile."""
_SERVICE_PERIOD = 0.02
"""s between looks at services, parameters and transitions."""
_IDLE_PERIOD = 0.02
_MARKERS_PERIOD_NS = 100_000_000
_DIAGNOSTICS_PERIOD = 1.0
_SAME_STATE = 0.6
"""A state younger than this part of a control period after the last one used is not a new step: time in a simulation
may run slower than the wall clock. Stamps on a 5 ms grid that should be 20 ms apart may be 15 ms apart."""
_WHOLE_PERIOD = 0.9
"""A state that much of a control period younger than the last one used is the one to compute from."""
_GOALS = (PoseStamped, MultiDOFJointTrajectory, Twist)
"""Topics that people publish: they get a warning about an incompatible quality of service."""
_NO_PUBLISHER_EVENTS = PublisherEventCallbacks(use_default_callbacks=False)
"""The executor looks at every event of every topic each time it waits."""
_QUIET = 1.0
"""s between repetitions of a log line."""


class Output(Protocol):
    """What one step of a core gives."""

    @property
    def position(self) -> Array:
        """Joint position targets, rad, shape (18,), within the joint ranges."""

    @property
    def effort(self) -> Array:
        """Feed-forward torques, N m, shape (18,)."""


class Core(Protocol):
    """A controller without ROS. Times are on the clock of the states, s."""

    @property
    def control_period(self) -> float:
        """s between two steps."""

    def reset(self) -> None:
        """Begin a new run of steps; goals stay."""

    def set_target(self, position: Any, frame: str, base: BaseState | None, orientation: Any) -> None:
        """Take a target; arguments and errors as in `goals.single_target`."""

    def set_trajectory(
        self, trajectory: PoseTrajectory, frame: str, base: BaseState | None, start: float | None
    ) -> None:
        """Take a trajectory; arguments and errors as in `goals.check_goal`."""

    def set_velocity(self, velocity: Any) -> None:
        """Take a velocity command vx, vy (m/s), wz (rad/s). Raises GoalError."""

    def step(self, state: RobotState, now: float, executing: bool) -> Any:
        """Return an `Output`. Raises one of the node's `faults` where there is no command for this step."""


class ControlNode(LifecycleNode):
    """Publishes the joint commands that a core computes from the robot's state."""

    title: ClassVar[str] = "controller"
    """Of the diagnostic status, after the node's name."""
    refusals: ClassVar[tuple[type[Exception], ...]] = (ValueError,)
    """Errors for which `configure` fails with one line."""
    faults: ClassVar[tuple[type[Exception], ...]] = ()
    """Errors of the core's step: no command, and one line."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._declare("control_rate", 0.0, "Hz; 0 for the controller's own rate")
        self._declare("lockstep", False, "compute on state time, not on the wall clock")
        self._declare("real_time", False, "ask for real-time scheduling while active")
        self._declare("auto_activate", False, "configure and activate at the start")
        self._declare("cmd_vel_timeout", 0.5, "s after which /cmd_vel counts as zero")
        self._declare("state_timeout", 0.1, "s of wall time without a state after which no command is published")
        self.lockstep = bool(self._value("lockstep"))
        self.core: Core | None = None
        self.telemetry = Telemetry()
        self._model_name = ""
        """What the core runs on, for diagnostics; set by `_make_core`."""
        self._rate = FixedRate(_IDLE_PERIOD)
        self._scheduling = "normal"
        self._active = False
        self._served = -1.0
        self._assembler = StateAssembler(self.lockstep)
        self._restarts = 0
        self._newest_ns: int | None = None
        self._received = -1.0
        """When the newest measurement was complete, s on the monotonic clock."""
        self._used_ns: int | None = None
        """Stamp of the state of the last control step."""
        self._markers_ns: int | None = None
        self._executing = False
        self._steps = 0
        """Since the core began a new run of steps."""
        self._goal_ns = self._velocity_ns = 0
        """When the goals that the core took last were published; 0 before the first."""
        self._stale = True
        self._state_timeout = 0.0
        self._period_ns = round(1e9 * _IDLE_PERIOD)
        self._diagnosed = time.monotonic()
        self._inbox = Inbox(self)
        self._publishers_made: list[Any] = []
        self._diagnostics_pub = self.create_publisher(DiagnosticArray, "diagnostics", QUEUE)
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self)

    # -- what a controller brings --------------------------------------------------------------------------------------

    @abstractmethod
    def _make_core(self) -> Core:
        """Load, check, compile and warm up. Raises one of `refusals`; called by `configure`."""

    @abstractmethod
    def _advertise_extras(self) -> None:
        """Make, with `_advertise`, the publishers beside that of the commands."""

    @abstractmethod
    def _publish_extras(self, output: Any, measurement: Measurement, markers_due: bool) -> None:
        """Publish what goes beside a command.

        Args:
            output: of the core's step.
            measurement: that it was computed from.
            markers_due: whether it is time to renew the markers, which people look at.
        """

    @abstractmethod
    def _extra_values(self) -> dict[str, str]:
        """Return keys and values of its own for `/diagnostics`."""

    def _release_core(self) -> None:
        """Let go of what the core holds beside memory, such as threads."""

    # -- parameters ----------------------------------------------------------------------------------------------------

    def _declare(self, name: str, default: Any, description: str) -> None:
        self.declare_parameter(name, default, ParameterDescriptor(description=description))

    def _value(self, name: str) -> Any:
        return self.get_parameter(name).value

    # -- lifecycle -----------------------------------------------------------------------------------------------------

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Make the core, checked against the robot and warmed up; refuse with one line."""
        try:
            self._load()
        except self.refusals as error:
            self.get_logger().error(f"cannot configure: {error}")
            return TransitionCallbackReturn.FAILURE
        self._subscribe()
        return super().on_configure(state)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Begin to publish commands."""
        self._commands_pub = self._advertise(JointState, "joint_commands")
        self._trace_pub = self._advertise(Int64MultiArray, "control_inputs")
        self._advertise_extras()
        self._restart()
        self._stale = True
        if self._value("real_time"):  # only now: compiling may take long, and has to leave time to others
            self._scheduling = go_first(CONTROLLER)
        self._rate.restart()
        self._active = True
        self.get_logger().info("active, waiting for states")
        return super().on_activate(state)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop publishing commands. The publisher goes too: another controller may take its place."""
        self._active = False
        self._drop_publishers()
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Forget the core."""
        self._release()
        return super().on_cleanup(state)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """End from any state."""
        self._release()
        return super().on_shutdown(state)

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Go back to unconfigured after a failed transition."""
        self._release()
        return TransitionCallbackReturn.SUCCESS

    def _load(self) -> None:
        for name in ("control_rate", "cmd_vel_timeout", "state_timeout"):
            value = float(self._value(name))
            if not (0.0 <= value < float("inf")) or (name == "state_timeout" and value == 0.0):
                raise ValueError(f"parameter {name} is {value:g}: it must be a positive number")
        self._state_timeout = float(self._value("state_timeout"))
        core = self._make_core()
        period = core.control_period
        rate = float(self._value("control_rate"))
        if rate and abs(rate * period - 1.0) > 0.01:
            self.get_logger().warning(f"control_rate is {rate:g} Hz, the controller was made for {1 / period:g} Hz")
        self.core = core
        self._goal_ns = self._velocity_ns = 0
        self.telemetry = Telemetry()
        self._rate = FixedRate(1.0 / rate if rate else period)
        self._period_ns = round(1e9 * self._rate.period)
        self._assembler = StateAssembler(self.lockstep)
        self._restarts = 0

    def _release(self) -> None:
        self._active = False
        self.core = None
        self._release_core()
        self._drop_publishers()
        self._inbox.close()

    def _advertise(self, kind: Any, topic: str) -> Any:
        publisher = self.create_publisher(kind, topic, QUEUE, event_callbacks=_NO_PUBLISHER_EVENTS)
        self._publishers_made.append(publisher)
        return publisher

    def _drop_publishers(self) -> None:
        for publisher in self._publishers_made:
            self.destroy_publisher(publisher)
        self._publishers_made.clear()

    # -- messages ------------------------------------------------------------------------------------------------------

    def _subscribe(self) -> None:
        # messages that wait together are handled in the order of publication, so that in lockstep a goal that was
        # delivered before a state is in force when the state is used. In real time only the newest whole state matters:
        # the newest messages, or those before them where the bridge is just publishing
        depth = QUEUE if self.lockstep else 2
        wanted: list[tuple[Any, str, Callable[[Any], None], QoSProfile | int]] = [
            (PoseStamped, "ee_target", self._on_target, QUEUE),
            (MultiDOFJointTrajectory, "ee_trajectory", self._on_trajectory, QUEUE),
            (Twist, "cmd_vel", self._on_velocity, QUEUE),
            (String, "safety/state", self._on_safety, LATCHED),
            (Imu, "imu/data", self._on_state("imu"), depth),
            (Odometry, "odom", self._on_state("odometry"), depth),
            (JointState, "joint_states", self._on_state("joints"), depth),
        ]
        for kind, topic, callback, qos in wanted:
            self._inbox.subscribe(kind, topic, callback, qos, warn=kind in _GOALS)

    def _on_state(self, kind: Kind) -> Callable[[Any], None]:
        def take(message: Any) -> None:
            self._assembler.add(kind, convert.to_nanoseconds(message.header.stamp), message)

        return take

    def _on_safety(self, message: String) -> None:
        self._executing = message.data.partition(":")[0].strip() == Mode.ACTIVE.value

    def _on_target(self, message: PoseStamped) -> None:
        point = message.pose.position

        def take(core: Core) -> None:
            core.set_target(
                (point.x, point.y, point.z),
                message.header.frame_id,
                self._base(),
                quaternion_of(message.pose.orientation),
            )

        if self._take_goal("/ee_target", take):
            self._goal_ns = self._inbox.published_ns

    def _on_trajectory(self, message: MultiDOFJointTrajectory) -> None:
        def take(core: Core) -> None:
            trajectory, start = trajectory_of(message, self._newest_stamp())
            core.set_trajectory(trajectory, message.header.frame_id, self._base(), start)

        if self._take_goal("/ee_trajectory", take):
            self._goal_ns = self._inbox.published_ns

    def _on_velocity(self, message: Twist) -> None:
        if self._take_goal("/cmd_vel", lambda core: core.set_velocity(velocity_of(message))):
            self._velocity_ns = self._inbox.published_ns

    def _take_goal(self, topic: str, take: Callable[[Core], None]) -> bool:
        """Hand a goal to the core; return whether it took it."""
        if self.core is None:
            return False
        try:
            take(self.core)
        except GoalError as error:
            self.telemetry.counts["refused_goals"] += 1
            self.get_logger().warning(f"{topic} refused: {error}", throttle_duration_sec=_QUIET)
            return False
        return True

    def _base(self) -> BaseState | None:
        newest = self._assembler.newest()
        return None if newest is None or newest.odometry is None else convert.base_state(newest.odometry)

    def _newest_stamp(self) -> float | None:
        newest = self._assembler.newest()
        return None if newest is None else 1e-9 * newest.stamp_ns

    # -- the loop ------------------------------------------------------------------------------------------------------

    def turn(self) -> None:
        """Wait until a control step is due, handle messages, take the step."""
        self._serve()
        if self.lockstep:
            self._inbox.wait(_LOCKSTEP_WAIT)
            self._inbox.take()
            while self._active and (measurement := self._next_in_lockstep()) is not None:
                self._step(measurement)
        else:
            while (remaining := self._rate.remaining()) > 0.0:
                time.sleep(min(remaining, _POLL))
            skipped = self._rate.advance()
            self._inbox.take()
            if self._active:
                self.telemetry.counts["deadline_misses"] += skipped
                if self._used_ns is not None and not self._stale:
                    await_state(self._rate, self._whole_period_passed, self._receive)
                self._step_in_real_time()
                if self._rate.remaining() < 0.0:  # the command came after the end of its period
                    self.telemetry.counts["deadline_misses"] += 1
        self._diagnose()

    def _serve(self) -> None:
        """Handle one service call, parameter change or transition."""
        wall = time.monotonic()
        if wall - self._served >= _SERVICE_PERIOD:
            self._served = wall
            self._executor.spin_once(timeout_sec=0.0)

    def _next_in_lockstep(self) -> Measurement | None:
        self._look_for_restart()
        if self._used_ns is not None:
            return self._assembler.next(self._used_ns + self._period_ns)
        # the grid of control steps contains time zero, whichever state is the first to arrive: runs are alike
        first = self._assembler.next(0)
        while first is not None and first.stamp_ns % self._period_ns:
            first = self._assembler.next(first.stamp_ns + 1)
        return first

    def _receive(self, patience: float) -> None:
        self._inbox.wait(patience)
        self._inbox.take()

    def _whole_period_passed(self) -> bool:
        newest = self._assembler.newest()
        if newest is None or self._used_ns is None:
            return False
        return not 0 <= newest.stamp_ns - self._used_ns < _WHOLE_PERIOD * self._period_ns

    def _step_in_real_time(self) -> None:
        self._look_for_restart()
        measurement = self._assembler.newest()
        if measurement is not None and measurement.stamp_ns != self._newest_ns:
            self._newest_ns, self._received = measurement.stamp_ns, time.monotonic()
        stale = time.monotonic() - self._received > self._state_timeout
        if stale != self._stale:
            self._stale = stale
            if stale:
                self._assembler.clear()
                self.telemetry.failed("state_losses", "no new states")
                self.get_logger().warning(
                    "no new /joint_states with /imu/data of the same stamp: commands stopped (is the bridge running?)"
                )
            else:
                self._restart()
                self.get_logger().info("states are here: publishing commands")
        if stale or measurement is None:
            return
        if self._used_ns is not None and measurement.stamp_ns < self._used_ns + _SAME_STATE * self._period_ns:
            return
        self._step(measurement)

    def _look_for_restart(self) -> None:
        if self._assembler.restarts != self._restarts:
            self._restarts = self._assembler.restarts
            self._restart()

    def _restart(self) -> None:
        """Begin a new run of control steps: nothing of earlier ones is in effect any more."""
        self._used_ns = self._markers_ns = None
        self._steps = 0
        if self.core is not None:
            self.core.reset()

    def _step(self, measurement: Measurement) -> None:
        assert self.core is not None
        self._used_ns = measurement.stamp_ns
        if self.lockstep:
            self._received = time.monotonic()
        state = self._state(measurement)
        if state is None:
            return
        trace = StepTrace(measurement.stamp_ns, self._steps, self._executing, measurement.odometry is not None,
                          self._goal_ns, self._velocity_ns)  # fmt: skip
        self._steps += 1
        began = time.perf_counter()
        try:
            output = self.core.step(state, state.stamp, self._executing)
        except self.faults as error:
            self._trace_pub.publish(step_trace_message(trace))
            self.telemetry.failed("faults", str(error))
            self.get_logger().error(f"no command: {error}", throttle_duration_sec=_QUIET)
            return
        self.telemetry.stepped(state.stamp, time.perf_counter() - began)
        stamp = measurement.joints.header.stamp
        self._commands_pub.publish(convert.joint_command_message(output.position, stamp, effort=output.effort))
        self._trace_pub.publish(step_trace_message(trace))
        due = self._markers_ns is None or measurement.stamp_ns - self._markers_ns >= _MARKERS_PERIOD_NS
        if due:
            self._markers_ns = measurement.stamp_ns
        self._publish_extras(output, measurement, due)

    def _state(self, measurement: Measurement) -> RobotState | None:
        try:
            return convert.robot_state(measurement.joints, measurement.imu, measurement.odometry)
        except ValueError as error:
            self.telemetry.failed("bad_states", str(error))
            self.get_logger().error(f"no command: {error}", throttle_duration_sec=_QUIET)
            return None

    def _diagnose(self) -> None:
        wall = time.monotonic()
        if wall - self._diagnosed < _DIAGNOSTICS_PERIOD:
            return
        self._diagnosed = wall
        lifecycle = "unconfigured" if self.core is None else "active" if self._active else "inactive"
        values = {
            **self.telemetry.values(),
            **self._extra_values(),
            "lifecycle": lifecycle,
            "control_rate_hz": f"{1.0 / self._rate.period:g}",
            "state_age": f"{wall - self._received:.4f}" if self._received >= 0.0 else "nan",
            "executing": str(self._executing).lower(),
            "lockstep": str(self.lockstep).lower(),
            "scheduling": self._scheduling,
            "model": self._model_name,
            "cmd_vel_timeout": f"{float(self._value('cmd_vel_timeout')):g}",
        }
        problem = self.telemetry.problem if self._active else ""
        status = DiagnosticStatus(
            level=DiagnosticStatus.WARN if problem else DiagnosticStatus.OK,
            name=f"{self.get_name()}: {self.title}",
            message=problem or lifecycle,
            hardware_id=self._model_name,
            values=[KeyValue(key=key, value=value) for key, value in values.items()],
        )
        message = DiagnosticArray(status=[status])
        message.header.stamp = self.get_clock().now().to_msg()
        self._diagnostics_pub.publish(message)

    def close(self) -> None:
        """Take the node down; its executor first, which would complain at the end of the interpreter."""
        self._release_core()
        self._executor.shutdown()
        self.destroy_node()

    def start(self) -> bool:
        """Configure and activate where the parameter asks for it. Returns False where that failed; the log says why."""
        if not self._value("auto_activate"):
            return True
        success = TransitionCallbackReturn.SUCCESS
        return self.trigger_configure() == success and self.trigger_activate() == success
