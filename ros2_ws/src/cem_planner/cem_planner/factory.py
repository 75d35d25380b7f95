"""Planners from settings and the name of a backend: compiled ahead of time where that is possible."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from go2_piper_description.joints import ARM_SLICE, LEG_SLICE, joint_array

from . import leg_kinematics
from .backends import Backend, BackendError
from .coordinates import ARM_SLICE_12, NUM_COORDINATES
from .costs import TERM_NAMES, Weights
from .ik_prior import IkPrior
from .planner import Planner
from .planning import ARM, BODY, arm_only
from .problem import Goal, PlanState, Problem
from .settings import PlannerSettings
from .stance import NOMINAL_TRUNK

if TYPE_CHECKING:
    from .aot import Compiled

BACKENDS = ("reduced", "mujoco", "mjx")
Log = Callable[[str], None]

_NO_PROGRAM = (
    "frequency", "iterations", "seed", "returned", "prior_share", "prior_spread", "box_x", "box_y", "box_z_down",
    "box_z_up", "box_tilt", "box_yaw", "floor_trunk_position", "floor_trunk_rotation", "floor_arm",
)  # fmt: skip
"""Settings that the compiled function knows nothing of, or has as arguments."""


def default_directory() -> Path:
    """Return where compiled functions are kept: $XDG_CACHE_HOME or ~/.cache, or a temporary folder without either."""
    base = os.environ.get("XDG_CACHE_HOME") or os.environ.get("HOME")
    if not base:
        return Path(tempfile.gettempdir()) / f"go2_piper_{os.getuid()}" / "compiled"
    cache = Path(base) if os.environ.get("XDG_CACHE_HOME") else Path(base) / ".cache"
    return cache / "go2_piper" / "compiled"


def make_planners(
    settings: PlannerSettings,
    backend: str = "reduced",
    *,
    directory: Path | None = None,
    recompile: bool = False,
    weights: Weights | None = None,
    log: Log = lambda line: None,
) -> dict[str, Planner]:
    """Return planners for `planning.BODY` and `ARM`, warmed up, over one backend.

    Args:
        settings: of the search.
        backend: one of `BACKENDS`.
        directory: of compiled functions; None for `default_directory`.
        recompile: compile anew, whatever is stored.
        weights: of the cost; None for the defaults.
        log: takes a line for each rung of the ladder that was tried.

    Raises:
        BackendError: in one line, where the backend cannot start.
        PlanFault: where it starts but cannot plan.
    """
    made = make_backend(backend, settings, directory or default_directory(), recompile, log)
    log(f"backend {made.name} ({made.rung}) after {made.startup_seconds:.2f} s, {made.chunk} samples in a chunk")
    planners = {BODY: Planner(settings, made, weights), ARM: Planner(arm_only(settings), made, weights)}
    for planner in planners.values():
        planner.warm_up(standing_problem())
    return planners


def make_kinematics(settings: PlannerSettings, weights: Weights | None = None) -> dict[str, IkPrior]:
    """Return the priors from inverse kinematics for `planning.BODY` and `ARM`; arguments as `make_planners`."""
    return {BODY: IkPrior(settings, weights), ARM: IkPrior(arm_only(settings), weights)}


def make_backend(name: str, settings: PlannerSettings, directory: Path, recompile: bool, log: Log) -> Backend:
    """Return a backend that is ready; arguments and errors as `make_planners`."""
    if name not in BACKENDS:
        raise BackendError(f"backend '{name}' is unknown: choose one of {', '.join(BACKENDS)}")
    if name == "reduced":
        return _reduced(settings, directory, recompile, log)
    raise BackendError(f"backend '{name}' is not part of this version: choose reduced")


def standing_problem() -> Problem:
    """Return the problem of a robot in its nominal pose that is to stay there."""
    position = np.zeros(NUM_COORDINATES)
    position[ARM_SLICE_12] = joint_array("stand")[ARM_SLICE]
    feet = leg_kinematics.forward(joint_array("stand")[LEG_SLICE])
    goal = Goal(np.array([0.4, 0.0, 0.25]) + NOMINAL_TRUNK)
    still = np.zeros(NUM_COORDINATES)
    return Problem(PlanState(position, still), goal, position, still, feet - feet.mean(axis=0))


def _reduced(settings: PlannerSettings, directory: Path, recompile: bool, log: Log) -> Backend:
    for package in ("jax", "jaxlib"):
        if find_spec(package) is None:
            raise BackendError(
                f"backend 'reduced' needs the package {package}: install it with `pip install .[planner]`"
            )
    from .aot import AotError, build_or_load, take_fingerprint
    from .backends.reduced import backend as made

    package = __package__
    static = {name: value for name, value in asdict(settings).items() if name not in _NO_PROGRAM}
    parts = ("backends", "cem", "coordinates", "costs", "lag", "leg_kinematics", "splines", "stance")
    sources = [f"{package}.{part}" for part in parts]
    sources += [f"go2_piper_description.{part}" for part in ("joints", "kinematics", "links")]
    whole = settings.num_samples <= made.MOST_IN_CALL  # more are evaluated in chunks, between which a plan can end
    function = made.iteration(settings) if whole else made.function(settings)
    example = made.example_iteration(settings) if whole else made.example_arguments(settings)
    try:
        fingerprint = take_fingerprint(settings={**static, "terms": TERM_NAMES}, sources=sources)
        compiled: Compiled = build_or_load(
            function, example, fingerprint, directory, "reduced", recompile=recompile, log=log
        )
    except AotError as error:
        raise BackendError(f"backend 'reduced' cannot start: {error}") from None
    return made.ReducedBackend(
        settings, compiled=None if whole else compiled.call, iterating=compiled.call if whole else None,
        rung=compiled.rung, startup_seconds=compiled.seconds,
    )  # fmt: skip
