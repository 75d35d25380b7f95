"""Planners from settings and the name of a backend: compiled ahead of time where that is possible."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from go2_piper_description.joints import ARM_SLICE, LEG_SLICE, joint_array

from . import leg_kinematics
from .backends import Backend, BackendError
from .centred import CentredPlanner, centred_settings
from .coordinates import ARM_SLICE_12, NUM_COORDINATES
from .costs import TERM_NAMES, Weights
from .guide import Guide
from .planner import Planner
from .planning import ARM, BODY, MakesPlans, arm_only
from .problem import Goal, PlanState, Problem
from .settings import PlannerSettings
from .stance import NOMINAL_TRUNK

BACKENDS = ("reduced", "mujoco", "mjx")
Log = Callable[[str], None]

_NO_PROGRAM = (
    "frequency", "iterations", "seed", "returned", "prior_share", "prior_spread", "box_x", "box_y", "box_z_down",
    "box_z_up", "box_tilt", "box_yaw", "floor_trunk_position", "floor_trunk_rotation", "floor_arm",
)  # fmt: skip
"""Settings that the compiled functions know nothing of, or have as arguments."""

_PARTS = ("backends", "cem", "coordinates", "costs", "lag", "leg_kinematics", "splines", "stance")
_DESCRIPTION = ("joints", "kinematics", "links")
_SOURCES = [f"{__package__}.{part}" for part in _PARTS] + [f"go2_piper_description.{part}" for part in _DESCRIPTION]
"""What the compiled functions are made of."""


def default_directory() -> Path:
    """Return where compiled functions are kept: $XDG_CACHE_HOME or ~/.cache, or a temporary folder without either."""
    base = os.environ.get("XDG_CACHE_HOME") or os.environ.get("HOME")
    if not base:
        return Path(tempfile.gettempdir()) / f"go2_piper_{os.getuid()}" / "compiled"
    cache = Path(base) if os.environ.get("XDG_CACHE_HOME") else Path(base) / ".cache"
    return cache / "go2_piper" / "compiled"


@dataclass(frozen=True)
class Rollouts:
    """How the `mujoco` backend rolls out around the reduced plan, or without JAX around inverse kinematics."""

    samples: int = 24
    """In a plan."""
    elites: int = 4
    threads: int = 1


def make_planners(
    settings: PlannerSettings,
    backend: str = "reduced",
    *,
    directory: Path | None = None,
    recompile: bool = False,
    weights: Weights | None = None,
    rollouts: Rollouts | None = None,
    log: Log = lambda line: None,
) -> dict[str, MakesPlans]:
    """Return planners for `planning.BODY` and `ARM`, warmed up.

    ARM is of the reduced backend in any case: rollouts of a standing robot know nothing of one that walks. Where the
    reduced backend cannot be had (no JAX, or nothing compiles) the C backend takes its place: the ladder's last rung.

    Args:
        settings: of the search; of the quick one, where a slow one samples around it.
        backend: one of `BACKENDS`.
        directory: of compiled functions; None for `default_directory`.
        recompile: compile anew, whatever is stored.
        weights: of the cost; None for the defaults.
        rollouts: of `mujoco`; None for the defaults.
        log: takes a line for each rung of the ladder that was tried.

    Raises:
        BackendError: in one line, where the backend cannot start.
        PlanFault: where it starts but cannot plan.
        SettingsError: where the rollouts cannot be as asked.
    """
    if backend not in BACKENDS:
        raise BackendError(f"backend '{backend}' is unknown: choose one of {', '.join(BACKENDS)}")
    rollouts, directory = rollouts or Rollouts(), directory or default_directory()
    exact = centred_settings(settings, rollouts.samples, rollouts.elites)
    planners: dict[str, MakesPlans] = {}
    if backend == "mjx":
        planners[BODY] = Planner(settings, make_backend("mjx", settings, directory, recompile, log), weights)
    try:
        quick = make_backend("reduced", settings, directory, recompile, log)
    except BackendError as error:
        in_c = _mujoco(exact, rollouts.threads)
        log(f"{error}; taking rung c: {exact.num_samples} rollouts of the whole robot around inverse kinematics")
        planners = {BODY: Planner(exact, in_c, weights), ARM: Planner(arm_only(exact), in_c, weights), **planners}
    else:
        body = Planner(settings, quick, weights)
        planners = {BODY: body, ARM: Planner(arm_only(settings), quick, weights), **planners}
        if backend == "mujoco":
            planners[BODY] = CentredPlanner(body, Planner(exact, _mujoco(exact, rollouts.threads), weights))
    made = planners[BODY].backend
    log(f"backend {made.name} ({made.rung}) after {made.startup_seconds:.2f} s, {made.chunk} samples in a chunk")
    for planner in planners.values():
        planner.warm_up(standing_problem())
    return planners


def make_kinematics(settings: PlannerSettings, weights: Weights | None = None) -> dict[str, Guide]:
    """Return the guides by inverse kinematics for `planning.BODY` and `ARM`; arguments as `make_planners`."""
    return {BODY: Guide(settings, weights), ARM: Guide(arm_only(settings), weights)}


def make_backend(name: str, settings: PlannerSettings, directory: Path, recompile: bool, log: Log) -> Backend:
    """Return a compiled backend, `reduced` or `mjx`, that is ready; arguments and errors as `make_planners`."""
    extra = "planner" if name == "reduced" else "planner,mjx"
    for package in ("jax", "jaxlib"):
        if find_spec(package) is None:
            raise BackendError(
                f"backend '{name}' needs the package {package}: install it with `pip install .[{extra}]`"
            )
    try:
        return (_reduced if name == "reduced" else _mjx)(settings, directory, recompile, log)
    except BackendError:
        raise
    except (ImportError, RuntimeError) as error:  # AotError, and what a broken or foreign jaxlib raises
        raise BackendError(f"backend '{name}' cannot start: {' '.join(str(error).split())}") from None


def standing_problem() -> Problem:
    """Return the problem of a robot in its nominal pose that is to stay there."""
    position = np.zeros(NUM_COORDINATES)
    position[ARM_SLICE_12] = joint_array("stand")[ARM_SLICE]
    feet = leg_kinematics.forward(joint_array("stand")[LEG_SLICE])
    goal = Goal(np.array([0.4, 0.0, 0.25]) + NOMINAL_TRUNK)
    still = np.zeros(NUM_COORDINATES)
    return Problem(PlanState(position, still), goal, position, still, feet - feet.mean(axis=0))


def _reduced(settings: PlannerSettings, directory: Path, recompile: bool, log: Log) -> Backend:
    from .aot import build_or_load, take_fingerprint
    from .backends.reduced import backend as made

    static = {name: value for name, value in asdict(settings).items() if name not in _NO_PROGRAM}
    fingerprint = take_fingerprint(settings={**static, "terms": TERM_NAMES}, sources=_SOURCES)
    whole = settings.num_samples <= made.MOST_IN_CALL  # more are evaluated in chunks, between which a plan can end
    function = made.iteration(settings) if whole else made.function(settings)
    example = made.example_iteration(settings) if whole else made.example_arguments(settings)
    compiled = build_or_load(function, example, fingerprint, directory, "reduced", recompile=recompile, log=log)
    return made.ReducedBackend(
        settings, compiled=None if whole else compiled.call, iterating=compiled.call if whole else None,
        rung=compiled.rung, startup_seconds=compiled.seconds,
    )  # fmt: skip


def _mjx(settings: PlannerSettings, directory: Path, recompile: bool, log: Log) -> Backend:
    from .aot import build_or_load, take_fingerprint
    from .backends import mjx

    static = {name: value for name, value in asdict(settings).items() if name not in _NO_PROGRAM}
    fingerprint = take_fingerprint(
        settings={**static, "terms": TERM_NAMES}, sources=(*_SOURCES, f"{__package__}.executor"),
        model=mjx.model_bytes(settings),
    )  # fmt: skip
    if fingerprint.program["platform"] == "cpu":
        log("backend mjx on a CPU: compiling takes minutes and a plan seconds; meant for GPUs")

    def iterate(*arguments: Any) -> Any:  # MJX is imported only where there is something to trace
        return mjx.iteration(settings)(*arguments)

    example = mjx.example_iteration(settings)
    compiled = build_or_load(iterate, example, fingerprint, directory, "mjx", recompile=recompile, log=log)
    return mjx.MjxBackend(settings, iterating=compiled.call, rung=compiled.rung, startup_seconds=compiled.seconds)


def _mujoco(settings: PlannerSettings, threads: int) -> Backend:
    from .backends.mujoco_rollout import MujocoBackend

    return MujocoBackend(settings, threads=threads)
