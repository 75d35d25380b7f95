"""The comparison with judo: what it says without judo, when it claims something, and an episode of ours."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from cem_planner.closed_loop import ClosedLoop
from cem_planner.costs import Weights
from cem_planner.problem import PlanState, Problem
from cem_planner.settings import PlannerSettings

from benchmarks.cem import compare, episode, systems
from benchmarks.cem.side import answer
from benchmarks.rollouts import standing


def test_without_judo_one_line_says_so(tmp_path: Path) -> None:
    line = next(compare.run(judo=tmp_path / "python"))
    assert "judo is not installed" in line and str(tmp_path) in line and "\n" not in line


def test_only_intervals_apart_are_claimed() -> None:
    noise = np.random.default_rng(0).normal(0.0, 0.1, (2, 10))
    low, high = 1.0 + noise[0], 2.0 + noise[1]
    assert compare.verdict(low, high) == "lower cost, intervals apart"
    assert compare.verdict(high, low) == "higher cost, intervals apart"
    assert "nothing to claim" in compare.verdict(low, low + 0.02)
    begin, end = compare.interval(low)
    assert begin < low.mean() < end and 0.05 < end - begin < 0.2


def test_costs_are_those_of_the_backend() -> None:
    costs = answer({"do": "cost", "system": "ours", "samples": 8, "seed": 0})
    planner = systems.SYSTEMS["ours"](8, 0)
    assert planner.settings.num_samples == 8 and len(costs) == 8 and np.all(np.isfinite(costs))
    held = np.tile(standing().state.position, (1, 4, 1))
    assert planner.backend.rollout(standing(), held, Weights().array())[0] < np.median(costs)


def test_an_episode_of_ours() -> None:
    outcome = episode.run(systems.SYSTEMS["ours"](4, 0), seed=0, duration=0.1, latency=0.015)
    assert outcome.plans == 5 and not outcome.fell
    assert outcome.cost == outcome.early_cost > 1.0 and outcome.error_mm > 100.0


def test_a_state_costs_what_a_rollout_that_holds_it_does() -> None:
    settings = PlannerSettings()
    planner = systems.SYSTEMS["ours"](4, 0)
    loop = ClosedLoop(settings, planner.backend)
    goal = standing().goal
    cycle = next(loop.cycles(goal, 0.1))
    assert loop.stance is not None
    cost = episode.StateCost(settings).of(cycle, goal, loop.stance)
    weights = Weights(command_rate=0.0, terminal_ee=0.0).array()
    place, rate = loop.stance.coordinates(cycle.state)
    problem = Problem(PlanState(place, rate), goal, place, np.zeros(12), loop.stance.feet)
    held = planner.backend.rollout(problem, np.tile(place, (1, 4, 1)), weights)[0]
    assert abs(cost - held) < 0.05 * held
