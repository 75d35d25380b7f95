"""Plans to learn from: goals one after the other, each from where the last one was left."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from cem_planner.cem import Numbers
from cem_planner.factory import default_directory, make_backend
from cem_planner.goal_sampler import GoalSampler
from cem_planner.guide import Guide
from cem_planner.network import features
from cem_planner.planner import Planner
from cem_planner.problem import Goal
from cem_planner.settings import PlannerSettings
from rich.progress import track

from .loop import ReducedLoop

TEACHER_ITERATIONS = 2
"""Of the plans that are learnt from: better ones than the student will have time for."""
PLANS_PER_GOAL = 15
"""On average; many goals teach more than many plans for one."""
MOST_PLANS = 75
"""1.5 s: the robot then rests at the goal."""
FREE_SHARE = 0.25
"""Of the goals, without an orientation."""
BEYOND_EVERY = 5
"""One goal of so many needs the trunk."""
OFFSET = np.array([0.005] * 3 + [0.01] * 3 + [0.03] * 6)
"""Deviation of the offsets between goals, m and rad."""


@dataclass(frozen=True)
class Plans:
    """What was collected."""

    seen: Numbers
    """Features of each problem, shape (n, NUM_FEATURES)."""
    moved: Numbers
    """Knots of its plan less the command in force, m and rad, shape (n, K * 12)."""


def collect(settings: PlannerSettings, goals: int, seed: int) -> Plans:
    """Plan towards goals and return what came of it.

    Args:
        settings: of the student; the teacher has TEACHER_ITERATIONS.
        goals: how many.
        seed: of goals, noise and offsets.

    Raises:
        BackendError: there is no JAX.
    """
    teacher = replace(settings, iterations=TEACHER_ITERATIONS, seed=seed)
    backend = make_backend("reduced", teacher, default_directory(), False, lambda line: None)
    random, seen, moved = np.random.default_rng(seed), [], []
    loop = ReducedLoop(Planner(teacher, backend), Guide(teacher), None, seed)
    for goal in track(some_goals(goals, seed), "plans", goals):
        offset = random.normal(0.0, OFFSET)
        for _ in range(min(int(random.geometric(1.0 / PLANS_PER_GOAL)), MOST_PLANS)):
            problem, plan = loop.step(goal, offset)
            seen.append(features(problem))
            moved.append((plan.knots - problem.previous_command).ravel())
    return Plans(np.array(seen, np.float32), np.array(moved, np.float32))


def some_goals(count: int, seed: int) -> Iterator[Goal]:
    """Yield goals in reach and beyond the arm's, with and without orientation."""
    sampler, random = GoalSampler(seed), np.random.default_rng(seed)
    for index in range(count):
        goal = (sampler.beyond if index % BEYOND_EVERY == BEYOND_EVERY - 1 else sampler.reachable)(1)[0]
        yield replace(goal, orientation_weight=0.0) if random.random() < FREE_SHARE else goal
