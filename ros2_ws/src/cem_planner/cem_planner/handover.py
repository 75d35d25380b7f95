"""Who drives the robot, and how command passes from one to the other without a jump. No ROS, no JAX.

In `hybrid` the planner drives all 18 joints while the base stands; while it walks, and until it has come to rest, the
policy drives the legs and the planner the arm. In `cem` there is nobody to walk: without a usable plan or stance the
last command is held. `step` is a pure function of state, inputs and time; `Smoother` shapes what is sent.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from enum import Enum

import numpy as np
from go2_piper_description.joints import ARM_SLICE, NUM_JOINTS, joint_array
from numpy.typing import NDArray
from robot_bridge.gate_params import GateParams

Array = NDArray[np.float64]

_GATE = GateParams()
_ROUNDING = 1e-9


class Driver(str, Enum):
    """Who computes the command."""

    IDLE = "idle"
    """Nobody: the gate does not execute commands; the stand pose is sent, near which it lets them begin."""
    PLANNER = "planner"
    """The planner, all joints, over planted feet."""
    WALK = "walk"
    """The policy the legs, the planner the arm (with a stale plan the policy all). Only in `hybrid`."""
    BACK = "back"
    """As WALK, with nothing left to walk to: waits for the base to come to rest."""
    HOLD = "hold"
    """The last command goes on. Only in `cem`."""

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True)
class HandoverParams:
    """Times of the transfers, s."""

    still_time: float = 0.4
    """Without a pause at rest before the planner takes over; half a stride of the policy's gait. [A]"""


@dataclass(frozen=True)
class HandoverInputs:
    """What the decision is made of, at one time."""

    now: float
    """s on the clock of the states."""
    executing: bool
    """Whether the gate executes the commands."""
    must_walk: bool
    """Whether the target or the operator asks for a walk. Without meaning in `cem`."""
    at_rest: bool
    """Base still, all feet loaded, legs near their stance."""
    stance_kept: bool
    """The feet are where the planner's stance has them, and the trunk is upright. Only asked while it drives."""
    plan_fresh: bool
    """There is a plan, not older than its limit."""


@dataclass(frozen=True)
class HandoverState:
    """Who drives, and since when the base has been at rest."""

    driver: Driver = Driver.IDLE
    rest_since: float | None = None
    """s; None while it moves."""
    reason: str = "no commands are executed"
    """Why this one drives."""
    transfers: int = 0
    """Changes of the driver so far."""


def step(
    state: HandoverState, inputs: HandoverInputs, can_walk: bool, params: HandoverParams | None = None
) -> HandoverState:
    """Return who drives now.

    Args:
        state: of the step before; `HandoverState()` at first.
        inputs: at the present time.
        can_walk: whether there is a policy (`hybrid`).
        params: times; None for the defaults.
    """
    p = params or HandoverParams()
    since = state.rest_since if state.driver is not Driver.WALK else None  # rest between two steps is none
    if not inputs.at_rest or (since is not None and inputs.now < since):  # time went back: another run
        since = None
    if inputs.at_rest and since is None:
        since = inputs.now
    rested = since is not None and inputs.now - since >= p.still_time - _ROUNDING
    driver, reason = _choose(state.driver, inputs, rested, can_walk)
    changed = driver is not state.driver
    return replace(
        state,
        driver=driver,
        rest_since=since,
        reason=reason if changed else state.reason,
        transfers=state.transfers + changed,
    )


def _choose(driver: Driver, inputs: HandoverInputs, rested: bool, can_walk: bool) -> tuple[Driver, str]:
    if not inputs.executing:
        return Driver.IDLE, "no commands are executed"
    if can_walk and inputs.must_walk:
        return Driver.WALK, "the base must walk"
    waiting = Driver.BACK if can_walk else Driver.HOLD
    if not inputs.plan_fresh:
        return waiting, "there is no fresh plan"
    if driver is Driver.PLANNER:
        return (driver, "") if inputs.stance_kept else (waiting, "the stance is lost")
    return (Driver.PLANNER, "the base stands") if rested else (waiting, "waiting for the base to rest")


@dataclass(frozen=True)
class Rates:
    """What one joint's command may change in a second, and how long a transfer takes."""

    position: Array = field(default_factory=lambda: _rates(_GATE.leg_target_rate, _GATE.arm_target_rate))
    """rad/s, shape (18,): those of the safety gate, so that it never has to limit a command."""
    effort: Array = field(default_factory=lambda: 10.0 * joint_array("effort"))
    """N m/s, shape (18,): from nothing to the limit in 0.1 s. [A]"""
    blend_time: float = 0.3
    """s in which the difference between two drivers fades. [A] the executor's trials used the same."""


class Smoother:
    """Keeps commands free of jumps: differences between drivers fade, and every joint keeps to its rate."""

    def __init__(self, rates: Rates | None = None) -> None:
        self.rates = rates or Rates()
        self._lower, self._upper = joint_array("lower"), joint_array("upper")
        self.begin(joint_array("stand"))

    @property
    def position(self) -> Array:
        """Position targets sent last, rad, shape (18,)."""
        return self._position.copy()

    @property
    def effort(self) -> Array:
        """Feed-forward torques sent last, N m, shape (18,)."""
        return self._effort.copy()

    def begin(self, position: Array) -> None:
        """Take position targets, rad, shape (18,), as those in force, with no feed-forward torque."""
        self._position = np.clip(position, self._lower, self._upper)
        self._effort = np.zeros(NUM_JOINTS)
        self._left = 0.0
        self._fade = False
        self._residual = (np.zeros(NUM_JOINTS), np.zeros(NUM_JOINTS))

    def change(self) -> None:
        """Say that the next command comes from another driver."""
        self._fade = True

    def send(self, position: Array, effort: Array, elapsed: float) -> tuple[Array, Array]:
        """Return what to send: position targets, rad, and torques, N m, each shape (18,).

        Args:
            position: wanted, rad, shape (18,), finite.
            effort: wanted, N m, shape (18,), finite.
            elapsed: since the last call, s; negative counts as none.
        """
        elapsed = max(elapsed, 0.0)
        if self._fade:
            self._fade, self._left = False, self.rates.blend_time
            self._residual = (self._position - position, self._effort - effort)
        self._left = max(self._left - elapsed, 0.0)
        share = self._left / self.rates.blend_time if math.isfinite(self._left) else 0.0
        wanted = np.clip(position + share * self._residual[0], self._lower, self._upper)
        most, torque = self.rates.position * elapsed, self.rates.effort * elapsed
        self._position = np.clip(wanted, self._position - most, self._position + most)
        self._effort = np.clip(effort + share * self._residual[1], self._effort - torque, self._effort + torque)
        return self.position, self.effort


def _rates(leg: float, arm: float) -> Array:
    rates = np.full(NUM_JOINTS, leg)
    rates[ARM_SLICE] = arm
    return rates
