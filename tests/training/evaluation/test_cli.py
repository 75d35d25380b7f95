"""The command as people use it: files, going on, refusals in one line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from go2_piper_description.mjcf import build_mjcf

import training.evaluation.run as run_module
from tests.training.models.fixtures import write_expert, write_moe
from training.evaluation.cli import main
from training.evaluation.score import balanced_reward

Run = Callable[..., int]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    write_moe(tmp_path / "moe.safetensors", {"kind": "obs_moe"})
    return tmp_path / "moe.safetensors"


@pytest.fixture
def no_plots(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures take longer than all the rest."""
    monkeypatch.setattr(run_module, "draw", lambda data, folder: None)


@pytest.fixture
def run(tmp_path: Path, model: Path) -> Run:
    def call(*options: str, model: Path = model, out: str = "out") -> int:
        quick = ["--envs", "2", "--seconds", "0.1"]
        return main(["--model", str(model), "--out", str(tmp_path / out), "--suites", "S5", *quick, *options])

    return call


def _results(tmp_path: Path) -> dict[str, Any]:
    return json.loads((tmp_path / "out" / "results.json").read_text())


def test_a_mixture_and_a_specialist_side_by_side(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    specialist = write_expert(tmp_path / "arm.safetensors", 9)
    assert run("--suites", "S7,S5", "--against", str(specialist), "--randomized", "--delay", "0.02") == 0
    data, table = _results(tmp_path), (tmp_path / "out" / "table.md").read_text()
    assert list(data["results"]["S5"]) == ["moe", "arm", "base alone", "arm alone", "uniform blend"]
    assert len(data["results"]["S7"]) == 5 + 12
    uniform = data["results"]["S7"]["uniform blend"]
    assert uniform["figures"]["reward"] == balanced_reward(
        uniform["parts"], {"walk_only": 0.3, "reach_only": 0.3, "both": 0.4}
    )
    assert data["settings"]["delay"] == 0.02 and data["versions"]["mujoco"] and data["git"]
    for text in ("## S5", "## S7", "| hard split |", "| moe · walk_only | legs | base |", "2 robots, seed 77",
                 "randomised", "commands 20 ms late", "x best single expert", "| uniform blend · both |"):  # fmt: skip
        assert text in table, text
    assert "constant 0.30/0.30 · " not in table or "(constant 0.30/0.30)" in table
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert {"bars.png", "phases.png", "weights.png", "table.md", "results.json"} <= names
    assert "S5  moe: reward" in capsys.readouterr().out


@pytest.mark.usefixtures("no_plots")
def test_goes_on_where_it_stopped(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                  capsys: pytest.CaptureFixture[str]) -> None:  # fmt: skip
    measure, measured = run_module.measure, list[str]()

    def stopped(suite: Any, entry: Any, *rest: Any) -> Any:
        if len(measured) == 2:
            raise KeyboardInterrupt
        measured.append(entry.label)
        return measure(suite, entry, *rest)

    monkeypatch.setattr(run_module, "measure", stopped)
    assert run() == 130
    assert "interrupted; what is done lies in" in capsys.readouterr().err
    assert list(_results(tmp_path)["results"]["S5"]) == measured == ["moe", "base alone"]
    assert (tmp_path / "out" / "table.md").is_file()
    monkeypatch.setattr(run_module, "measure", measure)
    assert run() == 0
    assert "2 of 4 measured earlier" in capsys.readouterr().out
    assert len(_results(tmp_path)["results"]["S5"]) == 4


@pytest.mark.usefixtures("no_plots")
def test_a_model_that_changed_is_measured_again(run: Run, tmp_path: Path, model: Path) -> None:
    path = write_expert(tmp_path / "e.safetensors", 1)
    assert run(model=path) == 0
    before = _results(tmp_path)["results"]["S5"]["e"]["figures"]
    write_expert(path, 2)
    assert run(model=path) == 0
    assert _results(tmp_path)["results"]["S5"]["e"]["figures"] != before


def _refused(run: Run, capsys: pytest.CaptureFixture[str], message: str, *options: str, **kwargs: Any) -> None:
    assert run(*options, **kwargs) == 1
    error = capsys.readouterr().err
    assert error.startswith("training.evaluate: ") and message in error
    assert error.count("\n") == 1 and "Traceback" not in error


@pytest.mark.usefixtures("no_plots")
def test_results_of_other_settings_are_not_mixed(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_expert(tmp_path / "e.safetensors")
    assert run(model=path) == 0
    _refused(run, capsys, "made with other settings (seed 77 instead of 78)", "--seed", "78", model=path)
    assert run("--seed", "78", "--fresh", model=path) == 0
    (tmp_path / "out" / "results.json").write_text("[1]")
    _refused(run, capsys, "does not hold results", model=path)


@pytest.mark.usefixtures("no_plots")
def test_mistakes_are_one_line(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _refused(run, capsys, "unknown suite S9; known: S1, ", "--suites", "S1,S9")
    _refused(run, capsys, "no checkpoint at", model=tmp_path / "none.safetensors")
    (tmp_path / "foreign.safetensors").write_bytes(b"\x80\x04cos\nsystem\n.")
    _refused(run, capsys, "is not a readable safetensors file", model=tmp_path / "foreign.safetensors")
    _refused(run, capsys, "no robot model at", "--plant-model", str(tmp_path / "none.xml"))
    (tmp_path / "bad.xml").write_text("<mujoco><worldbody><body></worldbody></mujoco>")
    _refused(run, capsys, "is not a usable MJCF file", "--plant-model", str(tmp_path / "bad.xml"))
    (tmp_path / "other.xml").write_text("<mujoco><worldbody/></mujoco>")
    _refused(run, capsys, "its joints must be", "--plant-model", str(tmp_path / "other.xml"))
    (tmp_path / "file").write_text("")
    _refused(run, capsys, "cannot write to", out="file/out")


@pytest.mark.usefixtures("no_plots")
def test_another_robot_model(run: Run, tmp_path: Path) -> None:
    (tmp_path / "plant.xml").write_text(build_mjcf(fixed_gripper=True))
    path = write_expert(tmp_path / "e.safetensors")
    assert run("--plant-model", str(tmp_path / "plant.xml"), model=path) == 0
    assert "model " + str(tmp_path / "plant.xml") in (tmp_path / "out" / "table.md").read_text()
