"""Drives the gate with an ideal robot that is always where it was told to be."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
from go2_piper_description.joints import JOINT_NAMES, NUM_JOINTS, joint_array
from robot_bridge.gate import GateInputs, GateOutput, GateState, step
from robot_bridge.gate_params import GateParams
from robot_bridge.modes import Mode, Request
from robot_bridge.types import Array, JointCommand, RobotState

PERIOD = 0.005
STAND = joint_array("stand")


def make_state(stamp: float, position: Array, /, **changes: object) -> RobotState:
    """Return an upright robot at rest."""
    zeros = np.zeros(NUM_JOINTS)
    state = RobotState(stamp, position, zeros, zeros, np.array([0.0, 0.0, 0.0, 1.0]), np.zeros(3), np.zeros(3))
    return replace(state, **changes)  # type: ignore[arg-type]


def make_command(now: float, position: Array, /, **changes: object) -> JointCommand:
    """Return a command in canonical order, computed from the state of `now`."""
    zeros = np.zeros(NUM_JOINTS)
    return replace(JointCommand(JOINT_NAMES, position, zeros, zeros, now, now), **changes)  # type: ignore[arg-type]


class Driver:
    """A gate, an ideal robot and a controller that commands `wanted` in every step while it is not None."""

    def __init__(self, **params: float) -> None:
        self.params = GateParams(**params)
        self.gate = GateState()
        self.now = 0.0
        self.position = joint_array("rest")
        self.robot_changes: dict[str, object] = {}
        self.command_changes: dict[str, object] = {}
        self.wanted: Array | None = None
        self.command: JointCommand | None = None
        self.publishers = 1
        self.gripper: float | None = None
        self.frozen_state: RobotState | None = None
        self.events: list[str] = []
        self.output: GateOutput

    def tick(self, *requests: Request, period: float = PERIOD) -> GateOutput:
        """Let one period pass."""
        self.now += period
        if self.wanted is not None:
            self.command = make_command(self.now, self.wanted, **self.command_changes)
        state = self.frozen_state or make_state(self.now, self.position, **self.robot_changes)
        inputs = GateInputs(self.now, state, self.command, self.publishers, self.gripper, requests)
        self.gate, self.output = step(self.gate, inputs, self.params)
        self.events.extend(self.output.events)
        targets = self.output.targets
        if targets is not None:
            self.position = np.where(targets.kp > 0.0, targets.position, self.position)
        return self.output

    def run(self, seconds: float) -> GateOutput:
        """Let time pass."""
        for _ in range(round(seconds / PERIOD)):
            self.tick()
        return self.output

    def run_to(self, mode: Mode, limit: float = 10.0) -> GateOutput:
        """Let time pass until a mode is reached."""
        for _ in range(round(limit / PERIOD)):
            if self.tick().mode is mode:
                return self.output
        raise AssertionError(f"{mode} was not reached: {self.events}")

    def hold(self) -> Driver:
        """Bring the robot to HOLD."""
        self.gate, self.output, self.now, self.position, events = _held(self.params)
        self.events = list(events)
        return self

    def active(self) -> Driver:
        """Bring the robot to ACTIVE under a controller that commands the stand pose."""
        self.hold()
        self.wanted = STAND.copy()
        self.tick()
        self.tick(Request.ACTIVATE)
        assert self.output.mode is Mode.ACTIVE, self.output.replies
        return self


@cache  # the gate is pure, so a state can be used again
def _held(params: GateParams) -> tuple[GateState, GateOutput, float, Array, tuple[str, ...]]:
    driver = Driver(**vars(params))
    driver.tick()
    driver.tick(Request.STAND)
    driver.run_to(Mode.HOLD)
    return driver.gate, driver.output, driver.now, driver.position, tuple(driver.events)
