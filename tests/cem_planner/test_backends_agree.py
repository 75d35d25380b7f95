"""The reduced backend's fused batches against the same model in plain NumPy, sample by sample; `mujoco` against `mjx`
is in test_mjx_backend."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from cem_planner import cem, costs, leg_kinematics, splines
from cem_planner.costs import TERM, Weights
from cem_planner.lag import LagParameters
from cem_planner.problem import Problem
from cem_planner.settings import PlannerSettings
from cem_planner.stance import NOMINAL_TRUNK, legs_for, trunk_rotation
from go2_piper_description.joints import ARM_SLICE, joint_array
from go2_piper_description.kinematics import ArmKinematics

from tests.cem_planner.standing import problem, samples

pytest.importorskip("jax", reason="jax is not installed: pip install '.[planner]'")

from cem_planner.backends.reduced.backend import ReducedBackend

SETTINGS = PlannerSettings(num_samples=96, num_elites=12)
LEG_STRIDE = 5


def plain_cost(problem: Problem, knots: np.ndarray, weights: np.ndarray) -> float:
    """The reduced model, one sample and one step at a time, less what needs the links' masses and the clearance."""
    lag, arm = LagParameters(), ArmKinematics()
    step = lag.discrete(SETTINGS.time_step)
    times = (np.arange(SETTINGS.num_steps) + 0.5) * SETTINGS.time_step
    commands = splines.basis(times, SETTINGS.plan_horizon, SETTINGS.num_knots, SETTINGS.spline) @ knots
    lower, upper = joint_array("lower"), joint_array("upper")
    x, v = problem.state.position, problem.state.velocity
    running, legs, reach = [], [], 0.0
    for index, command in enumerate(commands):
        x, v = step.apply(x, v, lag.target(command, problem.offset))
        turn, pose = trunk_rotation(x), arm.ee_transform(x[6:])
        trunk = x[:3] + NOMINAL_TRUNK
        place = turn @ pose[:3, 3] + trunk
        error = problem.goal.position - place
        trace = np.trace((turn @ pose[:3, :3]).T @ problem.goal.rotation)
        reach = (
            weights[TERM["ee_position"]] * costs.ee_position(error)
            + weights[TERM["ee_position_squared"]] * costs.ee_position_squared(error)
            + weights[TERM["ee_orientation"]] * problem.goal.orientation_weight * costs.ee_orientation(trace)
        )
        hips = (problem.feet - trunk) @ turn - leg_kinematics.HIPS
        values = {
            "base_position": x[0] ** 2 + x[1] ** 2,
            "base_height": x[2] ** 2,
            "base_tilt": 1.0 - turn[2, 2],
            "base_yaw": x[5] ** 2,
            "base_velocity": np.sum(v[:6] ** 2),
            "posture": np.sum((x[6:] - joint_array("stand")[ARM_SLICE]) ** 2),
            "ee_height": costs.ee_height(place[2]),
            "leg_length": costs.leg_length(np.sqrt((hips**2).sum(-1) - leg_kinematics.HIP_OFFSETS**2)),
            "joint_limits": costs.joint_limits(x[6:], lower[ARM_SLICE], upper[ARM_SLICE]),
        }
        running.append(reach + sum(weights[TERM[name]] * value for name, value in values.items()))
        if index % LEG_STRIDE == LEG_STRIDE - 1:
            legs.append(costs.joint_limits(legs_for(x, problem.feet)[0], lower[:12], upper[:12]))
    rate = costs.command_rate(knots[None], problem.previous_command, costs.rate_scale(SETTINGS))[0]
    return float(
        np.mean(running)
        + weights[TERM["joint_limits"]] * np.mean(legs)
        + weights[TERM["terminal_ee"]] * reach
        + weights[TERM["command_rate"]] * rate
    )


def test_the_reduced_backend_s_batches_are_the_plain_model() -> None:
    """Same model, same noise: same elites."""
    weights = replace(Weights(), support_margin=0.0, clearance=0.0, base_velocity=0.1).array()
    velocity = np.array([0.1, 0.05, 0.0, 0.2, 0.3, 0.1, 0.5, -0.5, 0.5, 1.0, 0.5, 1.0])
    spot = replace(problem(velocity), offset=np.linspace(-0.01, 0.01, 12))
    knots = samples(SETTINGS, 96)
    fused = ReducedBackend(SETTINGS).rollout(spot, knots, weights)
    plain = np.array([plain_cost(spot, sample.astype(np.float64), weights) for sample in knots])
    np.testing.assert_allclose(fused, plain, rtol=1e-4)
    first = (knots[0], cem.initial_sigma(SETTINGS), SETTINGS, cem.sigma_floor(SETTINGS, None))
    one, two = cem.update(knots, fused, *first), cem.update(knots, plain, *first)
    np.testing.assert_array_equal(one.elites, two.elites)
    np.testing.assert_array_equal(one.mean, two.mean)


def test_chunks_of_the_reduced_backend_change_nothing() -> None:
    """All terms, in one batch and one by one."""
    knots, weights = samples(SETTINGS, 96), Weights().array()
    backend = ReducedBackend(SETTINGS)
    whole = backend.rollout(problem(), knots, weights)
    single = np.concatenate([backend.rollout(problem(), knots[i : i + 1], weights) for i in range(0, 96, 16)])
    np.testing.assert_allclose(whole[::16], single, rtol=1e-6)
