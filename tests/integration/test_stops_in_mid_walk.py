"""Every stop out of a stride: shipped policy, real gate, simulated robot; ROS-free and in lockstep."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from go2_piper_description.joints import JOINT_NAMES
from moe_controller.controller import MoeController
from moe_controller.policy import OnnxPolicy
from moe_controller.shipped import shipped_model
from robot_bridge.checks import tilt_of
from robot_bridge.gate import GateInputs, GateState, step
from robot_bridge.gate_params import GateParams
from robot_bridge.modes import Mode, Request
from robot_bridge.types import JointCommand, RobotState
from sim_bridge.mujoco_plant import MujocoPlant

STEP = 0.005
START, STOP = 800, 1240
"""Turns at which the walk and the first stop begin: 4 and 6.2 s."""
WALKS = [(0.5, 0.0, 0.0), (0.5, 0.0, 0.7), (0.3, 0.3, 0.5), (-0.5, 0.0, 0.0), (0.0, 0.4, 0.0)]
"""Up to the speed of an approach."""
FASTEST = (0.8, 0.0, 0.0)
"""Only for a silent controller; to damp at once out of it may tip the robot over: see docs/architecture.md."""
TILT_LIMIT = 0.5
"""rad; in walking it is below 0.15, and the gate itself gives up at 1.0."""
PHASES = 5
"""Stops in one stride, which takes about half a second."""


@dataclass
class Aftermath:
    """What happened from the stop on."""

    mode: Mode
    reply: str
    modes: list[Mode]
    times: list[float]
    """When each of `modes` was entered, s after the stop."""
    largest_tilt: float
    height: float


@dataclass
class _Run:
    """Robot, gate and controller. A branch of it, made with an own copy of the plant, may only run in silence."""

    plant: MujocoPlant
    controller: MoeController
    velocity: tuple[float, float, float]
    gate: GateState = field(default_factory=GateState)
    command: JointCommand | None = None
    turn: int = 0
    reply: str = ""

    def tick(self, request: Request | None = None, *, silent: bool = False) -> RobotState:
        """Let 5 ms pass; return the state at their beginning."""
        state, now = self.plant.read(), self.plant.time
        assert state is not None
        if self.turn % 4 == 0 and not silent:
            if self.turn >= START:
                self.controller.set_velocity(np.array(self.velocity))
            position = self.controller.step(state, now, self.gate.mode is Mode.ACTIVE).position
            self.command = JointCommand(JOINT_NAMES, position, np.zeros(18), np.zeros(18), state.stamp, now)
        asked = () if request is None else (request,)
        self.gate, output = step(self.gate, GateInputs(now, state, self.command, 1, None, asked), GateParams())
        if output.replies:
            self.reply = output.replies[0].message
        if output.targets is not None:
            self.plant.write(output.targets)
        self.plant.step()
        self.turn += 1
        return state

    def branch(self) -> _Run:
        return replace(self, plant=deepcopy(self.plant))


def _walking(velocity: tuple[float, float, float]) -> _Run:
    """Stand up and walk for 2 s."""
    run = _Run(MujocoPlant(), MoeController(OnnxPolicy(shipped_model())), velocity)
    run.plant.start()
    requests = {40: Request.STAND, 700: Request.ACTIVATE}
    while run.turn < STOP:
        run.tick(requests.get(run.turn))
    assert run.gate.mode is Mode.ACTIVE, run.gate.reason
    return run


def _stop(run: _Run, request: Request | None) -> Aftermath:
    """Stop by a request, or by silence, and wait for 5 s."""
    run.reply = ""
    after = Aftermath(run.gate.mode, "", [], [], 0.0, 0.0)
    for turn in range(1000):
        before = run.gate.mode
        state = run.tick(request if turn == 0 else None, silent=request is None)
        after.largest_tilt = max(after.largest_tilt, tilt_of(state.orientation))
        if run.gate.mode is not before:
            after.modes.append(run.gate.mode)
            after.times.append(turn * STEP)
    assert state.base is not None
    after.mode, after.reply, after.height = run.gate.mode, run.reply, float(state.base.position[2])
    return after


@pytest.mark.parametrize("velocity", WALKS[:2])
def test_sit_is_refused_in_a_stride(velocity: tuple[float, float, float]) -> None:
    after = _stop(_walking(velocity), Request.SIT)
    assert after.mode is Mode.ACTIVE and "stop the robot first" in after.reply
    assert after.largest_tilt < 0.3  # it walks on


def test_sit_out_of_a_stand_under_the_policy_ends_lying() -> None:
    after = _stop(_walking((0.0, 0.0, 0.0)), Request.SIT)
    assert after.modes == [Mode.SITTING, Mode.PASSIVE]
    assert after.largest_tilt < 0.3 and after.height < 0.2


@pytest.mark.parametrize("velocity", [*WALKS, FASTEST])
def test_silent_controller_leads_to_hold_then_damping_in_the_configured_times(
    velocity: tuple[float, float, float],
) -> None:
    run, params = _walking(velocity), GateParams()
    for _ in range(PHASES):
        after = _stop(run.branch(), None)
        assert after.modes == [Mode.HOLD, Mode.DAMPING]
        # the last command is up to one control period older than the silence
        for time, limit in zip(after.times, (params.command_hold_after, params.command_damp_after), strict=True):
            assert limit - 0.02 <= time <= limit + 2 * STEP
        assert after.largest_tilt < TILT_LIMIT
        assert after.height < 0.2
        for _ in range(20):  # to the next phase
            run.tick()


@pytest.mark.parametrize("request_", [Request.DAMP, Request.ESTOP])
@pytest.mark.parametrize("velocity", WALKS[:2])
def test_damp_and_estop_act_at_once_and_let_the_robot_down(
    velocity: tuple[float, float, float], request_: Request
) -> None:
    after = _stop(_walking(velocity), request_)
    assert after.times == [0.0]
    assert after.mode is (Mode.DAMPING if request_ is Request.DAMP else Mode.ESTOP)
    assert after.largest_tilt < TILT_LIMIT
    assert after.height < 0.2
