"""Rollouts in C: the start, the commands, each term against MuJoCo's own data, and what happens when physics fails."""

from __future__ import annotations

import os
from dataclasses import replace

import mujoco
import numpy as np
import pytest
from cem_planner import costs, leg_kinematics
from cem_planner.backends import BackendError
from cem_planner.backends.mujoco_rollout import MujocoBackend
from cem_planner.backends.physics import control, terms
from cem_planner.backends.physics.given import FeedForward, given, start
from cem_planner.backends.physics.model import PhysicsOptions, rollout_model
from cem_planner.backends.physics.terms import DIVERGED_COST
from cem_planner.costs import TERM_NAMES, Weights
from cem_planner.executor import Executor, GravityModel
from cem_planner.settings import PlannerSettings, SettingsError
from cem_planner.stance import NOMINAL_TRUNK, legs_for, trunk_rotation
from go2_piper_description.joints import ARM_SLICE, LEGS, joint_array

from tests.cem_planner.standing import FEET, STAND, problem, samples

SETTINGS = PlannerSettings(num_samples=16, num_elites=4)
WEIGHTS = Weights().array()


@pytest.fixture(scope="module")
def backend() -> MujocoBackend:
    return MujocoBackend(SETTINGS)


@pytest.fixture(scope="module")
def gravity() -> GravityModel:
    return GravityModel()


@pytest.fixture
def feed_forward(gravity: GravityModel) -> FeedForward:
    return FeedForward(gravity)


def feet_of(model: mujoco.MjModel, data: mujoco.MjData) -> np.ndarray:
    return np.array([data.site(f"{leg}_foot").xpos for leg in LEGS])


# --- start -----------------------------------------------------------------------------------------------------------


def test_it_starts_on_its_feet_which_stand_still() -> None:
    position = STAND + np.array([0.03, -0.02, -0.02, 0.1, -0.08, 0.12, 0.1, 0.2, -0.1, 0.3, 0.2, -0.4])
    velocity = np.array([0.1, -0.2, 0.15, 0.4, -0.3, 0.5, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6])
    model = rollout_model(SETTINGS)
    data = mujoco.MjData(model)
    data.qpos[:], data.qvel[:] = start(position, velocity, FEET)
    mujoco.mj_forward(model, data)
    np.testing.assert_allclose(feet_of(model, data), FEET, atol=1e-6)
    np.testing.assert_allclose(data.body("base_link").xpos, NOMINAL_TRUNK + position[:3], atol=1e-9)
    np.testing.assert_allclose(data.body("base_link").xmat.reshape(3, 3), trunk_rotation(position), atol=1e-9)
    for leg in LEGS:
        speed = np.zeros(6)
        mujoco.mj_objectVelocity(model, data, mujoco.mjtObj.mjOBJ_SITE, data.site(f"{leg}_foot").id, speed, 0)
        np.testing.assert_allclose(speed[3:], 0.0, atol=1e-4)


def test_feet_that_have_slipped_are_where_it_starts(feed_forward: FeedForward) -> None:
    slipped = FEET + [0.01, 0.0, 0.0]
    facts = given(replace(problem(), feet_now=slipped), feed_forward)
    feet = leg_kinematics.forward(facts.qpos[7:19]) + facts.qpos[:3]
    np.testing.assert_allclose(feet, slipped, atol=1e-9)
    assert replace(problem(), feet_now=slipped * np.nan).fault() == "feet_now is not finite"


def test_it_keeps_standing(backend: MujocoBackend, feed_forward: FeedForward) -> None:
    """Where it stands at rest, floor and feed-forward fit: nothing moves by more than the trunk's sway."""
    facts = given(problem(), feed_forward)
    state, sensors, intact = backend._simulate(facts, samples(SETTINGS, 1).astype(np.float64))
    assert intact.all()
    assert np.abs(state[0, :, 3] - NOMINAL_TRUNK[2]).max() < 0.003
    assert np.abs(state[0, :, 1:3] - NOMINAL_TRUNK[:2]).max() < 0.02
    drift = np.linalg.norm(sensors[0][:, 12:24].reshape(-1, 4, 3) - FEET, axis=-1)
    assert drift.max() < 0.004
    np.testing.assert_allclose(state[0, -1, 1 + 19 : 1 + 25], STAND[6:], atol=0.02)


# --- commands --------------------------------------------------------------------------------------------------------


def test_controls_are_the_executor_s_position_and_torque(gravity: GravityModel, feed_forward: FeedForward) -> None:
    facts = given(problem(), feed_forward)
    basis = control.control_basis(SETTINGS, PhysicsOptions())
    assert basis.shape == (51, 4)
    found = control.controls(facts, np.tile(STAND, (1, 4, 1)), basis)
    legs, _ = legs_for(STAND, FEET)
    joints = np.concatenate([legs, STAND[6:]])
    torque, _ = gravity.torques(np.eye(3), joints)
    np.testing.assert_allclose(facts.torque + (STAND - facts.torque_at) @ facts.torque_slope, torque, atol=0.05)
    wanted = np.clip(joints, joint_array("lower") + 0.03, joint_array("upper") - 0.03) + torque / joint_array("kp")
    np.testing.assert_allclose(found, np.broadcast_to(wanted, (1, 51, 18)), atol=1e-3)
    assert Executor().settings.position_margin == 0.03


def test_feed_forward_is_right_to_first_order(gravity: GravityModel, feed_forward: FeedForward) -> None:
    facts = given(problem(), feed_forward)
    moved = STAND + 0.02 * np.array([0.5, -0.5, 0.5, 1, -1, 1, 1, 1, -1, 1, 1, 1])
    legs, _ = legs_for(moved, FEET)
    truth, _ = gravity.torques(trunk_rotation(moved), np.concatenate([legs, moved[6:]]))
    change = truth - facts.torque
    found = facts.torque + (moved - facts.torque_at) @ facts.torque_slope
    assert np.abs(found - truth).max() < 0.1 * np.abs(change).max()


def test_feed_forward_does_not_depend_on_what_came_before(gravity: GravityModel, feed_forward: FeedForward) -> None:
    other = STAND + 0.3
    fresh = FeedForward(gravity).around(STAND + 0.001, FEET)
    feed_forward.around(STAND, FEET)
    for found, wanted in zip(feed_forward.around(STAND + 0.001, FEET), fresh, strict=True):
        np.testing.assert_array_equal(found, wanted)
    assert not np.array_equal(feed_forward.around(other, FEET)[0], fresh[0])
    moved = feed_forward.around(STAND, 1.1 * FEET)[1]
    assert not np.array_equal(moved, fresh[1])


def test_an_offset_is_an_offset_of_the_command(backend: MujocoBackend) -> None:
    offset = np.array([0.004, 0.003, -0.005, 0.01, 0.01, 0.0, 0.01, 0.03, -0.03, 0.0, 0.02, 0.0])
    knots = samples(SETTINGS, 4)
    weights = replace(Weights(), command_rate=0.0).array()
    with_offset = backend.rollout(replace(problem(), offset=offset), knots, weights)
    moved = backend.rollout(problem(), knots + offset.astype(np.float32), weights)
    np.testing.assert_allclose(with_offset, moved, rtol=0.02)  # less the feed-forward for the offset
    assert np.abs(with_offset - backend.rollout(problem(), knots, weights)).max() > 0.02


def test_torque_is_limited_as_by_the_gate(feed_forward: FeedForward) -> None:
    facts = given(problem(), feed_forward)._replace(torque=np.full(18, 1e3))
    knots = np.tile(STAND, (1, 1, 1))
    legs, _ = legs_for(knots, FEET)
    found = control.knot_controls(facts, knots, legs)[0, 0, ARM_SLICE] - STAND[6:]
    np.testing.assert_allclose(found, (0.9 * joint_array("effort") / joint_array("kp"))[ARM_SLICE])


# --- terms -----------------------------------------------------------------------------------------------------------


def test_all_terms_are_there_but_those_of_the_whole_rollout(backend: MujocoBackend, feed_forward: FeedForward) -> None:
    facts = given(problem(), feed_forward)
    state, sensors, _ = backend._simulate(facts, samples(SETTINGS, 2).astype(np.float64))
    values = terms.terms(facts, sensors, state[..., 1:26], state[..., 26:])
    assert {*values, "terminal_ee", "command_rate"} == set(TERM_NAMES) == set(costs.BACKEND_TERMS["mujoco"])
    assert all(value.shape == (2, SETTINGS.num_steps) for value in values.values())


def test_terms_are_those_of_a_simulation_by_hand(feed_forward: FeedForward) -> None:
    """Step by step with mj_step, at the ends of the planner's time steps, from MuJoCo's data instead of sensors."""
    backend, spot = (
        MujocoBackend(SETTINGS),
        problem(np.array([0.1, 0.05, 0, 0.2, 0.3, 0.1, 0.5, 0.5, 0.5, 0.5, 0.5, 1])),
    )
    knots = samples(SETTINGS, 3, seed=3).astype(np.float64)
    facts = given(spot, feed_forward)
    state, sensors, _ = backend._simulate(facts, knots)
    found = terms.terms(facts, sensors, state[..., 1:26], state[..., 26:])
    model = backend.model
    data = mujoco.MjData(model)
    commands = control.controls(facts, knots, control.control_basis(SETTINGS, PhysicsOptions()))[2]
    data.qpos[:], data.qvel[:] = facts.qpos, facts.qvel
    home, lower, upper = (joint_array(name) for name in ("stand", "lower", "upper"))
    for step in range(SETTINGS.num_steps):
        for sub in range(2):
            data.ctrl[:] = commands[2 * step + sub]
            mujoco.mj_step(model, data)
        data.ctrl[:] = commands[2 * step + 2]
        probe = mujoco.MjData(model)
        probe.qpos[:], probe.qvel[:], probe.ctrl[:] = data.qpos, data.qvel, data.ctrl
        probe.qacc_warmstart[:] = data.qacc_warmstart
        mujoco.mj_forward(model, probe)
        place, turn = probe.site("ee_link").xpos, probe.site("ee_link").xmat.reshape(3, 3)
        trunk, tilt = probe.body("base_link").xpos, probe.body("base_link").xmat.reshape(3, 3)
        elbow, wrist = probe.body("piper_link3").xpos, probe.body("piper_link4").xpos
        arm = (np.stack([elbow, wrist, (elbow + wrist) / 2, place]) - trunk) @ tilt
        hips = (feet_of(model, probe) - trunk) @ tilt - leg_kinematics.HIPS
        com = probe.subtree_com[1]
        margins = []
        for a, b in ((0, 2), (2, 3), (3, 1), (1, 0)):  # counterclockwise
            edge = FEET[b, :2] - FEET[a, :2]
            margins.append((edge[0] * (com[1] - FEET[a, 1]) - edge[1] * (com[0] - FEET[a, 0])) / np.linalg.norm(edge))
        error = spot.goal.position - place
        wanted = {
            "ee_position": np.sqrt(error @ error + 1e-4) - 0.01,
            "ee_position_squared": error @ error,
            "ee_orientation": 0.3 * costs.ee_orientation(np.trace(turn.T @ spot.goal.rotation)),
            "base_position": np.sum((trunk - NOMINAL_TRUNK)[:2] ** 2),
            "base_height": (trunk - NOMINAL_TRUNK)[2] ** 2,
            "base_tilt": 1.0 - tilt[2, 2],
            "base_yaw": np.arctan2(tilt[1, 0], tilt[0, 0]) ** 2,
            "base_velocity": np.sum(probe.qvel[:6] ** 2),
            "foot_drift": np.sum((feet_of(model, probe) - FEET) ** 2),
            "support_margin": costs.support_margin(np.array(margins)),
            "posture": np.sum((probe.qpos[19:25] - home[ARM_SLICE]) ** 2),
            "leg_length": costs.leg_length(np.sqrt((hips**2).sum(-1) - leg_kinematics.HIP_OFFSETS**2)),
            "joint_limits": costs.joint_limits(probe.qpos[7:], lower, upper),
            "torque": np.mean((probe.actuator_force / joint_array("effort")) ** 2),
            "clearance": costs.clearance(arm),
            "ee_height": costs.ee_height(place[2]),
            "fall": 0.0,
        }
        assert set(wanted) == set(found)
        for name, value in wanted.items():
            assert found[name][2, step] == pytest.approx(value, rel=1e-5, abs=1e-7), (name, step)


def test_a_robot_that_lies_has_fallen(backend: MujocoBackend) -> None:
    tilted = replace(problem(), state=replace(problem().state, position=STAND + np.eye(12)[3] * 1.2))
    only = Weights(**{**dict.fromkeys(TERM_NAMES, 0.0), "fall": 1.0}).array()
    assert backend.rollout(tilted, samples(SETTINGS, 2), only).min() > 0.9
    assert backend.rollout(problem(), samples(SETTINGS, 2), only).max() == 0.0


def test_good_plans_are_those_of_the_reduced_model(backend: MujocoBackend) -> None:
    """Two models of one robot: they rank samples alike."""
    reduced = pytest.importorskip("cem_planner.backends.reduced.backend")
    other = reduced.ReducedBackend(SETTINGS)
    knots = samples(SETTINGS, 48)
    rows = [slice(i, i + 8) for i in range(0, 48, 8)]
    ranks = [
        np.argsort(np.argsort(np.concatenate([each.rollout(problem(), knots[part], WEIGHTS) for part in rows])))
        for each in (backend, other)
    ]
    assert np.asarray(np.corrcoef(ranks))[0, 1] > 0.9


# --- the backend -----------------------------------------------------------------------------------------------------


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="one processor")
def test_threads_and_chunks_change_nothing(backend: MujocoBackend) -> None:
    knots = samples(SETTINGS, 12)
    other = MujocoBackend(SETTINGS, threads=2, chunk=12)
    whole = other.rollout(problem(), knots, WEIGHTS)
    parts = [backend.rollout(problem(), knots[i : i + 3], WEIGHTS) for i in range(0, 12, 3)]
    np.testing.assert_array_equal(whole, np.concatenate(parts))
    np.testing.assert_array_equal(whole, other.rollout(problem(), knots, WEIGHTS))
    assert backend.chunk == 8 and MujocoBackend(SETTINGS, threads=2).chunk == 16
    assert (backend.name, backend.rung) == ("mujoco", "c") and backend.startup_seconds > 0.0


def test_what_diverges_gets_a_large_finite_cost_and_the_others_their_own(backend: MujocoBackend) -> None:
    """MuJoCo resets a robot that diverged, which then looks as if it stood: the time shows it."""
    knots = samples(SETTINGS, 4)
    good = backend.rollout(problem(), knots, WEIGHTS)
    spoilt = knots.copy()
    spoilt[2] = np.nan
    found = backend.rollout(problem(), spoilt, WEIGHTS)
    assert found[2] == DIVERGED_COST
    np.testing.assert_array_equal(found[[0, 1, 3]], good[[0, 1, 3]])
    mad = problem(np.eye(12)[0] * 1e8)
    assert (backend.rollout(mad, knots, WEIGHTS) == DIVERGED_COST).all()
    assert backend.goal_error(mad, knots[0]) == np.inf
    np.testing.assert_array_equal(backend.rollout(problem(), knots, WEIGHTS), good)


def test_goal_error_is_where_the_end_effector_ends(backend: MujocoBackend, feed_forward: FeedForward) -> None:
    knots = samples(SETTINGS, 1, seed=5)
    facts = given(problem(), feed_forward)
    _, sensors, _ = backend._simulate(facts, knots.astype(np.float64))
    wanted = np.linalg.norm(problem().goal.position - sensors[0, -1, :3])
    assert backend.goal_error(problem(), knots[0]) == pytest.approx(wanted)


def test_a_single_time_step_is_enough() -> None:
    settings = PlannerSettings(num_samples=2, num_elites=1, plan_horizon=0.02, num_knots=1)
    assert np.isfinite(MujocoBackend(settings).rollout(problem(), samples(settings, 2), WEIGHTS)).all()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [({"threads": 0}, "0 threads"), ({"threads": 10**4}, "threads"), ({"chunk": 0}, "chunk of 0")],
)
def test_threads_and_chunks_that_cannot_be(arguments: dict[str, int], says: str) -> None:
    with pytest.raises(BackendError, match=says) as caught:
        MujocoBackend(SETTINGS, **arguments)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value"), [("substeps", 0), ("substeps", 1.5), ("iterations", True), ("integrator", "rk4")]
)
def test_options_that_cannot_be(name: str, value: object) -> None:
    with pytest.raises(SettingsError, match=f"physics.{name}"):
        PhysicsOptions(**{name: value})  # type: ignore[arg-type]


def test_options_reach_the_model() -> None:
    plain = rollout_model(SETTINGS)
    assert plain.opt.timestep == 0.01 and not plain.dof_frictionloss.any() and plain.npair == 4
    assert plain.opt.integrator == mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    other = rollout_model(SETTINGS, PhysicsOptions(substeps=1, dry_friction=True, integrator="euler", iterations=3))
    assert other.opt.timestep == 0.02 and other.dof_frictionloss[6:].all() and other.opt.iterations == 3
    assert other.opt.integrator == mujoco.mjtIntegrator.mjINT_EULER
