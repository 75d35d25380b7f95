"""The reduced-order robot as a rollout backend: 500 samples in about a millisecond on one CPU core."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from go2_piper_description.kinematics import ArmKinematics
from go2_piper_description.links import Mount
from numpy.typing import NDArray

from ... import splines
from ...costs import TERM_NAMES
from ...lag import LagParameters
from ...problem import Problem
from ...settings import PlannerSettings
from ...stance import NOMINAL_TRUNK, trunk_rotation
from .. import padded
from .cost import PROBLEM_SIZE, CostFunction, cost_function, pack
from .model import responses

Array = NDArray[np.float64]

MOST_IN_BLOCK = 100
"""Samples computed at once: up to here the intermediate results stay in a core's cache. Blocks in a loop inside of the
executable took 1.8 ms for 500 samples where one block of 500 took 6.7 and four calls with 125 each 3.3 (CPU time on a
busy machine)."""
MOST_IN_CALL = 512
"""Samples in one call; between calls a deadline can end the plan."""

Compiled = Callable[[Any, Any, Any], Any]
"""The compiled cost function: arrays in, costs out."""


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
        rung: str = "jit",
        startup_seconds: float = 0.0,
    ) -> None:
        """Prepare the backend.

        Args:
            settings: horizon, knots, spline, time step and samples are constants of its executable.
            lag: of the coordinates; None takes the defaults.
            mount: of the arm on the trunk; None takes the description's.
            compiled: the function of `function(settings, ...)` in compiled form, such as one loaded from a file; None
                compiles it here.
            rung: how `compiled` came to be.
            startup_seconds: wall time that this took.
        """
        self._lag, self._settings = lag or LagParameters(), settings
        self._arm = ArmKinematics(mount)
        self.chunk = chunk_size(settings.num_samples)
        self.rung, self.startup_seconds = rung, startup_seconds
        if compiled is None:
            begin = time.perf_counter()
            compiled = jax.jit(function(settings, self._lag, mount)).lower(*example_arguments(settings)).compile()
            self.startup_seconds = time.perf_counter() - begin
        self._compiled = compiled
        times = (np.arange(settings.num_steps) + 0.5) * settings.time_step
        basis = splines.basis(times, settings.plan_horizon, settings.num_knots, settings.spline)
        self._end = responses(self._lag, basis, settings.time_step)[0]
        self._packed: tuple[Problem, NDArray[np.float32]] | None = None

    def rollout(
        self, problem: Problem, knots: NDArray[np.floating], weights: NDArray[np.float32]
    ) -> NDArray[np.floating]:
        """Return the cost of each sample, as `Backend.rollout`."""
        if self._packed is None or self._packed[0] is not problem:
            self._packed = problem, pack(problem)  # the chunks of one plan share it
        batch = np.asarray(padded(knots, self.chunk), dtype=np.float32)
        return np.asarray(self._compiled(self._packed[1], weights, batch))[: len(knots)]

    def goal_error(self, problem: Problem, knots: NDArray[np.floating]) -> float:
        """Return the distance of `ee_link` from the goal at the end of one trajectory, m; knots of shape (K, 12)."""
        free, forced, held = self._end.free[-1], self._end.forced[-1], self._end.held[-1]
        end = free[:, 0] * problem.state.position + free[:, 1] * problem.state.velocity
        end = end + (forced * knots).sum(axis=0) + held * problem.offset
        place = trunk_rotation(end) @ self._arm.ee_position(end[6:]) + end[:3] + NOMINAL_TRUNK
        return float(np.linalg.norm(problem.goal.position - place))


def function(settings: PlannerSettings, lag: LagParameters | None = None, mount: Mount | None = None) -> CostFunction:
    """Return the pure function to compile: `cost_function` in blocks; `example_arguments` shows its arguments."""
    cost = cost_function(settings, lag or LagParameters(), mount)
    blocks, rows = _blocks(settings.num_samples)

    def in_blocks(problem: jax.Array, weights: jax.Array, knots: jax.Array) -> jax.Array:
        stacked = knots.reshape(blocks, rows, *knots.shape[1:])
        return jax.lax.map(lambda block: cost(problem, weights, block), stacked).reshape(-1)

    return in_blocks


def chunk_size(num_samples: int) -> int:
    """Return how many samples one call evaluates: of up to MOST_IN_CALL all, else equal parts."""
    blocks, rows = _blocks(num_samples)
    return blocks * rows


def _blocks(num_samples: int) -> tuple[int, int]:
    """Return blocks in a call and samples in a block (5 and 100 of 500)."""
    in_call = math.ceil(num_samples / math.ceil(num_samples / MOST_IN_CALL))
    blocks = math.ceil(in_call / MOST_IN_BLOCK)
    return blocks, math.ceil(in_call / blocks)


def example_arguments(settings: PlannerSettings) -> tuple[NDArray[np.float32], ...]:
    """Return arguments of the right shapes and types, to compile with: a robot that stands in its nominal pose."""
    problem = np.zeros(PROBLEM_SIZE, np.float32)
    problem[48:51] = 0.5, 0.0, 0.3
    problem[51:60] = np.eye(3, dtype=np.float32).ravel()
    problem[61:] = np.array([[0.23, 0.2, 0], [0.23, -0.2, 0], [-0.23, 0.2, 0], [-0.23, -0.2, 0]]).ravel()
    knots = np.zeros((chunk_size(settings.num_samples), settings.num_knots, 12), np.float32)
    return problem, np.ones(len(TERM_NAMES), np.float32), knots
