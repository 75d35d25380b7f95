"""Acceptance in MuJoCo: the planner's goals with its latency applied, a few episodes of each kind.

All 30 + 10 goals and more disturbances: `python -m cem_planner.closed_loop --full`.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from cem_planner.backends import Backend
from cem_planner.closed_loop import ClosedLoop, Episode, LoopOptions
from cem_planner.costs import EE_LEAST_HEIGHT
from cem_planner.goal_sampler import GoalSampler
from cem_planner.problem import Goal
from cem_planner.settings import PlannerSettings
from cem_planner.stance import NOMINAL_TRUNK
from cem_planner.standing_plant import Push, StandingPlant, World
from go2_piper_description.kinematics import ArmKinematics
from go2_piper_description.links import TOOL_LENGTH

pytest.importorskip("jax")

from cem_planner import trials
from cem_planner.backends.reduced.backend import ReducedBackend

SETTINGS = PlannerSettings()


@pytest.fixture(scope="module")
def backend() -> ReducedBackend:
    return ReducedBackend(SETTINGS)


@pytest.fixture(scope="module")
def goals() -> tuple[list[Goal], list[Goal]]:
    sampler = GoalSampler(0)
    return sampler.reachable(3), sampler.beyond(2)


def run(backend: Backend, goals: list[Goal], duration: float = 3.5, **world: float) -> list[Episode]:
    loop = ClosedLoop(SETTINGS, backend, world=World(**world))  # type: ignore[arg-type]
    return [loop.run(goal, duration) for goal in goals]


def test_reachable_poses(backend: Backend, goals: tuple[list[Goal], list[Goal]]) -> None:
    episodes = run(backend, goals[0])
    assert not any(episode.fell for episode in episodes)
    assert np.median([episode.position_error for episode in episodes]) <= 0.005
    assert max(episode.position_error for episode in episodes) <= 0.020
    assert np.degrees(np.median([episode.orientation_error for episode in episodes])) <= 2.0
    assert max(episode.largest_tilt for episode in episodes) < 0.2


def test_a_goal_in_another_branch_of_the_arm(backend: Backend) -> None:
    goal = GoalSampler(0).reachable(7)[6]  # the search goes into the branch that cannot take it: 11 degrees off
    episode = run(backend, [goal], 4.0)[0]
    assert not episode.fell
    assert episode.position_error < 0.010
    assert np.degrees(episode.orientation_error) < 3.0


def test_goals_that_need_the_trunk(backend: Backend, goals: tuple[list[Goal], list[Goal]]) -> None:
    episodes = run(backend, goals[1])
    assert not any(episode.fell for episode in episodes)
    assert max(episode.position_error for episode in episodes) <= 0.010


@pytest.mark.parametrize("world", [{"payload": 0.5}, {"gain_factor": 0.8}])
def test_what_the_planner_does_not_know(
    backend: Backend, goals: tuple[list[Goal], list[Goal]], world: dict[str, float]
) -> None:
    episodes = run(backend, goals[0][:2], **world)
    assert not any(episode.fell for episode in episodes)
    assert np.median([episode.position_error for episode in episodes]) <= 0.015


def test_estimate_of_offsets_lifts_a_payload(backend: Backend, goals: tuple[list[Goal], list[Goal]]) -> None:
    errors = []
    for seeing in (True, False):
        loop = ClosedLoop(SETTINGS, backend, world=World(payload=0.5), options=LoopOptions(observe=seeing))
        errors.append(loop.run(goals[0][0], 3.5).position_error)
    assert errors[1] > 2.0 * errors[0]


def test_pushed_it_comes_back(backend: Backend, goals: tuple[list[Goal], list[Goal]]) -> None:
    loop = ClosedLoop(SETTINGS, backend)
    episode = loop.run(goals[0][0], 4.0, Push((0.0, 30.0, 0.0), start=2.5))
    assert not episode.fell
    assert 0.005 < episode.peak_error < 0.1
    assert episode.recovery < 1.0
    assert episode.position_error < 0.02


def test_same_run_twice(backend: Backend, goals: tuple[list[Goal], list[Goal]]) -> None:
    loop = ClosedLoop(SETTINGS, backend)
    first, second = (loop.run(goals[0][0], 0.3) for _ in range(2))
    assert first.errors == second.errors
    assert first.plans == 15
    assert first.samples == SETTINGS.num_samples


@pytest.mark.parametrize(("latency", "plans"), [(0.0, 10), (0.005, 10), (0.015, 10), (0.03, 5)])
def test_plans_take_effect_after_their_latency(
    backend: Backend, goals: tuple[list[Goal], list[Goal]], latency: float, plans: int
) -> None:
    loop = ClosedLoop(SETTINGS, backend, options=LoopOptions(latency=latency))
    cycles = list(loop.cycles(goals[0][0], 0.2))
    assert len(cycles) == 10
    for cycle in cycles:
        if cycle.plan is None:
            assert cycle.time < latency
        else:
            assert cycle.plan.age(cycle.time) >= -1e-9  # none is used before its time
    stamps = {cycle.plan.stamp for cycle in cycles if cycle.plan is not None}
    assert len(stamps) == plans
    assert min(stamps) == pytest.approx(latency)


def test_a_fall_is_told(backend: Backend, goals: tuple[list[Goal], list[Goal]]) -> None:
    loop = ClosedLoop(SETTINGS, backend)
    episode = loop.run(goals[0][0], 1.5, Push((0.0, 600.0, 0.0), start=0.1, duration=0.3))
    assert episode.fell
    assert episode.largest_tilt > 0.5


def test_payload_is_felt() -> None:
    light, heavy = StandingPlant(), StandingPlant(World(payload=0.5))
    assert heavy.model.body_subtreemass[1] == pytest.approx(light.model.body_subtreemass[1] + 0.5)
    body = light.model.body("piper_link6").id
    moved = heavy.model.body_ipos[body] * heavy.model.body_mass[body]
    moved = moved - light.model.body_ipos[body] * light.model.body_mass[body]
    assert np.allclose(moved, [0.0, 0.0, 0.5 * TOOL_LENGTH])


def test_reachable_goals_are_in_front_and_above_the_floor() -> None:
    shoulder = ArmKinematics().shoulder + NOMINAL_TRUNK
    for goal in GoalSampler(1).reachable(30):
        assert goal.position[0] > shoulder[0] and goal.position[2] > EE_LEAST_HEIGHT
        assert goal.orientation_weight > 0.0


def test_goals_beyond_are_out_of_the_arms_reach() -> None:
    shoulder, longest = ArmKinematics().shoulder + NOMINAL_TRUNK, 0.0
    joints = np.random.default_rng(0).uniform(-3.0, 3.0, (20000, 6))
    longest = np.linalg.norm(ArmKinematics().ee_position(joints) - ArmKinematics().shoulder, axis=1).max()
    for goal in GoalSampler(1).beyond(10):
        assert np.linalg.norm(goal.position - shoulder) > longest
        assert goal.orientation_weight == 0.0


def test_goals_depend_on_the_seed_only() -> None:
    one, two, other = (GoalSampler(seed).reachable(3) for seed in (5, 5, 6))
    assert all(np.array_equal(a.position, b.position) for a, b in zip(one, two, strict=True))
    assert not np.array_equal(one[0].position, other[0].position)


def test_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(trials, "DURATION", 0.1)
    assert trials.main(["--only", "beyond", "--out", str(tmp_path)]) == 0
    assert "beyond" in capsys.readouterr().out
    result = json.loads((tmp_path / "closed_loop.json").read_text())
    assert result["summary"][0]["goals"] == len(result["episodes"]["beyond the arm"]) == 2
    assert trials.main(["--only", "nothing"]) == 2
    assert trials.main(["--iterations", "0"]) == 2
    error = capsys.readouterr().err
    assert "no trial is called 'nothing'" in error and "iterations is 0" in error
    assert "Traceback" not in error
