"""The full robot's rollouts around the reduced plan, in closed loop; `benchmarks.full_physics` runs ten goals."""

from __future__ import annotations

from dataclasses import replace

import pytest
from cem_planner.backends.mujoco_rollout import MujocoBackend
from cem_planner.centred import CentredPlanner, centred_settings
from cem_planner.closed_loop import ClosedLoop, LoopOptions
from cem_planner.goal_sampler import GoalSampler
from cem_planner.planner import Planner
from cem_planner.settings import PlannerSettings

pytest.importorskip("jax", reason="jax is not installed: pip install '.[planner]'")


def test_it_reaches_a_goal_and_does_not_fall() -> None:
    from cem_planner.backends.reduced.backend import ReducedBackend

    settings = PlannerSettings()
    exact, reduced = centred_settings(settings), ReducedBackend(settings)
    loop = ClosedLoop(settings, reduced, options=LoopOptions(latency=0.04))
    loop.planner = CentredPlanner(Planner(settings, reduced), Planner(exact, MujocoBackend(exact)))
    goal = replace(GoalSampler(0).reachable(1)[0], orientation_weight=0.0)
    episode = loop.run(goal, 2.5)
    assert not episode.fell and episode.samples == exact.num_samples
    assert episode.position_error < 0.010
