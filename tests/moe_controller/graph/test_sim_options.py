"""Options of `make sim`: mistakes are one line and exit status 2, before anything starts."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest
from moe_controller import sim
from moe_controller.graph.description import sim_graph
from moe_controller.graph.supervisor import Outcome


def options(*arguments: str) -> argparse.Namespace:
    return sim.build_parser().parse_args(arguments)


@pytest.fixture(autouse=True)
def in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.setenv("ROS_DOMAIN_ID", "0")


def test_default_is_walk_and_reach_in_real_time() -> None:
    values = sim.graph_arguments(options())
    assert values["scenario"] == "walk-and-reach" and values["lockstep"] == "false"
    assert Path(values["out"]).parent.name == "runs"
    sim_graph(values)


def test_a_display_brings_the_viewer(monkeypatch: pytest.MonkeyPatch) -> None:
    assert sim.graph_arguments(options())["headless"] == "true"
    monkeypatch.setenv("DISPLAY", ":0")
    assert sim.graph_arguments(options())["headless"] == "false"
    assert sim.graph_arguments(options("--headless"))["headless"] == "true"


def test_paths_become_absolute(tmp_path: Path) -> None:
    (tmp_path / "policy.onnx").touch()
    assert sim.graph_arguments(options("--model", "policy.onnx"))["model"] == str(tmp_path / "policy.onnx")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--scenario", "dance"], "scenario 'dance' is unknown"),
        (["--controller", "pid"], "controller 'pid' is unknown: choose one of moe, cem, hybrid"),
        (["--model", "no.onnx"], "--model no.onnx: no such file"),
        (["--plant-model", "no.xml"], "--plant-model no.xml: no such file"),
        (["--duration", "soon"], "duration 'soon' is not a number"),
        (["--out", "file/run"], "file/run: cannot make this folder"),
    ],
)
def test_mistakes_are_one_line_and_status_2(
    arguments: list[str], words: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    assert sim.main(arguments) == 2
    error = capfd.readouterr().err
    assert words in error and error.count("\n") == 1
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("domain", ["x", "-1", "233", ""])
def test_bad_domain_is_refused(domain: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("ROS_DOMAIN_ID", domain)
    assert sim.main([]) == 2
    assert "is not a number from 0 to 232" in capfd.readouterr().err


def test_unknown_options_are_refused() -> None:
    with pytest.raises(SystemExit) as ended:
        sim.main(["--fly"])
    assert ended.value.code == 2


def test_an_old_summary_does_not_pass_for_a_new_one(tmp_path: Path) -> None:
    (tmp_path / sim.SUMMARY_FILE).write_text("{}")
    sim.prepare(tmp_path)
    assert not (tmp_path / sim.SUMMARY_FILE).exists()


def test_a_node_that_ended_by_itself_is_named_in_the_summary(tmp_path: Path) -> None:
    path = tmp_path / sim.SUMMARY_FILE
    path.write_text(json.dumps({"success": False, "exit_reason": "interrupted"}))
    sim._note_failure(tmp_path, Outcome(1, "robot_bridge was ended by SIGKILL"))
    assert json.loads(path.read_text())["exit_reason"] == "robot_bridge was ended by SIGKILL"
