"""The planner's network is trained on its own plans: collected, fitted, written, read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from cem_planner.factory import standing_problem
from cem_planner.network import NUM_FEATURES, PlanNetwork
from cem_planner.settings import PlannerSettings

pytest.importorskip("jax", reason="jax is not installed: pip install '.[planner]'")
pytest.importorskip("optax", reason="optax is not installed: pip install '.[train]'")

from training.planner import __main__ as command
from training.planner import collect as collecting
from training.planner import judge as judging
from training.planner.collect import Plans, collect
from training.planner.fit import Fit, fit

SETTINGS = PlannerSettings()


def test_plans_are_the_planners_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collecting, "MOST_PLANS", 3)
    monkeypatch.setattr(collecting, "PLANS_PER_GOAL", 1000)
    monkeypatch.setattr(collecting, "TEACHER_ITERATIONS", 1)
    plans, again = collect(SETTINGS, 2, 7), collect(SETTINGS, 2, 7)
    assert plans.seen.shape == (6, NUM_FEATURES) and plans.moved.shape == (6, 48)
    assert np.array_equal(plans.seen, again.seen) and np.array_equal(plans.moved, again.moved)
    goals = plans.seen[:, 48:51]
    assert np.array_equal(goals[0], goals[2]) and not np.array_equal(goals[2], goals[3])
    commands = plans.seen[:, :12]
    assert np.any(commands[1] != commands[0]), "the loop is closed"
    assert not np.array_equal(collect(SETTINGS, 2, 8).seen, plans.seen)


def test_it_learns_what_can_be_learnt() -> None:
    random = np.random.default_rng(0)
    seen = random.normal(size=(400, NUM_FEATURES)).astype(np.float32)
    moved = (seen @ random.normal(0, 0.01, (NUM_FEATURES, 48))).astype(np.float32)
    found = fit(Plans(seen, moved), SETTINGS, Fit(hidden=(32,), steps=300, rate=5e-3), log=lambda line: None)
    assert found.error < 0.7 * found.error_of_holding


def test_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(collecting, "MOST_PLANS", 2)
    monkeypatch.setattr(collecting, "PLANS_PER_GOAL", 1000)
    monkeypatch.setattr(collecting, "TEACHER_ITERATIONS", 1)
    monkeypatch.setattr(judging, "SECONDS", 0.1)
    path = tmp_path / "plans.npz"
    assert command.main(["--goals", "3", "--steps", "2", "--judged", "2", "--out", str(path)]) == 0
    said = capsys.readouterr().out
    assert "6 plans of 3 goals" in said
    assert said.count("position error") == 4 and "nan" not in said
    knots = PlanNetwork(path, SETTINGS).knots(standing_problem())
    assert knots.shape == (4, 12) and np.all(np.isfinite(knots))
    for wrong in (["--goals", "1"], ["--out", str(tmp_path / "none" / "x.npz")], ["--out", str(tmp_path / "x.txt")]):
        assert command.main(["--out", str(path), *wrong]) == 2
        assert capsys.readouterr().err.count("\n") == 1
