"""The reduced backend: its costs are the terms of costs.py on exact trajectories."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from cem_planner import costs, splines
from cem_planner.costs import TERM_NAMES, Weights
from cem_planner.lag import LagParameters
from cem_planner.planner import Planner
from cem_planner.problem import Goal, PlanState, Problem
from cem_planner.settings import PlannerSettings
from cem_planner.stance import NOMINAL_TRUNK, trunk_rotation
from go2_piper_description.joints import ARM_SLICE, joint_array
from go2_piper_description.kinematics import ArmKinematics
from scipy.spatial.transform import Rotation

from .test_stance import FEET

jnp = pytest.importorskip("jax.numpy")

from cem_planner.backends import Iterates, KnowsGoalError  # noqa: E402
from cem_planner.backends.reduced import model  # noqa: E402
from cem_planner.backends.reduced.backend import (  # noqa: E402
    LANES,
    MOST_IN_BLOCK,
    ReducedBackend,
    _blocks,
    chunk_size,
    example_arguments,
)
from cem_planner.backends.reduced.cost import PROBLEM_SIZE, pack  # noqa: E402

SETTINGS = PlannerSettings(num_samples=40)
HOME = np.r_[np.zeros(6), joint_array("stand")[ARM_SLICE]]
ONES = np.ones(len(TERM_NAMES), np.float32)


@pytest.fixture(scope="module")
def backend() -> ReducedBackend:
    return ReducedBackend(SETTINGS)


@pytest.fixture
def problem() -> Problem:
    rng = np.random.default_rng(0)
    rotation = Rotation.from_euler("xyz", [0.3, 0.8, -0.2]).as_matrix()
    return Problem(
        PlanState(HOME + rng.normal(0, 0.02, 12), rng.normal(0, 0.1, 12)),
        Goal(np.array([0.5, 0.2, 0.4]), rotation, 0.3, HOME[6:] + 0.2, 1.5),
        HOME,
        rng.normal(0, 0.01, 12),
        FEET,
    )


def sampled(count: int, spread: float = 1.0) -> np.ndarray:
    sigma = spread * np.r_[np.full(6, 0.03), np.full(6, 0.3)]
    return (HOME + np.random.default_rng(1).normal(0, 1, (count, 4, 12)) * sigma).astype(np.float32)


def trajectory(problem: Problem, knots: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Positions and velocities after each step, by stepping the lag."""
    times = (np.arange(SETTINGS.num_steps) + 0.5) * SETTINGS.time_step
    commands = splines.basis(times, SETTINGS.plan_horizon, 4, SETTINGS.spline) @ knots
    lag = LagParameters()
    step = lag.discrete(SETTINGS.time_step)
    x, v = problem.state.position, problem.state.velocity
    xs, vs = [], []
    for command in commands:
        x, v = step.apply(x, v, lag.target(command, problem.offset))
        xs.append(x)
        vs.append(v)
    return np.array(xs), np.array(vs)


def terms(problem: Problem, knots: np.ndarray) -> dict[str, float]:
    """The terms of one sample in NumPy, from the functions of costs.py."""
    x, v = trajectory(problem, knots)
    arm, turn = ArmKinematics(), trunk_rotation(x)
    pose = arm.ee_transform(x[:, 6:])
    trunk = x[:, :3] + NOMINAL_TRUNK
    place = np.einsum("tij,tj->ti", turn, pose[:, :3, 3]) + trunk
    error = problem.goal.position - place
    trace = np.einsum("tij,ij->t", turn @ pose[:, :3, :3], problem.goal.rotation)
    columns = tuple(jnp.asarray(x[:, 6 + i], jnp.float32) for i in range(6))
    points = model.arm_points(model.arm_shape(), columns)  # tested against MuJoCo in test_reduced_model
    elbow, wrist, ee = (np.stack([np.asarray(c) for c in p], -1) for p in (points.elbow, points.wrist, points.ee))
    moment = np.stack([np.asarray(c) for c in points.moment], -1) / model.arm_shape().total_mass
    com = np.einsum("tij,tj->ti", turn, moment) + trunk
    order = [0, 2, 3, 1]
    margins = []
    for begin, end in zip(order, order[1:] + order[:1], strict=True):
        edge = FEET[end, :2] - FEET[begin, :2]
        inward = np.array([-edge[1], edge[0]]) / np.linalg.norm(edge)
        margins.append((com[:, :2] - FEET[begin, :2]) @ inward)
    feet = np.einsum("tji,tfj->tfi", turn, FEET - trunk[:, None])
    lengths = np.stack(
        [np.sqrt(np.asarray(model.leg_length_squared(tuple(feet[:, leg].T), leg))) for leg in range(4)], -1
    )
    lower, upper = joint_array("lower")[ARM_SLICE], joint_array("upper")[ARM_SLICE]
    each = {
        "ee_position": costs.ee_position(error),
        "ee_position_squared": costs.ee_position_squared(error),
        "ee_orientation": problem.goal.orientation_weight * costs.ee_orientation(trace),
        "base_position": x[:, 0] ** 2 + x[:, 1] ** 2,
        "base_height": x[:, 2] ** 2,
        "base_tilt": 1.0 - turn[:, 2, 2],
        "base_yaw": x[:, 5] ** 2,
        "base_velocity": (v[:, :6] ** 2).sum(-1),
        "support_margin": costs.support_margin(np.stack(margins, -1)),
        "posture": problem.goal.posture_factor * ((x[:, 6:] - problem.goal.posture) ** 2).sum(-1),
        "leg_length": costs.leg_length(lengths),
        "joint_limits": costs.joint_limits(x[:, 6:], lower, upper),
        "clearance": costs.clearance(np.stack([elbow, wrist, 0.5 * (elbow + wrist), ee], -2)),
        "ee_height": costs.ee_height(place[:, 2]),
    }
    value = {name: float(np.mean(term)) for name, term in each.items()}
    value["terminal_ee"] = sum(
        float(each[name][-1]) for name in ("ee_position", "ee_position_squared", "ee_orientation")
    )
    scale = costs.rate_scale(SETTINGS)
    value["command_rate"] = float(costs.command_rate(knots[None], problem.previous_command, scale)[0])
    return value


def test_each_term_equals_numpy(backend: ReducedBackend, problem: Problem) -> None:
    knots = sampled(20, spread=3.0)  # far enough that hinges act
    truth = [terms(problem, row) for row in knots.astype(np.float64)]
    assert {*truth[0]} == {*costs.BACKEND_TERMS["reduced"]}
    active = set()
    for name in TERM_NAMES:
        weights = Weights(**{**dict.fromkeys(TERM_NAMES, 0.0), name: 1.0}).array()
        if name == "terminal_ee":  # counts what the three others weigh
            weights[:3] = 1.0
        expected = np.array([row.get(name, 0.0) for row in truth])
        if name == "terminal_ee":
            expected = expected + [sum(row[key] for key in TERM_NAMES[:3]) for row in truth]
        assert np.allclose(backend.rollout(problem, knots, weights), expected, rtol=2e-3, atol=2e-6), name
        if np.any(expected > 0.0):
            active.add(name)
    assert active == set(costs.BACKEND_TERMS["reduced"])


def test_padding_and_neighbours_change_nothing(backend: ReducedBackend, problem: Problem) -> None:
    knots = sampled(backend.chunk)
    whole = backend.rollout(problem, knots, ONES)
    assert whole.shape == (40,)
    assert np.array_equal(backend.rollout(problem, knots[:7], ONES), whole[:7])
    assert np.array_equal(backend.rollout(problem, knots[::-1], ONES), whole[::-1])


def test_another_problem_is_not_taken_for_the_one_before(backend: ReducedBackend, problem: Problem) -> None:
    knots = sampled(5)
    first = backend.rollout(problem, knots, ONES)
    moved = replace(problem, goal=replace(problem.goal, position=problem.goal.position + 0.1))
    assert not np.allclose(backend.rollout(moved, knots, ONES), first)
    assert np.array_equal(backend.rollout(problem, knots, ONES), first)


def test_not_a_number_stays_with_its_sample(backend: ReducedBackend, problem: Problem) -> None:
    knots = sampled(6)
    knots[2] = np.nan
    values = backend.rollout(problem, knots, ONES)
    assert np.isnan(values[2])
    assert np.isfinite(np.delete(values, 2)).all()


def test_goal_error_is_that_of_the_trajectory(backend: ReducedBackend, problem: Problem) -> None:
    assert isinstance(backend, KnowsGoalError)
    knots = sampled(1)[0].astype(np.float64)
    x, _ = trajectory(problem, knots)
    end = x[-1]
    place = trunk_rotation(end) @ ArmKinematics().ee_position(end[6:]) + end[:3] + NOMINAL_TRUNK
    assert backend.goal_error(problem, knots) == pytest.approx(float(np.linalg.norm(problem.goal.position - place)))


def test_an_iteration_is_proposing_rolling_out_and_updating(backend: ReducedBackend, problem: Problem) -> None:
    """The executable against NumPy around the backend's own rollouts: the same plan in one call."""

    class Apart:
        """The same backend without its iterations."""

        name, rung, startup_seconds, chunk = "apart", "none", 0.0, backend.chunk
        rollout, goal_error = staticmethod(backend.rollout), staticmethod(backend.goal_error)

    assert isinstance(backend, Iterates)
    settings = replace(SETTINGS, num_elites=6, iterations=2)
    iterating = ReducedBackend(settings)
    whole, apart = Planner(settings, iterating), Planner(settings, Apart())
    prior = np.tile(HOME + 0.02, (4, 1))
    for turn in range(4):
        one, other = (planner.plan(problem, 0.02 * turn, priors=[prior]) for planner in (whole, apart))
        np.testing.assert_allclose(one.mean, other.mean, atol=2e-5)
        np.testing.assert_allclose(one.sigma, other.sigma, atol=2e-5)
        np.testing.assert_allclose(one.best, other.best, atol=1e-6)
        assert one.cost == pytest.approx(other.cost, rel=1e-4)
    assert one.samples_used == 80 and one.iterations_used == 2


def test_more_samples_than_one_call_takes_are_evaluated_in_chunks(problem: Problem) -> None:
    settings = replace(SETTINGS, num_samples=600)
    calls = []

    def compiled(packed: np.ndarray, weights: np.ndarray, knots: np.ndarray) -> np.ndarray:
        calls.append(len(knots))
        return np.arange(len(knots), dtype=np.float32)

    plan = Planner(settings, ReducedBackend(settings, compiled=compiled)).plan(problem, 0.0)
    assert calls == [300, 300] and plan.samples_used == 600


def test_a_given_executable_is_used(problem: Problem) -> None:
    seen = []

    def compiled(packed: np.ndarray, weights: np.ndarray, knots: np.ndarray) -> np.ndarray:
        seen.append((packed.shape, packed.dtype, weights.shape, knots.shape, knots.dtype))
        return np.arange(len(knots), dtype=np.float32)

    backend = ReducedBackend(SETTINGS, compiled=compiled, rung="executable", startup_seconds=0.1)
    assert (backend.name, backend.rung, backend.startup_seconds) == ("reduced", "executable", 0.1)
    assert np.array_equal(backend.rollout(problem, sampled(3), ONES), [0, 1, 2])
    given = example_arguments(SETTINGS)
    assert seen == [(given[0].shape, np.float32, given[1].shape, given[2].shape, np.float32)]
    assert pack(problem).shape == (PROBLEM_SIZE,)


@pytest.mark.parametrize(("samples", "chunk"), [(1, 1), (64, 64), (101, 101), (500, 500), (2048, 512)])
def test_chunks_are_few_and_equal(samples: int, chunk: int) -> None:
    assert chunk_size(samples) == chunk
    blocks, rows = _blocks(samples)
    assert rows % LANES == 0 and rows <= MOST_IN_BLOCK and 0 <= blocks * rows - chunk < max(0.15 * chunk, LANES)
