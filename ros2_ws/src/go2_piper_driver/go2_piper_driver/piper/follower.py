"""What to send to the arm now: a pure state machine, without clock, bus or threads.

    WAITING -> ENABLING -> FOLLOWING    targets with kp above 0, after targets with kp of 0 while all was well
    FOLLOWING -> HOLDING                faults, no feedback, power lost; the arm holds where it is
    HOLDING -> WAITING                  targets with kp of 0 and nothing wrong for a while, or no power any more
    any -> WAITING                      `forget`, after a new connection

Nothing here takes power from a motor. Targets move at most at the speed of the arm's joints from where the arm was.
Targets that stop coming, or whose kp is 0, leave the arm where it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np
from go2_piper_description.joints import ARM_JOINT_NAMES, ARM_JOINTS
from numpy.typing import NDArray

from ..arm_types import ArmState, ArmTargets
from .limits import ArmLimits

Array = NDArray[np.float64]

COMMAND_TIMEOUT = 0.1
"""s without new targets until the arm holds where it is."""
STATE_TIMEOUT = 0.1
"""s of age of the joint frames until the link counts as lost: twenty cycles."""
ENABLE_TIMEOUT = 3.0
"""s in which all motors must have power and the arm must be under CAN control."""
CONTROL_TIMEOUT = 0.2
"""s without CAN control while following, which a person may take with the teach button."""
SPEED_RAMP = 2.0
"""s in which the speed grows from `FIRST_SPEED` to its full share."""
FIRST_SPEED = 0.1
MAX_LEAD = 0.3
"""rad that a target may lead the measured position: an arm that is stopped by something is not wound up."""
MAX_DRAG = 0.2
"""rad by which an arm that holds may be moved by hand, gravity or teaching before it holds at its new place."""
DRAG_TIME = 0.6
"""s for which it must be there: frames that come late tell of places where it has been."""
CALM_TIME = 0.3
"""s without anything wrong before targets without gain release the arm: a link that comes and goes does not."""
_VELOCITY = np.array([joint.velocity for joint in ARM_JOINTS])


class Mode(Enum):
    """See the module."""

    WAITING = "waiting"
    ENABLING = "enabling"
    FOLLOWING = "following"
    HOLDING = "holding"


@dataclass(frozen=True, eq=False)
class Inputs:
    """What is known now."""

    now: float
    """s, monotonic."""
    state: ArmState | None
    """Newest state, None where there is none."""
    powered: tuple[bool, ...]
    """Motors 1 to 6."""
    under_control: bool
    """The arm says that it obeys CAN."""
    targets: ArmTargets | None
    """Newest targets; finite."""
    targets_stamp: float
    """s, when they came."""


@dataclass(frozen=True, eq=False)
class Output:
    """What to send."""

    enable: tuple[int, ...] = ()
    """Motors 1 to 6 that need power."""
    position: Array | None = None
    """rad, shape (6,), inside the limits; None: no joint targets."""
    speed: float = 0.0
    """0 to 1 of the joints' velocity limits; 0: nothing is sent about the mode either."""
    compliant: bool = False
    """The targets' own gains may be used."""
    gripper: float | None = None
    """Travel of each finger, m."""


SILENT = Output()


class Follower:
    """Call `step` at the rate at which commands go out."""

    def __init__(self, limits: ArmLimits, full_speed: float = 1.0, soft: bool = False) -> None:
        """Take the limits, the share of the joints' speed, and whether targets are followed softly, as in MIT mode."""
        self._lower, self._upper = np.array(limits.lower), np.array(limits.upper)
        self._full_speed, self._soft = full_speed, soft
        self.mode = Mode.WAITING
        self.reason = ""
        """Why the arm holds, or why it does not start; empty when all is well."""
        self._armed = False
        self._since = self._control_seen = self._last = 0.0
        self._wrong = -CALM_TIME
        self._near = 0.0
        self._sent: Array | None = None
        self._place: Array | None = None
        """Where the arm is to stay, while it follows nothing."""

    def forget(self, reason: str) -> None:
        """Begin anew: whatever ran before does not go on by itself."""
        self.mode, self.reason, self._armed, self._sent = Mode.WAITING, reason, False, None

    def step(self, inputs: Inputs) -> Output:
        """Return what to send now."""
        elapsed = min(max(inputs.now - self._last, 0.0), 0.02)
        self._last = inputs.now
        fault = self._fault(inputs)
        if fault is not None:
            self._wrong = inputs.now
        fresh = inputs.targets is not None and inputs.now - inputs.targets_stamp <= COMMAND_TIMEOUT
        targets = inputs.targets if fresh else None
        wanted = targets is not None and bool(np.any(targets.kp > 0.0))
        released = targets is not None and not wanted and inputs.now - self._wrong >= CALM_TIME
        if self.mode is Mode.WAITING:
            self._wait(inputs.now, fault, wanted, released)
        elif self.mode is Mode.ENABLING:
            self._enable(inputs, fault, wanted)
        elif self.mode is Mode.FOLLOWING and fault is not None:
            self._hold(inputs, fault)
        elif self.mode is Mode.HOLDING:
            if not any(inputs.powered):
                self.mode, self._armed, self._sent = Mode.WAITING, False, None
            elif released:
                self.mode, self.reason, self._armed, self._sent = Mode.WAITING, "", True, None
        return self._output(inputs, targets if wanted else None, elapsed)

    # --- transitions ------------------------------------------------------------------------------------------------

    def _fault(self, inputs: Inputs) -> str | None:
        """Return why the arm must not move, or None."""
        if inputs.state is None:
            return "no joint frames from the arm"
        age = inputs.now - inputs.state.stamp
        if age > STATE_TIMEOUT:
            return f"no joint frames from the arm for {age:.2f} s"
        if inputs.state.faults:
            return inputs.state.faults[0]
        if self.mode is not Mode.FOLLOWING:
            return None
        if not all(inputs.powered):
            return f"{_without_power(inputs)}: lost power"
        if inputs.under_control:
            self._control_seen = inputs.now
        elif inputs.now - self._control_seen > CONTROL_TIMEOUT:
            return "the arm left CAN control"
        return None

    def _wait(self, now: float, fault: str | None, wanted: bool, released: bool) -> None:
        if fault is not None:
            self._armed = False
        elif released:
            self._armed, self.reason = True, ""
        elif wanted and self._armed:
            self.mode, self._since, self._sent = Mode.ENABLING, now, None

    def _enable(self, inputs: Inputs, fault: str | None, wanted: bool) -> None:
        if fault is not None or not wanted:
            self.mode, self._armed, self.reason = Mode.WAITING, False, fault or ""
        elif all(inputs.powered) and inputs.under_control:
            self.mode, self._since, self._control_seen = Mode.FOLLOWING, inputs.now, inputs.now
            assert inputs.state is not None  # else there was a fault
            self._sent = self._place = np.clip(inputs.state.position, self._lower, self._upper)
        elif inputs.now - self._since > ENABLE_TIMEOUT:
            dead = _without_power(inputs)
            what = f"{dead} got no power" if dead else "the arm did not come under CAN control"
            self.mode, self._armed, self.reason = Mode.WAITING, False, f"{what} within {ENABLE_TIMEOUT:.0f} s"

    def _hold(self, inputs: Inputs, reason: str) -> None:
        self.mode, self.reason, self._armed = Mode.HOLDING, reason, False
        self._near = inputs.now
        if self._place is None:
            self._stay(inputs)

    def _stay(self, inputs: Inputs) -> None:
        """Stay where the arm is, or where it was sent if that is not known any more."""
        state = inputs.state
        known = state is not None and inputs.now - state.stamp <= STATE_TIMEOUT
        self._place = np.clip(state.position, self._lower, self._upper) if known and state is not None else self._sent
        if self._soft:  # a soft arm is not where it was sent: position mode begins where it is
            self._sent = self._place

    # --- what is sent -----------------------------------------------------------------------------------------------

    def _speed(self, now: float) -> float:
        share = min(1.0, FIRST_SPEED + (1.0 - FIRST_SPEED) * (now - self._since) / SPEED_RAMP)
        return self._full_speed * share

    def _output(self, inputs: Inputs, targets: ArmTargets | None, elapsed: float) -> Output:
        if self.mode is Mode.WAITING:
            return SILENT
        if self.mode is Mode.ENABLING:
            missing = tuple(motor for motor, on in enumerate(inputs.powered, start=1) if not on)
            return Output(enable=missing, speed=self._full_speed * FIRST_SPEED)
        assert self._sent is not None
        if self.mode is Mode.HOLDING:
            if inputs.state is None or np.abs(inputs.state.position - self._sent).max() <= MAX_DRAG:
                self._near = inputs.now
            elif inputs.now - self._near > DRAG_TIME:
                self._stay(inputs)
            speed = self._full_speed * FIRST_SPEED
        else:
            speed = self._speed(inputs.now)
            if targets is None and self._place is None:
                self._stay(inputs)
        # also a stop moves the target no faster than the arm can go: what was measured may be old
        step = self._full_speed * _VELOCITY * elapsed
        if self.mode is Mode.HOLDING or targets is None:
            assert self._place is not None
            self._sent = self._sent + np.clip(self._place - self._sent, -step, step)
            return Output(position=self._sent, speed=speed)
        assert inputs.state is not None
        self._place = None
        step = speed * _VELOCITY * elapsed
        # a target may not run ahead of the arm, but an arm beyond its limits or lead is brought back at most at `step`
        near = np.clip(targets.position, inputs.state.position - MAX_LEAD, inputs.state.position + MAX_LEAD)
        goal = np.clip(near, self._lower, self._upper)
        self._sent = self._sent + np.clip(goal - self._sent, -step, step)
        return Output(position=self._sent, speed=speed, compliant=True, gripper=targets.gripper_position)


def _without_power(inputs: Inputs) -> str:
    return ", ".join(name for name, on in zip(ARM_JOINT_NAMES, inputs.powered, strict=True) if not on)
