"""Rollouts in C: our `mujoco` backend against raw `mujoco.rollout` of the same model, which is the limit."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import mujoco
import numpy as np
from cem_planner.backends.mujoco_rollout import MujocoBackend
from cem_planner.backends.physics import control
from cem_planner.backends.physics.given import FeedForward, given
from cem_planner.backends.physics.model import PhysicsOptions
from cem_planner.cem import initial_sigma
from cem_planner.costs import Weights
from cem_planner.executor import GravityModel
from cem_planner.problem import Goal, PlanState, Problem
from cem_planner.settings import PlannerSettings
from go2_piper_description.joints import ARM_SLICE, joint_array
from mujoco.rollout import Rollout

REQUIRED_SHARE = 0.9
FEET = np.array([[0.23, 0.16, 0.0], [0.23, -0.16, 0.0], [-0.22, 0.16, 0.0], [-0.22, -0.16, 0.0]])


@dataclass(frozen=True)
class Size:
    """How much is run."""

    samples: int = 24
    """In a plan; each plan is a new problem."""
    plans: int = 60


def standing(turn: int = 0) -> Problem:
    """Return a robot that stands, with a goal in reach.

    Args:
        turn: moves the goal, so that no two problems are the same.
    """
    stand = np.concatenate([np.zeros(6), joint_array("stand")[ARM_SLICE]])
    goal = Goal(np.array([0.5, 0.1 + 1e-4 * turn, 0.4]), orientation_weight=0.3)
    return Problem(PlanState(stand, np.zeros(12)), goal, stand, np.zeros(12), FEET)


def _times(calls: dict[str, Callable[[int], object]], count: int) -> dict[str, np.ndarray]:
    """Return CPU and wall time of each call, s, shape (count, 2); in turns, so that noise meets all alike."""
    for call in calls.values():
        call(-1)
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in calls}
    for turn in range(count):
        for name, call in calls.items():
            cpu, wall = time.process_time(), time.perf_counter()
            call(turn)
            found[name].append((time.process_time() - cpu, time.perf_counter() - wall))
    return {name: np.array(values) for name, values in found.items()}


def raw_and_ours(samples: int) -> tuple[Callable[[int], object], Callable[[int], object], int]:
    """Return raw `mujoco.rollout` and our backend on the same samples and one thread, and the steps of a call.

    Args:
        samples: rollouts in a call; the argument of the calls is the turn.
    """
    settings = PlannerSettings(num_samples=samples, num_elites=min(4, samples))
    noise = np.random.default_rng(0).standard_normal((samples, settings.num_knots, 12))
    knots = (standing().state.position + noise * initial_sigma(settings)).astype(np.float32)
    weights = Weights().array()
    backend = MujocoBackend(settings, chunk=samples)
    model, facts = backend.model, given(standing(), FeedForward(GravityModel()))
    basis = control.control_basis(settings, PhysicsOptions())
    controls = control.controls(facts, knots.astype(np.float64), basis)
    start = np.tile(np.concatenate([[0.0], facts.qpos, facts.qvel]), (samples, 1))
    state = np.empty((samples, len(basis), start.shape[1]))
    sensors = np.empty((samples, len(basis), model.nsensordata))
    pool, data = Rollout(nthread=0), [mujoco.MjData(model)]

    def raw(turn: int) -> object:
        return pool.rollout(model, data, start, controls, state=state, sensordata=sensors)

    def ours(turn: int) -> object:
        return backend.rollout(standing(turn), knots, weights)

    return raw, ours, samples * len(basis)


def run(size: Size | None = None) -> list[str]:
    """Return the lines of the report."""
    size, horizon = size or Size(), PlannerSettings().plan_horizon
    raw, ours, steps = raw_and_ours(size.samples)
    names = "raw mujoco.rollout (limit)", "backend, with commands and costs"
    times = _times(dict(zip(names, (raw, ours), strict=True)), size.plans)
    median = {name: float(np.median(values[:, 0])) for name, values in times.items()}
    lines = [f"rollouts in C, one thread, {size.samples} samples of {horizon:g} s a plan:"]
    for name, values in times.items():
        p50, p99 = np.percentile(1e3 * values[:, 1], [50, 99])
        lines.append(
            f"  {name:34} {steps / median[name]:7.0f} steps per CPU s, {1e6 * median[name] / steps:5.1f} us a step, "
            f"wall p50 / p99 {p50:.1f} / {p99:.1f} ms a plan"
        )
    share = median[names[0]] / median[names[1]]
    return [*lines, f"  of the limit: {share:.1%} (wanted: {REQUIRED_SHARE:.0%})"]
