"""Evaluations through Hydra: one, several, and mistakes."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path

import pytest

import training.evaluation.run as run_module
from tests.training.models.fixtures import write_expert
from training.evaluate_sweep import SweepSettings, main
from training.evaluation.merge import merge
from training.evaluation.settings import Settings


@pytest.fixture(autouse=True)
def quick(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_module, "draw", lambda data, folder: None)
    monkeypatch.chdir(tmp_path)


def test_each_combination_has_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = [write_expert(tmp_path / name / "seed_1" / "e.safetensors") for name in "ab"]
    models = ",".join(map(str, paths))
    # one job after the other stays in this process
    options = ["hydra/launcher=basic", "hydra.sweep.dir=out", "suite=[S5,S2]", "envs=2", "seconds=0.1"]
    assert main(["-m", f"model={models}", "seed=77,78", *options]) == 0
    found = [json.loads((tmp_path / "out" / str(i) / "results.json").read_text()) for i in range(4)]
    assert [data["settings"]["seed"] for data in found] == [77, 78, 77, 78]
    assert all(list(data["results"]) == ["S5", "S2"] for data in found)
    assert "| e | 1 |" in merge([tmp_path / "out" / str(i) for i in (0, 1)])


def test_all_settings_of_an_evaluation_are_there_with_the_same_defaults() -> None:
    here = {field.name: field.default for field in fields(SweepSettings)}
    there = {field.name: field.default for field in fields(Settings) if field.name != "suites"}
    assert {name: here.get(name) for name in there} == there


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["model=none.safetensors"], "no checkpoint at none.safetensors"),
        (["model=none.safetensors", "suite=S9"], "unknown suite S9"),
        (["model=none.safetensors", "seeds=3"], "unknown setting seeds"),
        (["model=none.safetensors", "envs=many"], "envs"),
        ([], "model"),
    ],
)
def test_mistakes_are_one_line(options: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(options) == 1
    error = capsys.readouterr().err
    assert error.startswith("training.evaluate_sweep: ") and message in error
    assert error.count("\n") == 1 and "Traceback" not in error
