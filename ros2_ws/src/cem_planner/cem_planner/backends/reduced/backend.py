"""The reduced-order robot as a rollout backend: 500 samples in about a millisecond on one CPU core."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from go2_piper_description.joints import ARM_SLICE, joint_array
from go2_piper_description.kinematics import ArmKinematics
from go2_piper_description.links import Mount
from numpy.typing import NDArray

from ... import splines
from ...costs import TERM_NAMES
from ...lag import LagParameters
from ...problem import Problem
from ...settings import PlannerSettings
from ...stance import NOMINAL_TRUNK, trunk_rotation
from .. import Iterated, Iteration, fused, padded
from .cost import PROBLEM_SIZE, CostFunction, cost_function, goal_error_function, pack
from .model import responses

Array = NDArray[np.float64]

MOST_IN_BLOCK = 96
"""Samples computed at once: up to here the intermediate results stay in a core's cache; blocks are a loop inside of
the executable."""
LANES = 8
"""Samples in a vector of the CPU; blocks are a multiple of it, else the last ones of each are computed one by one."""
MOST_IN_CALL = 512
"""Samples in one call; between calls a deadline can end the plan."""

Compiled = Callable[..., Any]
"""A compiled function: arrays in, arrays out."""


class ReducedBackend:
    """Rolls samples out with the reduced-order model."""

    name = "reduced"

    def __init__(
        self,
        settings: PlannerSettings,
        *,
        lag: LagParameters | None = None,
        mount: Mount | None = None,
        compiled: Compiled | None = None,
        iterating: Compiled | None = None,
        rung: str = "jit",
        startup_seconds: float = 0.0,
    ) -> None:
        """Prepare the backend.

        Args:
            settings: horizon, knots, spline, time step and samples are constants of its executable.
            lag: of the coordinates; None takes the defaults.
            mount: of the arm on the trunk; None takes the description's.
            compiled: `function(settings, ...)` in compiled form, such as one loaded from a file.
            iterating: `iteration(settings, ...)` in compiled form. Of the two functions, what is not given is compiled
                at its first call.
            rung: how they came to be.
            startup_seconds: wall time that this took.
        """
        self._lag, self._settings, self._mount = lag or LagParameters(), settings, mount
        self._arm = ArmKinematics(mount)
        self.chunk = chunk_size(settings.num_samples)
        self.rung, self.startup_seconds = rung, startup_seconds
        self._compiled, self._iterating = compiled, iterating
        times = (np.arange(settings.num_steps) + 0.5) * settings.time_step
        basis = splines.basis(times, settings.plan_horizon, settings.num_knots, settings.spline)
        self._end = responses(self._lag, basis, settings.time_step)[0]
        self._packed: tuple[Problem, NDArray[np.float32]] | None = None

    def iterate(self, problem: Problem, weights: NDArray[np.float32], start: Iteration) -> Iterated:
        """Return what an iteration came to, as `Iterates.iterate`."""
        if self._iterating is None:
            self._iterating = jax.jit(iteration(self._settings, self._lag, self._mount))
        found = self._iterating(self._row(problem), weights, *fused.pack(start))
        return fused.unpack(found, self._settings.num_knots)

    def rollout(
        self, problem: Problem, knots: NDArray[np.floating], weights: NDArray[np.float32]
    ) -> NDArray[np.floating]:
        """Return the cost of each sample, as `Backend.rollout`."""
        if self._compiled is None:
            self._compiled = jax.jit(function(self._settings, self._lag, self._mount))
        batch = np.asarray(padded(knots, self.chunk), dtype=np.float32)
        return np.asarray(self._compiled(self._row(problem), weights, batch))[: len(knots)]

    def goal_error(self, problem: Problem, knots: NDArray[np.floating]) -> float:
        """Return the distance of `ee_link` from the goal at the end of one trajectory, m; knots of shape (K, 12)."""
        free, forced, held = self._end.free[-1], self._end.forced[-1], self._end.held[-1]
        end = free[:, 0] * problem.state.position + free[:, 1] * problem.state.velocity
        end = end + (forced * knots).sum(axis=0) + held * problem.offset
        place = trunk_rotation(end) @ self._arm.ee_position(end[6:]) + end[:3] + NOMINAL_TRUNK
        return float(np.linalg.norm(problem.goal.position - place))

    def _row(self, problem: Problem) -> NDArray[np.float32]:
        if self._packed is None or self._packed[0] is not problem:
            self._packed = problem, pack(problem)  # the chunks of one plan share it
        return self._packed[1]


def function(settings: PlannerSettings, lag: LagParameters | None = None, mount: Mount | None = None) -> CostFunction:
    """Return the pure function of rollouts alone: `cost_function` in blocks, of knots (n, K, 12), n up to `chunk_size`.

    `example_arguments` shows its arguments.
    """
    cost = cost_function(settings, lag or LagParameters(), mount)
    blocks, rows = _blocks(settings.num_samples)

    def in_blocks(problem: jax.Array, weights: jax.Array, knots: jax.Array) -> jax.Array:
        missing = blocks * rows - len(knots)
        padded = jnp.concatenate([knots, jnp.zeros((missing, *knots.shape[1:]), knots.dtype)]) if missing else knots
        stacked = jnp.moveaxis(padded.reshape(blocks, rows, *knots.shape[1:]), 1, -1)
        found = jax.lax.map(lambda block: cost(problem, weights, block), stacked).reshape(-1)
        return found[: len(knots)]

    return in_blocks


def iteration(
    settings: PlannerSettings, lag: LagParameters | None = None, mount: Mount | None = None
) -> Callable[..., tuple[jax.Array, jax.Array]]:
    """Return the pure function of an iteration, `fused.iteration_function`; `example_iteration` shows its arguments."""
    lag = lag or LagParameters()
    cost = function(settings, lag, mount)

    def with_error(problem: jax.Array, weights: jax.Array, knots: jax.Array) -> tuple[jax.Array, jax.Array]:
        return cost(problem, weights, knots), jnp.float32(0.0)

    return fused.iteration_function(settings, with_error, goal_error_function(settings, lag, mount))


def chunk_size(num_samples: int) -> int:
    """Return how many samples one call evaluates: of up to MOST_IN_CALL all, else equal parts."""
    return math.ceil(num_samples / math.ceil(num_samples / MOST_IN_CALL))


def _blocks(num_samples: int) -> tuple[int, int]:
    """Return blocks in a call and samples in a block, a multiple of LANES (7 and 72 of 500)."""
    vectors = math.ceil(chunk_size(num_samples) / LANES)
    most = MOST_IN_BLOCK // LANES
    # as few as possible left over; of those the fewest blocks
    blocks = min(range(math.ceil(vectors / most), 2 * math.ceil(vectors / most) + 1), key=lambda n: (-vectors % n, n))
    return blocks, LANES * math.ceil(vectors / blocks)


def example_arguments(settings: PlannerSettings) -> tuple[NDArray[np.float32], ...]:
    """Return arguments for `function`: a robot that stands in its nominal pose."""
    knots = np.zeros((chunk_size(settings.num_samples), settings.num_knots, 12), np.float32)
    return _example_problem(), np.ones(len(TERM_NAMES), np.float32), knots


def example_iteration(settings: PlannerSettings) -> tuple[Any, ...]:
    """Return arguments for `iteration`: a robot that stands in its nominal pose."""
    return _example_problem(), np.ones(len(TERM_NAMES), np.float32), *fused.pack(fused.example_start(settings))


def _example_problem() -> NDArray[np.float32]:
    problem = np.zeros(PROBLEM_SIZE, np.float32)
    problem[48:51] = 0.5, 0.0, 0.3
    problem[51:60] = np.eye(3, dtype=np.float32).ravel()
    problem[61:73] = np.array([[0.23, 0.2, 0], [0.23, -0.2, 0], [-0.23, 0.2, 0], [-0.23, -0.2, 0]]).ravel()
    problem[73:79], problem[79] = joint_array("stand")[ARM_SLICE], 1.0
    return problem
