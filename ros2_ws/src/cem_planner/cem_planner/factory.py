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
from .planner import Planner
from .planning import ARM, BODY, arm_only
from .problem import Goal, PlanState, Problem
from .settings import PlannerSettings
from .stance import NOMINAL_TRUNK

if TYPE_CHECKING:
    from .aot import Compiled

BACKENDS = ("reduced", "mujoco", "mjx")
Log = Callable[[str], None]

_NO_PROGRAM = ("frequency", "iterations", "seed", "returned", "smoothing", "mean_smoothing", "prior_share",
               "prior_spread")  # fmt: skip
"""Settings that the compiled function knows nothing of."""


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
    from .backends import reduced
    from .backends.reduced.backend import ReducedBackend, example_arguments, function

    package = __package__
    static = {name: value for name, value in asdict(settings).items() if name not in _NO_PROGRAM}
    sources = [f"{package}.{part}" for part in ("costs", "splines", "lag", "stance", "leg_kinematics", "coordinates")]
    sources += [reduced.__name__, "go2_piper_description.links", "go2_piper_description.joints"]
    sources += ["go2_piper_description.kinematics"]
    try:
        fingerprint = take_fingerprint(settings={**static, "terms": TERM_NAMES}, sources=sources)
        compiled: Compiled = build_or_load(
            function(settings), example_arguments(settings), fingerprint, directory, "reduced", recompile=recompile,
            log=log,
        )  # fmt: skip
    except AotError as error:
        raise BackendError(f"backend 'reduced' cannot start: {error}") from None
    return ReducedBackend(settings, compiled=compiled.call, rung=compiled.rung, startup_seconds=compiled.seconds)
