"""Rollouts of the full robot with MuJoCo's C code, on a budget of threads.

A rollout of half a second costs 1.2 ms of a slow core: tens of samples in a plan, not hundreds. Around the reduced
planner's plan 24 are enough (`centred`), alone it takes 64 (`python -m benchmarks.full_physics`).
"""

from __future__ import annotations

import os
import time

import mujoco
import numpy as np
from go2_piper_description.links import Mount
from mujoco.rollout import Rollout
from numpy.typing import NDArray

from .. import costs
from ..executor import GravityModel
from ..problem import Problem
from ..settings import PlannerSettings
from . import BackendError
from .physics import control, terms
from .physics.given import FeedForward, Given, given
from .physics.model import PhysicsOptions, rollout_model

Array = NDArray[np.float64]

CHUNK_PER_THREAD = 8
"""Rollouts in a chunk for each thread: about 10 ms, by which a plan may overshoot its deadline at most."""
_STATE = mujoco.mjtState.mjSTATE_FULLPHYSICS


class MujocoBackend:
    """Rolls samples out with `mujoco.rollout`. Deterministic, whatever the number of threads and chunks."""

    name, rung = "mujoco", "c"

    def __init__(
        self,
        settings: PlannerSettings,
        *,
        threads: int = 1,
        chunk: int | None = None,
        options: PhysicsOptions | None = None,
        mount: Mount | None = None,
    ) -> None:
        """Compile the model and start the threads; they live as long as the backend.

        Args:
            settings: horizon, knots, spline, time step.
            threads: that roll out at the same time; with 1 the caller's own.
            chunk: most samples in one call; None takes CHUNK_PER_THREAD for each thread.
            options: of the simulation.
            mount: of the arm on the trunk; None takes the description's.

        Raises:
            BackendError: if there are no threads or more than processors, or the chunk is empty.
        """
        begin = time.perf_counter()
        most = len(os.sched_getaffinity(0))
        if not 1 <= threads <= most:
            raise BackendError(f"mujoco: {threads} threads: from 1 to the {most} processors of this machine")
        self.chunk = CHUNK_PER_THREAD * threads if chunk is None else chunk
        if self.chunk < 1:
            raise BackendError(f"mujoco: a chunk of {chunk} samples is empty")
        self._options = options or PhysicsOptions()
        self._steps, self._substeps = settings.num_steps, self._options.substeps
        self._model = rollout_model(settings, self._options, mount)
        self._data = [mujoco.MjData(self._model) for _ in range(threads)]
        self._pool = Rollout(nthread=0 if threads == 1 else threads)
        self._feed_forward = FeedForward(GravityModel(mount))
        self._basis = control.control_basis(settings, self._options)
        self._scale = costs.rate_scale(settings).astype(np.float64)
        count = len(self._basis)
        self._state = np.empty((self.chunk, count, mujoco.mj_stateSize(self._model, _STATE)))
        self._sensors = np.empty((self.chunk, count, self._model.nsensordata))
        self._given: tuple[Problem, Given] | None = None
        self.startup_seconds = time.perf_counter() - begin

    @property
    def model(self) -> mujoco.MjModel:
        """The model that is rolled out."""
        return self._model

    def rollout(
        self, problem: Problem, knots: NDArray[np.floating], weights: NDArray[np.float32]
    ) -> NDArray[np.floating]:
        """Return the cost of each sample, as `Backend.rollout`; always finite, DIVERGED_COST where one diverged."""
        facts, batch = self._facts(problem), np.asarray(knots, dtype=np.float64)
        state, sensors, intact = self._simulate(facts, batch)
        nq = self._model.nq
        values = terms.terms(facts, sensors, state[..., 1 : 1 + nq], state[..., 1 + nq :])
        return terms.total(facts, values, batch, weights.astype(np.float64), self._scale, intact)

    def goal_error(self, problem: Problem, knots: NDArray[np.floating]) -> float:
        """Return the distance of `ee_link` from the goal at the end of one trajectory, m; knots of shape (K, 12)."""
        facts = self._facts(problem)
        _, sensors, intact = self._simulate(facts, np.asarray(knots, dtype=np.float64)[None])
        return float(terms.goal_distance(facts, sensors)[0]) if intact[0] else float("inf")

    def _facts(self, problem: Problem) -> Given:
        if self._given is None or self._given[0] is not problem:
            self._given = problem, given(problem, self._feed_forward)  # the chunks of one plan share it
        return self._given[1]

    def _simulate(self, facts: Given, knots: Array) -> tuple[Array, Array, NDArray[np.bool_]]:
        """Return states, sensors and whether each rollout got to its end.

        The moments are the ends of the planner's time steps: shapes (n, T, state), (n, T, sensors) and (n,).
        """
        count = len(knots)
        state, sensors = self._state[:count], self._sensors[:count]
        start = np.concatenate([[0.0], facts.qpos, facts.qvel])
        self._pool.rollout(
            self._model, self._data, np.tile(start, (count, 1)), control.controls(facts, knots, self._basis),
            state=state, sensordata=sensors, chunk_size=1,
        )  # fmt: skip
        # after a warning MuJoCo repeats what it has to the end, in a robot that it may have reset: time stands still
        end = len(self._basis) * self._model.opt.timestep
        intact = np.abs(state[:, -1, 0] - end) < 0.5 * self._model.opt.timestep
        every = self._substeps
        # sensors belong to the beginning of their step, states to its end
        return _apart(state[:, every - 1 :: every][:, : self._steps]), _apart(sensors[:, every::every]), intact


def _apart(values: Array) -> Array:
    """Return the array with each number of the last axis in memory of its own: sums over that axis then run along
    samples and steps, and the terms take half the time.
    """
    return np.moveaxis(np.ascontiguousarray(np.moveaxis(values, -1, 0)), 0, -1)
