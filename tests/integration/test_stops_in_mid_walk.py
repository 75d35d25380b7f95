"""Every stop out of a stride: shipped policy, real gate, simulated robot; ROS-free and in lockstep."""

from __future__ import annotations

from dataclasses import dataclass

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
from robot_bridge.types import JointCommand
from sim_bridge.mujoco_plant import MujocoPlant

STEP = 0.005
STOP = 1240
"""Turn of the stop, 2 s into the walk: 6.2 s."""
WALKS = [(0.5, 0.0, 0.0), (0.5, 0.0, 0.7), (0.3, 0.3, 0.5), (-0.5, 0.0, 0.0), (0.0, 0.4, 0.0)]
"""Up to the speed of an approach. Stops out of 0.8 m/s may tip the robot over: see docs/architecture.md."""
TILT_LIMIT = 0.8
"""rad; in walking it is below 0.15, and the gate itself gives up at 1.0."""


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


def _walk_and_stop(velocity: tuple[float, float, float], turn_of_stop: int, request: Request | None) -> Aftermath:
    """Stand up, walk, and stop by a request; None: the controller goes silent."""
    plant, params, gate = MujocoPlant(), GateParams(), GateState()
    controller = MoeController(OnnxPolicy(shipped_model()))
    plant.start()
    state, command = plant.read(), None
    after = Aftermath(gate.mode, "", [], [], 0.0, 0.0)
    requests = {40: Request.STAND, 700: Request.ACTIVATE}
    if request is not None:
        requests[turn_of_stop] = request
    for turn in range(turn_of_stop + 1000):
        now = plant.time
        assert state is not None
        if turn % 4 == 0 and (turn < turn_of_stop or request is not None):
            if turn >= 800:
                controller.set_velocity(np.array(velocity))
            position = controller.step(state, now, gate.mode is Mode.ACTIVE).position
            command = JointCommand(JOINT_NAMES, position, np.zeros(18), np.zeros(18), state.stamp, now)
        asked = (requests[turn],) if turn in requests else ()
        before = gate.mode
        gate, output = step(gate, GateInputs(now, state, command, 1, None, asked), params)
        if turn == turn_of_stop and output.replies:
            after.reply = output.replies[0].message
        if turn == turn_of_stop - 1:
            assert gate.mode is Mode.ACTIVE, gate.reason
        if turn >= turn_of_stop:
            after.largest_tilt = max(after.largest_tilt, tilt_of(state.orientation))
            if gate.mode is not before:
                after.modes.append(gate.mode)
                after.times.append((turn - turn_of_stop) * STEP)
        if output.targets is not None:
            plant.write(output.targets)
        plant.step()
        state = plant.read()
    assert state is not None and state.base is not None
    after.mode, after.height = gate.mode, float(state.base.position[2])
    return after


@pytest.mark.parametrize("velocity", WALKS)
def test_sit_is_refused_in_a_stride(velocity: tuple[float, float, float]) -> None:
    after = _walk_and_stop(velocity, STOP, Request.SIT)
    assert after.mode is Mode.ACTIVE and "stop the robot first" in after.reply
    assert after.largest_tilt < 0.3  # it walks on


def test_sit_out_of_a_stand_under_the_policy_ends_lying() -> None:
    after = _walk_and_stop((0.0, 0.0, 0.0), STOP, Request.SIT)
    assert after.modes == [Mode.SITTING, Mode.PASSIVE]
    assert after.largest_tilt < 0.3 and after.height < 0.2


@pytest.mark.parametrize("velocity", WALKS)
def test_silent_controller_leads_to_hold_then_damping_in_the_configured_times(
    velocity: tuple[float, float, float],
) -> None:
    after = _walk_and_stop(velocity, STOP, None)
    params = GateParams()
    assert after.modes == [Mode.HOLD, Mode.DAMPING]
    # the last command is up to one control period older than the silence
    for time, limit in zip(after.times, (params.command_hold_after, params.command_damp_after), strict=True):
        assert limit - 0.02 <= time <= limit + 2 * STEP
    assert after.largest_tilt < TILT_LIMIT
    assert after.height < 0.2


@pytest.mark.parametrize("request_", [Request.DAMP, Request.ESTOP])
@pytest.mark.parametrize("velocity", WALKS[:2])
def test_damp_and_estop_act_at_once_and_let_the_robot_down(
    velocity: tuple[float, float, float], request_: Request
) -> None:
    after = _walk_and_stop(velocity, STOP, request_)
    assert after.times == [0.0]
    assert after.mode is (Mode.DAMPING if request_ is Request.DAMP else Mode.ESTOP)
    assert after.largest_tilt < TILT_LIMIT
    assert after.height < 0.2
