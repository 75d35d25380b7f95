"""The safety gate between controllers and a robot: a pure state machine.

`step(state, inputs, params) -> (state, output)` has no clock, no ROS and no memory of its own, so the same inputs give
the same outputs, in simulation, on the robot and in tests. It never leads to motion by itself:

    DISCONNECTED -> PASSIVE          when a fresh, finite state is there
    PASSIVE, DAMPING -> STANDING_UP  by `stand`; then HOLD when the stand pose is reached
    HOLD -> ACTIVE                   by `activate` only, with one controller whose fresh command is near the pose
    HOLD, ACTIVE, STANDING_UP -> SITTING -> PASSIVE   by `sit`, unless the robot walks; for a hot motor or empty battery
    any -> DAMPING, ESTOP            by `damp`, `estop`, or a fault; ESTOP until `reset`, which leads to DAMPING

Faults in ACTIVE. Commands late, malformed or from two publishers: HOLD, which brings calm legs to the stand pose and
drops walking ones into a low, wide stance, out of which the robot rises again if it may; and DAMPING once the last good
command is `command_damp_after` old. A second publisher alone does not lead to DAMPING: a standing robot ignores both,
which is safer than to drop it. Robot state late, not finite, tilted, beyond joint limits or far too fast: DAMPING. Good
commands never bring ACTIVE back; an operator does.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from go2_piper_description.joints import ARM_SLICE, JOINT_NAMES, LEG_SLICE, NUM_JOINTS

from .checks import (
    KD,
    KP,
    LOWER,
    UPPER,
    Setpoint,
    body_fault,
    check_command,
    limit_gripper,
    limit_step,
    limit_torque,
    start_error,
    tilt_of,
    untrusted,
    wear_fault,
)
from .gate_params import GateParams
from .modes import STANDING_MODES, Mode, Request
from .ramp import STAND_POSE, Ramp, brace_ramp, rise_again, settle_ramp, sit_ramp, stand_ramp
from .types import Array, JointCommand, JointTargets, RobotState

_MAX_ELAPSED = 0.02
"""s; a longer gap between two steps does not widen the step limit."""


@dataclass(frozen=True, eq=False)
class GateInputs:
    """What the gate sees in one step. All times on one clock, s."""

    now: float
    state: RobotState | None
    """The newest measurement."""
    command: JointCommand | None = None
    """The newest command; the same one may be given again."""
    command_publishers: int = 0
    """How many publishers `/joint_commands` has."""
    gripper: float | None = None
    """Requested travel of each finger, m; None where nobody asked."""
    requests: tuple[Request, ...] = ()


@dataclass(frozen=True)
class Reply:
    """The answer to one request."""

    request: Request
    accepted: bool
    message: str


@dataclass(frozen=True, eq=False)
class GateState:
    """What the gate remembers from step to step. Arrays are never written to."""

    mode: Mode = Mode.DISCONNECTED
    reason: str = "no robot state yet"
    now: float | None = None
    """Time of the last step, s."""
    entered: float = 0.0
    """When the mode was entered, s."""
    moved: float = 0.0
    """When a leg joint was last fast, s."""
    measured: Array | None = None
    """Last trusted joint positions, rad, shape (18,)."""
    targets: Array | None = None
    """Last position targets before torque limiting, rad, shape (18,)."""
    ramp: Ramp | None = None
    setpoint: Setpoint | None = None
    """Last good command."""
    command_key: tuple[float, float] | None = None
    """Which command was checked last."""
    command_fault: str | None = None
    """Why the last command was refused; None if it was good."""
    watch_commands: bool = False
    """HOLD was entered out of ACTIVE, so commands that stay away lead to DAMPING."""
    gripper: float | None = None


@dataclass(frozen=True, eq=False)
class GateOutput:
    """What comes out of one step."""

    mode: Mode
    reason: str
    targets: JointTargets | None
    """What to write to the plant; None: write nothing."""
    replies: tuple[Reply, ...] = ()
    """One for each request."""
    events: tuple[str, ...] = ()
    """Lines for the log: changes of mode, refused commands."""
    limited: tuple[str, ...] = ()
    """Which limits cut the command in this step: "position or step", "torque"."""


class _Step:
    """One step in the making: the inputs, the state so far, and what to report."""

    def __init__(self, state: GateState, inputs: GateInputs, params: GateParams) -> None:
        self.inputs, self.params, self.now = inputs, params, inputs.now
        previous = state.now if state.now is not None else inputs.now
        self.elapsed = min(max(inputs.now - previous, 0.0), _MAX_ELAPSED)
        self.distrust = untrusted(inputs.state, inputs.now, params)
        if inputs.now < previous:
            self.distrust = f"the clock went back by {previous - inputs.now:.3f} s"
        self.robot = inputs.state if self.distrust is None else None
        self.state = replace(state, now=inputs.now, gripper=limit_gripper(inputs.gripper, state.gripper))
        if self.robot is not None:
            fast = bool(np.max(np.abs(self.robot.velocity[LEG_SLICE])) > params.stand_max_velocity)
            moved = self.now if fast else self.state.moved
            self.state = replace(self.state, measured=self.robot.position, moved=moved)
        self.events: list[str] = []
        self.replies: list[Reply] = []
        self.limited: list[str] = []

    @property
    def mode(self) -> Mode:
        return self.state.mode

    def enter(self, mode: Mode, reason: str, *, ramp: Ramp | None = None, watch_commands: bool = False) -> None:
        """Change the mode. DAMPING and ESTOP latch the measured pose, which their arm holds."""
        if mode in (Mode.DAMPING, Mode.ESTOP) and self.mode not in (Mode.DAMPING, Mode.ESTOP):
            # out of DISCONNECTED the last pose may be long past, and to hold it would be a motion
            self.state = replace(self.state, targets=None if self.mode is Mode.DISCONNECTED else self.state.measured)
        if ramp is not None:
            self.state = replace(self.state, targets=ramp.at(self.now))
        if mode is not self.mode:
            self.events.append(f"{self.mode} -> {mode}: {reason}")
        self.state = replace(
            self.state, mode=mode, reason=reason, entered=self.now, ramp=ramp, watch_commands=watch_commands
        )

    # -- commands ------------------------------------------------------------------------------------------------

    def take_command(self) -> None:
        """Check the newest command, once."""
        command = self.inputs.command
        if command is None or (command.received, command.state_stamp) == self.state.command_key:
            return
        checked = check_command(command, self.now, self.params)
        self.state = replace(self.state, command_key=(command.received, command.state_stamp))
        if isinstance(checked, Setpoint):
            # a time of arrival ahead of the clock must not keep the command fresh for longer
            checked = replace(checked, received=min(checked.received, self.now))
            self.state = replace(self.state, setpoint=checked, command_fault=None)
            return
        if self.state.command_fault is None:
            self.events.append(checked)
        self.state = replace(self.state, command_fault=checked)

    def command_age(self) -> float:
        """Age of the last good command, s; infinite where there is none."""
        return self.now - self.state.setpoint.received if self.state.setpoint is not None else float("inf")

    # -- requests ------------------------------------------------------------------------------------------------

    def answer(self, request: Request) -> None:
        """Carry out a request, or refuse it with a reason."""
        refusal = getattr(self, f"_{request.value}")()
        message = f"{self.mode}: {self.state.reason}" if refusal is None else f"{request} refused: {refusal}"
        if refusal is not None:
            self.events.append(message)
        self.replies.append(Reply(request, refusal is None, message))

    def _estop(self) -> str | None:
        if self.mode is not Mode.ESTOP:
            self.enter(Mode.ESTOP, "emergency stop; `reset` leads to DAMPING")
        return None

    def _damp(self) -> str | None:
        if self.mode is Mode.ESTOP:
            return "the emergency stop is latched and damps already"
        if self.mode is Mode.DISCONNECTED:
            return self.state.reason
        if self.mode is not Mode.DAMPING:
            self.enter(Mode.DAMPING, "requested")
        return None

    def _reset(self) -> str | None:
        if self.mode is Mode.ESTOP:
            self.enter(Mode.DAMPING, "emergency stop reset; `stand` or `reset` leads on")
            return None
        if self.mode is not Mode.DAMPING:
            return f"nothing to reset in {self.mode}"
        if self.robot is None:
            self.enter(Mode.DISCONNECTED, self.distrust or "no robot state")
            return None
        if (moving := self._moving(self.robot)) is not None:
            return moving
        self.enter(Mode.PASSIVE, "reset")
        return None

    def _moving(self, robot: RobotState) -> str | None:
        worst = int(np.argmax(np.abs(robot.velocity)))
        if abs(robot.velocity[worst]) <= self.params.stand_max_velocity:
            return None
        return f"{JOINT_NAMES[worst]} still moves at {robot.velocity[worst]:.1f} rad/s"

    def _stand(self) -> str | None:
        if self.mode not in (Mode.PASSIVE, Mode.DAMPING):
            return f"only from PASSIVE or DAMPING, the robot is in {self.mode}"
        if self.robot is None:
            return self.distrust
        tilt = tilt_of(self.robot.orientation)
        if tilt > self.params.stand_max_tilt:
            return f"the robot is tilted by {tilt:.2f} rad (limit {self.params.stand_max_tilt}): lay it on its belly"
        fault = body_fault(self.robot, self.params) or wear_fault(self.robot, self.params) or self._moving(self.robot)
        if fault is None:
            ramp = stand_ramp(self.now, np.clip(self.robot.position, LOWER, UPPER), self.params.stand_duration,
                              self.params.max_ramp_velocity)  # fmt: skip
            self.enter(Mode.STANDING_UP, "requested", ramp=ramp)
        return fault

    def _sit(self) -> str | None:
        if self.mode not in (Mode.HOLD, Mode.ACTIVE, Mode.STANDING_UP):
            return f"only from HOLD, ACTIVE or STANDING_UP, the robot is in {self.mode}"
        # a ramp cannot balance: out of a stride the arm would come home over a robot that is still falling into place
        if self.mode is Mode.ACTIVE and self._strides():
            return "the legs move: stop the robot first, or damp it"
        self._begin_sitting("requested")
        return None

    def _begin_sitting(self, reason: str) -> None:
        assert self.state.targets is not None  # every standing mode has them
        ramp = sit_ramp(self._stop_ramp(self.state.targets), self.params.sit_duration, self.params.max_ramp_velocity)
        self.enter(Mode.SITTING, reason, ramp=ramp)

    def _strides(self) -> bool:
        """Return whether a leg joint was fast in the last moments under a controller: frozen legs are soon slow."""
        driven = self.now if self.state.setpoint is None else self.state.setpoint.received
        return driven - self.state.moved < self.params.calm_time

    def _stop_ramp(self, start: Array) -> Ramp:
        """Return the motion that brings the robot to a stand, or out of a stride into the low stance."""
        if self._strides():
            return brace_ramp(self.now, start, self.params.brace_ramp)
        return settle_ramp(self.now, start, self.params.settle_ramp)

    def _activate(self) -> str | None:
        if self.mode is not Mode.HOLD:
            return f"only from HOLD, the robot is in {self.mode}"
        if self.robot is None:
            return self.distrust
        if self.state.ramp is not None and self.now < self.state.ramp.end:
            return "the robot is still coming to a stand"
        if self.inputs.command_publishers != 1:
            return f"/joint_commands has {self.inputs.command_publishers} publishers, there must be exactly 1"
        if self.state.command_fault is not None:
            return self.state.command_fault
        if self.state.setpoint is None:
            return "no command has arrived on /joint_commands"
        if self.command_age() > self.params.command_hold_after:
            return f"the last command is {self.command_age():.3f} s old (limit {self.params.command_hold_after} s)"
        refusal = start_error(self.state.setpoint, self.robot.position, self.params)
        if refusal is None:
            self.enter(Mode.ACTIVE, "requested")
        return refusal

    # -- faults and the passing of time ----------------------------------------------------------------------------

    def watch_robot(self) -> None:
        """React to what the robot reports, or that it reports nothing."""
        if self.robot is None:
            reason = self.distrust or "no robot state"
            if self.mode in STANDING_MODES:
                self.enter(Mode.DAMPING, reason)
            elif self.mode is Mode.PASSIVE:
                self.enter(Mode.DISCONNECTED, reason)
            elif self.mode is Mode.DISCONNECTED:
                self.state = replace(self.state, reason=reason)
            return
        if self.mode is Mode.DISCONNECTED:
            self.enter(Mode.PASSIVE, "robot connected")
        if self.mode not in STANDING_MODES:
            return
        if (fault := body_fault(self.robot, self.params)) is not None:
            self.enter(Mode.DAMPING, fault)
        elif self.mode is not Mode.SITTING and (fault := wear_fault(self.robot, self.params)) is not None:
            self._begin_sitting(fault)

    def watch_commands(self) -> None:
        """React to late, bad or doubled commands."""
        if self.mode is Mode.ACTIVE:
            fault = self.state.command_fault
            if self.inputs.command_publishers > 1:
                fault = f"/joint_commands has {self.inputs.command_publishers} publishers"
            elif self.command_age() > self.params.command_hold_after:
                fault = fault or f"no good command for {self.params.command_hold_after} s"
            if fault is not None:
                assert self.state.targets is not None
                ramp = self._stop_ramp(self.state.targets)
                if self._strides():
                    ramp = rise_again(ramp, self.params.command_damp_after, self.params.stand_duration,
                                      self.params.max_ramp_velocity)  # fmt: skip
                self.enter(Mode.HOLD, fault, ramp=ramp, watch_commands=True)
        elif self.state.watch_commands and self.command_age() > self.params.command_damp_after:
            self.enter(Mode.DAMPING, f"no good command for {self.params.command_damp_after} s")

    def finish_ramps(self) -> None:
        """Go on to the next mode when a motion is done."""
        ramp = self.state.ramp
        if ramp is None or self.now < ramp.end:
            return
        if self.mode is Mode.SITTING:
            self.enter(Mode.PASSIVE, "lying")
        elif self.mode is Mode.STANDING_UP and self.robot is not None:
            error = np.abs(self.robot.position - STAND_POSE)[LEG_SLICE]
            worst = int(np.argmax(error))
            if error[worst] <= self.params.stand_tolerance:
                self.enter(Mode.HOLD, "standing")
            elif self.now > ramp.end + self.params.stand_grace:
                self.enter(Mode.DAMPING, f"{JOINT_NAMES[worst]} is {error[worst]:.2f} rad from the stand pose")

    # -- outputs -----------------------------------------------------------------------------------------------------

    def targets(self) -> JointTargets | None:
        """Return what to send in the present mode, and remember it."""
        if self.mode is Mode.DISCONNECTED:
            return None
        if self.mode is Mode.PASSIVE:
            assert self.robot is not None
            kd = np.full(NUM_JOINTS, self.params.passive_kd)
            return JointTargets(np.clip(self.robot.position, LOWER, UPPER), kd=kd)
        if self.mode in (Mode.DAMPING, Mode.ESTOP):
            return self._damping_targets()
        assert self.robot is not None and self.mode in STANDING_MODES  # watch_robot has dealt with everything else
        return self._standing_targets(self.robot)

    def _damping_targets(self) -> JointTargets:
        kp, kd = np.zeros(NUM_JOINTS), np.full(NUM_JOINTS, self.params.damping_kd_leg)
        kd[ARM_SLICE] = KD[ARM_SLICE]
        position = self.state.targets
        if position is None:  # stopped while no pose was known
            position = np.zeros(NUM_JOINTS)
        else:
            kp[ARM_SLICE] = self.params.damping_arm_gain * KP[ARM_SLICE]
        return JointTargets(np.clip(position, LOWER, UPPER), kp=kp, kd=kd, gripper_position=self.state.gripper)

    def _standing_targets(self, robot: RobotState) -> JointTargets:
        velocity, effort, kp = np.zeros(NUM_JOINTS), np.zeros(NUM_JOINTS), KP
        if self.mode is Mode.ACTIVE:
            setpoint = self.state.setpoint
            assert setpoint is not None and self.state.targets is not None  # `activate` asked for both
            position = limit_step(setpoint.position, self.state.targets, self.elapsed, self.params)
            velocity, effort = setpoint.velocity, setpoint.effort
            if not np.array_equal(position, setpoint.position):
                self.limited.append("position or step")
        elif self.state.ramp is not None:
            position = np.clip(self.state.ramp.at(self.now), LOWER, UPPER)
        else:
            assert self.state.targets is not None
            position = self.state.targets
        if self.mode is Mode.STANDING_UP and self.state.ramp is not None:
            kp = KP * min(max((self.now - self.state.ramp.start) / self.params.stand_gain_ramp, 0.0), 1.0)
        self.state = replace(self.state, targets=position)
        wanted = JointTargets(position, velocity, effort, kp, KD, self.state.gripper)
        sent = limit_torque(wanted, robot, self.params)
        if not (np.array_equal(sent.position, position) and np.array_equal(sent.velocity, velocity)
                and np.array_equal(sent.effort, effort)):  # fmt: skip
            self.limited.append("torque")
        return sent


def step(state: GateState, inputs: GateInputs, params: GateParams) -> tuple[GateState, GateOutput]:
    """Advance the gate by one step.

    Requests are answered in order, an emergency stop after all others, so that it wins. A request and a fault in the
    same step: the fault wins. Steps may follow each other at any rate, also without time passing.
    """
    work = _Step(state, inputs, params)
    work.take_command()
    for request in sorted(inputs.requests, key=lambda item: item is Request.ESTOP):
        work.answer(request)
    work.watch_robot()
    work.watch_commands()
    work.finish_ramps()
    targets = work.targets()
    output = GateOutput(work.mode, work.state.reason, targets, tuple(work.replies), tuple(work.events),
                        tuple(work.limited))  # fmt: skip
    return work.state, output
