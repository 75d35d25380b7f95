"""The executor: its torques carry the robot, its output stays inside the gate's limits, nothing jumps."""

from __future__ import annotations

from dataclasses import replace

import mujoco
import numpy as np
import pytest
from cem_planner.executor import Executor, ExecutorError, ExecutorSettings, GravityModel
from cem_planner.stance import Stance, StanceError, legs_for, trunk_rotation
from go2_piper_description.joints import ARM_SLICE, LEGS, NUM_JOINTS
from go2_piper_description.mjcf import build_mjcf
from robot_bridge.checks import EFFORT, LOWER, UPPER, limit_torque
from robot_bridge.gate_params import GateParams

from .test_stance import COORDINATES, FEET, state_at

GATE = GateParams()
POSE = np.r_[np.zeros(6), COORDINATES[6:]]


def started(settings: ExecutorSettings | None = None) -> Executor:
    executor = Executor(settings)
    executor.start(Stance.from_state(state_at(POSE)), state_at(POSE))
    return executor


def test_torques_and_foot_forces_balance_gravity() -> None:
    joints = np.concatenate([legs_for(COORDINATES, FEET)[0], COORDINATES[6:]])
    torques, forces = GravityModel().torques(trunk_rotation(COORDINATES), joints)
    model = mujoco.MjModel.from_xml_string(build_mjcf(fixed_gripper=True))
    data = mujoco.MjData(model)
    data.qpos[7:] = joints
    mujoco.mju_mat2Quat(data.qpos[3:7], trunk_rotation(COORDINATES).ravel())
    mujoco.mj_forward(model, data)
    total = np.zeros(model.nv)
    total[6:] = torques
    jacobian = np.zeros((3, model.nv))
    for leg, force in zip(LEGS, forces, strict=True):
        mujoco.mj_jacSite(model, data, jacobian, None, model.site(f"{leg}_foot").id)
        total += jacobian.T @ force
    assert np.allclose(total, data.qfrc_bias, atol=1e-6)
    assert forces[:, 2].sum() == pytest.approx(9.81 * model.body_subtreemass[1])


def test_costly_tangential_forces_are_smaller() -> None:
    joints = np.concatenate([legs_for(COORDINATES, FEET)[0], COORDINATES[6:]])
    _, plain = GravityModel().torques(trunk_rotation(COORDINATES), joints)
    _, careful = GravityModel(tangential_cost=100.0).torques(trunk_rotation(COORDINATES), joints)
    assert np.abs(careful[:, :2]).max() <= np.abs(plain[:, :2]).max() + 1e-9
    assert careful[:, 2].sum() == pytest.approx(plain[:, 2].sum())


def test_holding_still_asks_for_the_measured_joints() -> None:
    executor, state = started(), state_at(POSE)
    result = executor.step(POSE, state, 0.02)
    assert np.allclose(result.targets.position, state.position, atol=1e-6)
    assert np.allclose(result.command, POSE, atol=1e-9)
    assert result.feet_reached.all()


def test_commands_are_limited_in_rate() -> None:
    executor, state = started(), state_at(POSE)
    far = POSE + 1.0
    result = executor.step(far, state, 0.02)
    assert np.allclose(result.command - POSE, ExecutorSettings().slew * 0.02)


def test_arm_targets_stay_below_the_gates_rate() -> None:
    executor, state = started(), state_at(POSE)
    positions = [executor.step(POSE + 2.0, state, 0.02).targets.position[ARM_SLICE] for _ in range(20)]
    assert np.max(np.abs(np.diff(positions, axis=0))) <= GATE.arm_target_rate * 0.02


def test_output_passes_the_gate_unchanged() -> None:
    executor, rng = started(), np.random.default_rng(0)
    for _ in range(50):
        state = state_at(POSE)
        state = replace(state, position=state.position + rng.uniform(-0.3, 0.3, NUM_JOINTS))
        targets = executor.step(POSE + rng.uniform(-0.5, 0.5, 12), state, 0.02).targets
        assert np.all(targets.position >= LOWER + GATE.position_margin - 1e-9)
        assert np.all(targets.position <= UPPER - GATE.position_margin + 1e-9)
        assert np.all(np.abs(targets.effort) <= GATE.torque_fraction * EFFORT + 1e-9)
        torque = targets.kp * (targets.position - state.position) - targets.kd * state.velocity + targets.effort
        inside = (targets.position > LOWER + 0.031) & (targets.position < UPPER - 0.031)
        assert np.all(np.abs(torque[inside]) <= GATE.torque_fraction * EFFORT[inside] + 1e-9)
        assert np.allclose(limit_torque(targets, state, GATE).position[inside], targets.position[inside])


def test_posture_feedback_pushes_back_in_x_and_y_only() -> None:
    executor = started()
    off = POSE.copy()
    off[:6] += [-0.02, 0.01, 0.01, 0.0, 0.02, 0.0]
    state = state_at(off)
    with_feedback = executor.step(POSE, state, 0.02).targets.position
    plain = started(ExecutorSettings(posture_gain=np.zeros(6), posture_damping=np.zeros(6)))
    pushed = POSE.copy()
    pushed[:2] += [0.02, -0.01]
    assert np.allclose(with_feedback[:12], legs_for(pushed, plain.stance.feet)[0], atol=1e-6)  # type: ignore[union-attr]


def test_feet_out_of_reach_are_told() -> None:
    executor = started(ExecutorSettings(slew=np.full(12, 1e3)))
    high = POSE.copy()
    high[2] = 0.3
    assert not executor.step(high, state_at(POSE), 0.02).feet_reached.any()


def test_bad_input_is_refused() -> None:
    with pytest.raises(ExecutorError, match="no stance"):
        Executor().step(POSE, state_at(POSE), 0.02)
    executor = started()
    with pytest.raises(ExecutorError, match="12 finite numbers"):
        executor.step(np.full(12, np.nan), state_at(POSE), 0.02)
    with pytest.raises(ExecutorError, match="12 finite numbers"):
        executor.step(np.zeros(18), state_at(POSE), 0.02)
    state = state_at(POSE)
    assert state.base is not None
    with pytest.raises(StanceError):
        executor.step(POSE, replace(state, base=replace(state.base, orientation=np.full(4, np.nan))), 0.02)
