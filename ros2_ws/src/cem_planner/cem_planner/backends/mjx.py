"""Rollouts of the full robot with MJX (MuJoCo in JAX): for GPUs. On a CPU a step costs 15 times the C code's.

The model, the commands and the cost are those of the `mujoco` backend in single precision; costs agree to 1e-6. Where
an actuator saturates they differ by about 1 %: the C integrator then leaves the actuator's damping out of its
derivatives, MJX does not.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import mujoco
import numpy as np
from go2_piper_description.joints import ARM_SLICE, LEGS, joint_array
from go2_piper_description.links import Mount
from jax import Array as JaxArray
from jax import lax
from numpy.typing import NDArray

from .. import costs, leg_kinematics
from ..costs import TERM_NAMES
from ..executor import GravityModel
from ..problem import Goal, PlanState, Problem
from ..settings import PlannerSettings
from . import BackendError, Iterated, Iteration, fused, padded
from .physics import control, terms
from .physics.given import FeedForward, Given, given
from .physics.model import PhysicsOptions, rollout_model
from .reduced import model as reduced

Compiled = Callable[..., Any]


class MjxBackend:
    """Rolls samples out with MJX, in one batch; `iterate` makes a whole iteration in one call."""

    name = "mjx"

    def __init__(
        self,
        settings: PlannerSettings,
        *,
        chunk: int | None = None,
        options: PhysicsOptions | None = None,
        mount: Mount | None = None,
        compiled: Compiled | None = None,
        iterating: Compiled | None = None,
        rung: str = "jit",
        startup_seconds: float = 0.0,
    ) -> None:
        """Prepare; what is not given in compiled form is compiled at its first call.

        Args:
            settings: constants of its executables.
            chunk: samples in one call of `rollout`; None takes all of them.
            options: of the simulation.
            mount: of the arm on the trunk.
            compiled: `function(settings, ...)` in compiled form.
            iterating: `iteration(settings, ...)` in compiled form.
            rung: how they came to be.
            startup_seconds: wall time that this took.

        Raises:
            BackendError: if mujoco-mjx is missing or the chunk is empty.
        """
        begin = time.perf_counter()
        self.chunk = settings.num_samples if chunk is None else chunk
        if self.chunk < 1:
            raise BackendError(f"mjx: a chunk of {chunk} samples is empty")
        self._settings, self._options, self._mount = settings, options, mount
        self._feed_forward = FeedForward(GravityModel(mount))
        self._given: tuple[Problem, Given] | None = None
        self._compiled, self._iterating = compiled, iterating
        if compiled is None and iterating is None:
            require_mjx()
        self.rung = rung
        self.startup_seconds = startup_seconds or time.perf_counter() - begin

    def rollout(
        self, problem: Problem, knots: NDArray[np.floating], weights: NDArray[np.float32]
    ) -> NDArray[np.floating]:
        """Return the cost of each sample, as `Backend.rollout`; always finite, DIVERGED_COST where one diverged."""
        batch = np.asarray(padded(knots, self.chunk), dtype=np.float32)
        if self._compiled is None:
            self._compiled = jax.jit(function(self._settings, self._options, self._mount))
        found, _ = self._compiled(self._facts(problem), weights, batch)
        return np.asarray(found)[: len(knots)]

    def iterate(self, problem: Problem, weights: NDArray[np.float32], start: Iteration) -> Iterated:
        """Return what an iteration came to, as `Iterates.iterate`."""
        if self._iterating is None:
            self._iterating = jax.jit(iteration(self._settings, self._options, self._mount))
        found = self._iterating(self._facts(problem), weights, *fused.pack(start))
        return fused.unpack(found, self._settings.num_knots)

    def _facts(self, problem: Problem) -> Given:
        if self._given is None or self._given[0] is not problem:
            self._given = problem, single(given(problem, self._feed_forward))
        return self._given[1]


def single(facts: Given) -> Given:
    """Return the arrays in single precision."""
    return Given(*(np.asarray(value, dtype=np.float32) for value in facts))


def function(
    settings: PlannerSettings, options: PhysicsOptions | None = None, mount: Mount | None = None
) -> fused.CostFunction:
    """Return the pure function `cost(given, weights, knots) -> costs, first goal error`, for any number of samples.

    Raises:
        BackendError: if mujoco-mjx is missing.
    """
    require_mjx()
    from mujoco import mjx

    options = options or PhysicsOptions()
    model = rollout_model(settings, options, mount)
    device_model, blank = mjx.put_model(model, impl="jax"), mjx.make_data(model, impl="jax")
    basis = control.control_basis(settings, options).astype(np.float32)
    scale, every, steps = costs.rate_scale(settings), options.substeps, settings.num_steps

    def trajectory(start: Any, commands: JaxArray) -> tuple[JaxArray, JaxArray, JaxArray]:
        def step(data: Any, command: JaxArray) -> tuple[Any, tuple[JaxArray, JaxArray, JaxArray]]:
            data = mjx.step(device_model, data.replace(ctrl=command))
            return data, (data.sensordata, data.qpos, data.qvel)

        return lax.scan(step, start, commands)[1]

    def cost(facts: Given, weights: JaxArray, knots: JaxArray) -> tuple[JaxArray, JaxArray]:
        legs = _legs(knots + facts.offset, facts.feet)
        commands = jnp.einsum("sk,nkj->nsj", basis, control.knot_controls(facts, knots, legs, jnp))
        start = blank.replace(qpos=facts.qpos, qvel=facts.qvel)
        sensors, qpos, qvel = jax.vmap(trajectory, in_axes=(None, 0))(start, commands)
        # sensors belong to the beginning of their step, states to its end
        sensors = sensors[:, every::every]
        qpos, qvel = (x[:, every - 1 :: every][:, :steps] for x in (qpos, qvel))
        values = terms.terms(facts, sensors, qpos, qvel, jnp)
        intact = jnp.isfinite(qpos).all((-2, -1)) & jnp.isfinite(sensors).all((-2, -1))
        found = terms.total(facts, values, knots, weights, scale, intact, jnp)
        return found, terms.goal_distance(facts, sensors, jnp)[0]

    return cost


def iteration(
    settings: PlannerSettings, options: PhysicsOptions | None = None, mount: Mount | None = None
) -> Callable[..., tuple[JaxArray, JaxArray]]:
    """Return the pure function of an iteration, `fused.iteration_function`, to compile."""
    return fused.iteration_function(settings, function(settings, options, mount))


def require_mjx() -> None:
    """Raise BackendError if mujoco-mjx is missing."""
    try:
        from mujoco import mjx  # noqa: F401
    except ImportError:
        raise BackendError("mjx: mujoco-mjx is missing; pip install mujoco-mjx==3.17.0, or another backend") from None


def model_bytes(settings: PlannerSettings, options: PhysicsOptions | None = None, mount: Mount | None = None) -> bytes:
    """Return the compiled model, which is a constant of the executables, for their fingerprint."""
    model = rollout_model(settings, options, mount)
    buffer = np.empty(mujoco.mj_sizeModel(model), np.uint8)
    mujoco.mj_saveModel(model, None, buffer)
    return buffer.tobytes()


def example_arguments(settings: PlannerSettings, chunk: int | None = None) -> tuple[Any, ...]:
    """Return arguments for `function`: a robot that stands in its nominal pose."""
    knots = np.zeros((chunk or settings.num_samples, settings.num_knots, 12), np.float32)
    return _example_given(), np.ones(len(TERM_NAMES), np.float32), knots + _standing().astype(np.float32)


def example_iteration(settings: PlannerSettings) -> tuple[Any, ...]:
    """Return arguments for `iteration`: a robot that stands in its nominal pose."""
    start = fused.pack(fused.example_start(settings))
    return _example_given(), np.ones(len(TERM_NAMES), np.float32), *start


def _standing() -> NDArray[np.float64]:
    return np.concatenate([np.zeros(6), joint_array("stand")[ARM_SLICE]])


def _example_given() -> Given:
    feet = np.array([[0.23, 0.2, 0], [0.23, -0.2, 0], [-0.23, 0.2, 0], [-0.23, -0.2, 0]])
    state = PlanState(_standing(), np.zeros(12))
    return single(
        given(
            Problem(state, Goal(np.array([0.5, 0.0, 0.3])), _standing(), np.zeros(12), feet),
            FeedForward(GravityModel()),
        )
    )


def _legs(coordinates: JaxArray, feet: JaxArray) -> JaxArray:
    """Return `stance.legs_for` in JAX, rad, shape (..., 12)."""
    rows = reduced.rotation_rows(coordinates[..., 3], coordinates[..., 4], coordinates[..., 5])
    trunk = reduced.trunk_position((coordinates[..., 0], coordinates[..., 1], coordinates[..., 2]))
    joints: list[JaxArray] = []
    for leg in range(len(LEGS)):
        foot = reduced.rotate_back(rows, (feet[leg, 0] - trunk[0], feet[leg, 1] - trunk[1], feet[leg, 2] - trunk[2]))
        joints.extend(reduced.leg_inverse(foot, leg))
    limits = leg_kinematics.LOWER.astype(np.float32), leg_kinematics.UPPER.astype(np.float32)
    return jnp.clip(jnp.stack(joints, axis=-1), *limits)
