"""The planners that are compared, by name."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from cem_planner.cem import initial_sigma
from cem_planner.planner import Planner
from cem_planner.planning import MakesPlans
from cem_planner.settings import PlannerSettings

SAMPLES_PER_ELITE = 8
"""Of ours and of judo with our settings."""
LEAST_SIGMA = 0.4
"""Of the first sigma: our floor far from the goal, in every coordinate."""
JUDO_LEAST_SIGMA, JUDO_ELITES = 0.1, 2
"""judo's defaults."""


def settings_of(samples: int, seed: int) -> PlannerSettings:
    """Return our settings for a number of rollouts."""
    return PlannerSettings(num_samples=samples, num_elites=max(2, samples // SAMPLES_PER_ELITE), seed=seed)


def _ours(samples: int, seed: int) -> MakesPlans:
    from cem_planner.backends.mujoco_rollout import MujocoBackend

    settings = settings_of(samples, seed)
    return Planner(settings, MujocoBackend(settings, threads=len(os.sched_getaffinity(0))))


def _centred(samples: int, seed: int) -> MakesPlans:
    from cem_planner.backends.mujoco_rollout import MujocoBackend
    from cem_planner.centred import CentredPlanner, centred_settings
    from cem_planner.factory import default_directory, make_backend

    quick = PlannerSettings(seed=seed)
    exact = centred_settings(quick, samples, max(2, samples // SAMPLES_PER_ELITE))
    reduced = make_backend("reduced", quick, default_directory(), False, lambda line: None)
    in_c = MujocoBackend(exact, threads=len(os.sched_getaffinity(0)))
    return CentredPlanner(Planner(quick, reduced), Planner(exact, in_c))


def _judo(samples: int, seed: int) -> MakesPlans:
    from .judo_planner import JudoPlanner

    settings = settings_of(samples, seed)
    return JudoPlanner(settings, _sigma(settings), LEAST_SIGMA, settings.num_elites, seed)


def _judo_defaults(samples: int, seed: int) -> MakesPlans:
    from .judo_planner import JudoPlanner

    settings = settings_of(samples, seed)
    settings = replace(settings, num_elites=JUDO_ELITES)
    return JudoPlanner(settings, _sigma(settings), JUDO_LEAST_SIGMA, JUDO_ELITES, seed)


def _sigma(settings: PlannerSettings) -> np.ndarray:
    return initial_sigma(settings)[0].astype(np.float64)


OURS: dict[str, Callable[[int, int], MakesPlans]] = {"ours": _ours, "ours around the reduced plan": _centred}
JUDO: dict[str, Callable[[int, int], MakesPlans]] = {"judo, our settings": _judo, "judo, its defaults": _judo_defaults}
SYSTEMS = OURS | JUDO
"""(samples, seed) -> planner."""
