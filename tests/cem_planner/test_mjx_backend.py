"""MJX against the C rollouts: the same model, the same knots. Compiling one rollout takes 30 to 50 s of CPU time, and
this module compiles just one, tiny and little optimised."""

from __future__ import annotations

import builtins
import importlib.util
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from cem_planner import cem
from cem_planner.backends import BackendError
from cem_planner.costs import Weights
from cem_planner.settings import PlannerSettings
from cem_planner.stance import legs_for

from tests.cem_planner.standing import FEET, STAND, problem, samples

jax = pytest.importorskip("jax", reason="jax is not installed: pip install '.[planner]'")

from cem_planner.backends import mjx  # noqa: E402
from cem_planner.backends.mujoco_rollout import MujocoBackend  # noqa: E402
from cem_planner.backends.physics.terms import DIVERGED_COST  # noqa: E402

NEEDS_MJX = pytest.mark.skipif(
    importlib.util.find_spec("mujoco.mjx") is None, reason="mujoco-mjx is not installed: pip install '.[mjx]'"
)
SETTINGS = PlannerSettings(num_samples=12, num_elites=4, plan_horizon=0.06, num_knots=2)
WEIGHTS = Weights().array()


@pytest.fixture(scope="module")
def backend() -> mjx.MjxBackend:
    lowered = jax.jit(mjx.function(SETTINGS)).lower(*mjx.example_arguments(SETTINGS))
    # level 0 compiles no quicker than 30 s, and then takes 16 s for each call
    compiled = lowered.compile(compiler_options={"xla_backend_optimization_level": 1})
    return mjx.MjxBackend(SETTINGS, compiled=compiled, rung="test")


def moving() -> Any:
    return problem(np.array([0.1, 0.05, 0.0, 0.2, 0.3, 0.1, 0.5, -0.5, 0.5, 1.0, 0.5, 1.0]))


def calm(count: int) -> np.ndarray:
    """Samples so near to standing still that no actuator saturates."""
    return np.asarray(STAND + 0.4 * (samples(SETTINGS, count) - STAND), dtype=np.float32)


@NEEDS_MJX
@pytest.mark.slow
def test_where_actuators_saturate_costs_are_much_the_same(backend: mjx.MjxBackend) -> None:
    knots = samples(SETTINGS, 12)
    in_c = MujocoBackend(SETTINGS, chunk=12).rollout(moving(), knots, WEIGHTS)
    np.testing.assert_allclose(backend.rollout(moving(), knots, WEIGHTS), in_c, rtol=0.03)


@NEEDS_MJX
@pytest.mark.slow
def test_costs_and_elites_are_those_of_the_c_rollouts(backend: mjx.MjxBackend) -> None:
    """Same model, same noise: same elites, and so the same mean."""
    knots = samples(SETTINGS, 12)
    in_c = MujocoBackend(SETTINGS, chunk=12).rollout(moving(), knots, WEIGHTS)
    in_jax = backend.rollout(moving(), knots, WEIGHTS)
    # half of them agree to 1e-6; where an actuator saturates, MJX's integrator differs (see mjx.py)
    np.testing.assert_allclose(in_jax, in_c, rtol=2e-2)
    assert np.sum(np.isclose(in_jax, in_c, rtol=1e-5)) >= 4
    first = (knots[0], cem.initial_sigma(SETTINGS), SETTINGS, cem.sigma_floor(SETTINGS, None))
    one, two = cem.update(knots, in_c, *first), cem.update(knots, in_jax, *first)
    np.testing.assert_array_equal(one.elites, two.elites)
    np.testing.assert_array_equal(one.mean, two.mean)


@NEEDS_MJX
@pytest.mark.slow
def test_it_pads_and_weights_are_arguments(backend: mjx.MjxBackend) -> None:
    knots = samples(SETTINGS, 12)
    whole = backend.rollout(moving(), knots, WEIGHTS)
    np.testing.assert_allclose(backend.rollout(moving(), knots[:5], WEIGHTS), whole[:5], rtol=1e-6)
    none = np.zeros_like(WEIGHTS)
    np.testing.assert_array_equal(backend.rollout(moving(), knots, none), 0.0)
    assert backend.chunk == 12 and (backend.name, backend.rung) == ("mjx", "test")


@NEEDS_MJX
@pytest.mark.slow
def test_what_diverges_gets_a_large_finite_cost(backend: mjx.MjxBackend) -> None:
    knots = samples(SETTINGS, 12)
    good = backend.rollout(moving(), knots, WEIGHTS)
    knots[2] = np.nan
    found = backend.rollout(moving(), knots, WEIGHTS)
    assert found[2] == DIVERGED_COST
    np.testing.assert_array_equal(np.delete(found, 2), np.delete(good, 2))


def test_legs_are_those_of_numpy() -> None:
    random = np.random.default_rng(0)
    spread = np.array([0.05, 0.05, 0.05, 0.2, 0.2, 0.2, 0, 0, 0, 0, 0, 0])
    coordinates = STAND + random.uniform(-1, 1, (20, 4, 12)) * spread
    wanted, _ = legs_for(coordinates, FEET)
    found = mjx._legs(jax.numpy.asarray(coordinates, np.float32), jax.numpy.asarray(FEET, np.float32))
    np.testing.assert_allclose(found, wanted, atol=1e-3)  # single precision near a straight leg


def test_without_mujoco_mjx_one_line_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, globals: Any = None, locals: Any = None, fromlist: Any = (), level: int = 0) -> Any:
        if name == "mujoco" and fromlist and "mjx" in fromlist:
            raise ImportError("no mjx")
        return real(name, globals, locals, fromlist, level)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(BackendError, match="mujoco-mjx is missing") as caught:
        mjx.MjxBackend(SETTINGS)
    assert "\n" not in str(caught.value)


def test_a_chunk_of_nothing() -> None:
    with pytest.raises(BackendError, match="chunk of 0"):
        mjx.MjxBackend(SETTINGS, chunk=0, compiled=lambda *_: None)


def test_the_problem_is_an_argument_in_single_precision() -> None:
    leaves = jax.tree_util.tree_leaves(mjx.example_iteration(SETTINGS))
    assert {leaf.dtype for leaf in leaves} == {np.dtype(np.float32), np.dtype(np.int32)}
    seen: list[Any] = []

    def compiled(given: Any, weights: Any, knots: Any) -> Any:
        seen.append(given)
        return np.zeros(len(knots)), np.zeros(len(knots))

    fake = mjx.MjxBackend(SETTINGS, compiled=compiled)
    spot = moving()
    fake.rollout(spot, samples(SETTINGS, 2), WEIGHTS)
    fake.rollout(spot, samples(SETTINGS, 2), WEIGHTS)
    fake.rollout(replace(spot, offset=np.full(12, 0.01)), samples(SETTINGS, 2), WEIGHTS)
    assert seen[0] is seen[1] and (seen[2].offset == np.float32(0.01)).all()
