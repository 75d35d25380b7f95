"""A standing robot as a planning problem, for the backends' tests."""

from __future__ import annotations

import numpy as np
from cem_planner.cem import Numbers, initial_sigma
from cem_planner.problem import Goal, PlanState, Problem
from cem_planner.settings import PlannerSettings
from go2_piper_description.joints import ARM_SLICE, joint_array

FEET = np.array([[0.23, 0.16, 0.0], [0.23, -0.16, 0.0], [-0.22, 0.16, 0.0], [-0.22, -0.16, 0.0]])
STAND = np.concatenate([np.zeros(6), joint_array("stand")[ARM_SLICE]])


def problem(velocity: np.ndarray | None = None, orientation_weight: float = 0.3) -> Problem:
    """The robot stands in its nominal pose; the goal is half a metre in front of the trunk."""
    state = PlanState(STAND.copy(), np.zeros(12) if velocity is None else velocity)
    goal = Goal(np.array([0.5, 0.1, 0.4]), orientation_weight=orientation_weight)
    return Problem(state, goal, STAND.copy(), np.zeros(12), FEET)


def samples(settings: PlannerSettings, count: int, seed: int = 0) -> Numbers:
    """Knots around standing still, the first of them just that; shape (count, K, 12)."""
    noise = np.random.default_rng(seed).standard_normal((count, settings.num_knots, 12))
    noise[0] = 0.0
    return (STAND + noise * initial_sigma(settings)).astype(np.float32)
