"""The tool without ROS: what it leaves, what it prints, and what it says of options that cannot work."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cem_planner import run_policy_aot, standalone, watching
from cem_planner.settings import PlannerSettings
from cem_planner.standing_plant import StandingPlant
from robot_bridge.types import RobotState
from sim_bridge.gl import RenderError

pytest.importorskip("jax")

SMALL = ["--num_samples", "16", "--num_elites", "4", "--headless", "--model_path", "none"]


def refused(capsys: pytest.CaptureFixture[str], *options: str) -> str:
    """Return the one line that a start is refused with."""
    assert run_policy_aot.main([*options]) == 2
    said = capsys.readouterr().err.strip()
    assert len(said.splitlines()) == 1 and said.startswith("run_policy_aot: ")
    return said


def test_a_run_prints_its_cycles_and_leaves_a_summary_and_a_film(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(standalone, "GOAL_TIME", 0.6)
    folder = tmp_path / "compiled"
    options = [*SMALL, "--precompiled_dir", str(folder), "--out", str(tmp_path / "out"), "--seed", "3"]
    assert run_policy_aot.main([*options, "--duration", "0.7", "--show_reference"]) == 0
    said = capsys.readouterr()
    assert said.out.count("\ncycle ") == 35 and "NN " in said.out and "control (18,)" in said.out
    summary = json.loads((tmp_path / "out/summary.json").read_text())
    assert (summary["rung"], summary["plans"], summary["faults"], summary["falls"]) == ("jit", 35, 0, 0)
    assert summary["samples_used_mean"] == summary["num_samples"] == 16
    assert summary["goals"] == 1 and 0.0 < summary["settled_ee_error_mm"]["median"] < 1000.0
    for key in ("frequency_achieved", "plan_ms_p50", "plan_ms_p95", "plan_ms_p99", "misses", "rung_s", "start_s"):
        assert summary[key] >= 0.0
    assert "no film" in said.err or (tmp_path / "out/video.mp4").stat().st_size > 1000

    # the second start loads what the first compiled; where the child that tries executables was too slow, the export
    assert run_policy_aot.main([*options, "--duration", "0.04"]) == 0
    rung = json.loads((tmp_path / "out/summary.json").read_text())["rung"]
    assert rung in ("executable", "export") and f"start: rung {rung} in" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--num_elites", "600"], "planner.num_elites is 600: there are only 500 samples"),
        (["--plan_horizon", "0"], "planner.plan_horizon is 0.0: it must be above 0"),
        (["--plan_horizon", "0.51"], "it must be a whole number of time_step"),
        (["--num_knots", "0"], "planner.num_knots is 0"),
        (["--num_knots", "30"], "takes no more than 25"),
        (["--frequency", "nan"], "planner.frequency"),
        (["--frequency", "1"], "at least 2 Hz"),
        (["--duration", "-1"], "duration is -1 s"),
        (["--duration", "inf"], "duration is inf s"),
        (["--model_path", "/nowhere/policy.onnx"], "policy /nowhere/policy.onnx"),
        (["--show_reference"], "--out DIR"),
        (["--out", "/proc/nowhere"], "cannot write to /proc/nowhere"),
    ],
)
def test_options_that_cannot_work(capsys: pytest.CaptureFixture[str], options: list[str], says: str) -> None:
    assert says in refused(capsys, "--headless", *options)


def test_a_foreign_file_is_no_policy(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "model.ckpt"
    path.write_bytes(b"\x80\x04not a policy")
    assert str(path) in refused(capsys, "--headless", "--model_path", str(path))


def test_a_state_that_is_no_number_ends_the_run_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    read = StandingPlant.read

    def broken(plant: StandingPlant) -> RobotState | None:
        state = read(plant)
        return state if state is None or plant.time < 0.1 else replace(state, position=np.full(18, np.nan))

    monkeypatch.setattr(StandingPlant, "read", broken)
    options = [*SMALL, "--precompiled_dir", str(tmp_path), "--out", str(tmp_path), "--duration", "1"]
    assert run_policy_aot.main(options) == 1
    assert capsys.readouterr().err.strip().splitlines()[-1] == "run_policy_aot: the state's position is not finite"
    assert json.loads((tmp_path / "summary.json").read_text())["plans"] == 5


def test_a_film_that_cannot_be_rendered_is_no_reason_to_fail(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> int:
        raise RenderError("no OpenGL here")

    monkeypatch.setattr(watching, "render_video", fail)
    options = [*SMALL, "--precompiled_dir", str(tmp_path), "--out", str(tmp_path), "--duration", "0.06"]
    assert run_policy_aot.main([*options, "--show_reference"]) == 0
    assert "no film: no OpenGL here" in capsys.readouterr().err


def test_the_defaults_are_the_planner_s() -> None:
    given, settings = run_policy_aot.parser().parse_args([]), PlannerSettings()
    for name in ("frequency", "num_samples", "num_elites", "plan_horizon", "num_knots", "iterations", "seed"):
        assert getattr(given, name) == getattr(settings, name)
