"""What the shipped policy must do, through the whole ROS graph in lockstep, with fixed seeds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from moe_controller.shipped import shipped_model

from tests.support.processes import Processes

pytestmark = pytest.mark.integration

SEED = 1
whole = pytest.mark.parametrize(
    "whole", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["beginning", "whole"]
)
"""The beginning of each scenario, or all of it by `make test ARGS="-m slow"`."""


def play(processes: Processes, out: Path, scenario: str, duration: float | None) -> dict[str, Any]:
    cut = [] if duration is None else ["--duration", str(duration)]
    result = processes.run(
        "moe_controller.sim", "--headless", "--lockstep", "--scenario", scenario, "--seed", str(SEED),
        "--out", str(out), *cut,
    )  # fmt: skip
    assert (out / "summary.json").is_file(), result.stdout + result.stderr
    summary = json.loads((out / "summary.json").read_text())
    assert result.returncode == 0, summary
    assert summary["success"] and summary["falls"] == 0
    return summary


@pytest.fixture(autouse=True)
def needs_the_policy() -> None:
    if not Path(shipped_model()).is_file():
        pytest.skip("models/ has no policy yet")


@whole
def test_reaches_targets_within_4_cm(processes: Processes, tmp_path: Path, whole: bool) -> None:
    summary = play(processes, tmp_path, "reach", None if whole else 16.0)
    assert summary["ee_targets"]["scored"] == (20 if whole else 4)
    assert summary["settled_median_ee_error_m"] <= 0.04


@whole
def test_follows_velocity_commands_within_15_cm_per_s(processes: Processes, tmp_path: Path, whole: bool) -> None:
    summary = play(processes, tmp_path, "walk", None if whole else 10.0)
    assert summary["rms_velocity_error"]["linear_m_s"] <= 0.15


@whole
def test_walks_to_far_targets_and_reaches_them(processes: Processes, tmp_path: Path, whole: bool) -> None:
    summary = play(processes, tmp_path, "walk-and-reach", None if whole else 20.0)
    targets = summary["ee_targets"]
    assert targets["scored"] == 6 if whole else targets["scored"] >= 2
    assert summary["settled_median_ee_error_m"] <= 0.05
