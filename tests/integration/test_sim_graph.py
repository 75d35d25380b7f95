"""The whole graph under `make sim`'s command: bridge, controller and operator as processes, over real ROS."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.processes import HARD_LIMIT, Processes
from tests.support.tiny_policy import write_tiny_policy

pytestmark = pytest.mark.integration

SIM = "moe_controller.sim"
SLOW = ("--speed", "0.5")
"""Real time with room for a loaded machine: what is tested counts in simulation time."""


def start(processes: Processes, out: Path, policy: Path, *options: str) -> subprocess.Popen[str]:
    return processes.start(SIM, "--headless", "--out", str(out), "--model", str(policy), *options)


def summary_of(out: Path) -> dict[str, Any]:
    return json.loads((out / "summary.json").read_text())


def modes(summary: dict[str, Any]) -> list[str]:
    return [event.split()[1].rstrip(":") for event in summary["gate_events"]]


def await_line(process: subprocess.Popen[str], words: str) -> None:
    assert process.stdout is not None
    too_late = threading.Timer(HARD_LIMIT, process.kill)
    too_late.start()
    try:
        for line in process.stdout:
            if words in line:
                return
    finally:
        too_late.cancel()
    _, errors = process.communicate()
    raise AssertionError(f"ended without saying '{words}':\n{errors}")


def test_lockstep_runs_are_alike_to_the_last_bit(processes: Processes, tmp_path: Path, tiny_policy: Path) -> None:
    for name in ("first", "second"):
        process = start(
            processes, tmp_path / name, tiny_policy, "--lockstep", "--scenario", "walk", "--duration", "1.5"
        )
        result = processes.finish(process)
        assert result.returncode == 0, result.stdout + result.stderr
        assert processes.running() == []
    first, second = (np.load(tmp_path / name / "record.npz") for name in ("first", "second"))
    for name in first.files:
        assert np.array_equal(first[name], second[name], equal_nan=first[name].dtype.kind == "f"), name

    summary = summary_of(tmp_path / "first")
    assert summary["success"] and summary["falls"] == 0 and summary["exit_reason"] == "duration reached"
    assert modes(summary) == ["PASSIVE", "STANDING_UP", "HOLD", "ACTIVE", "SITTING", "PASSIVE"]
    assert summary["duration_s"] == pytest.approx(1.5)
    assert summary["model"]["file"] == tiny_policy.name and len(summary["model"]["sha256"]) == 64
    assert summary["policy_rate_hz"] == pytest.approx(50.0, abs=0.5)
    assert summary["simulation_speed"] > 0 and summary["state_to_command_latency_ms"]["p50"] > 0
    assert (tmp_path / "first" / "plot.png").is_file()


@pytest.mark.realtime
def test_killed_controller_leads_to_hold_then_damping(processes: Processes, tmp_path: Path, tiny_policy: Path) -> None:
    process = start(processes, tmp_path, tiny_policy, *SLOW, "--scenario", "walk")
    await_line(process, "| forward")
    os.kill(processes.find("moe_controller.moe_controller_node"), signal.SIGKILL)
    result = processes.finish(process)
    assert result.returncode == 1
    summary = summary_of(tmp_path)
    assert modes(summary)[-2:] == ["HOLD", "DAMPING"]
    hold, damp = (float(event.split()[0]) for event in summary["gate_events"][-2:])
    assert damp - hold == pytest.approx(1.4, abs=0.05), "s of simulation time: command_damp_after - command_hold_after"
    assert "moe_controller was ended by SIGKILL" in summary["exit_reason"]
    assert "the gate left ACTIVE" in summary["exit_reason"]


@pytest.mark.realtime
def test_killed_bridge_ends_the_run(processes: Processes, tmp_path: Path, tiny_policy: Path) -> None:
    process = start(processes, tmp_path, tiny_policy, *SLOW, "--scenario", "reach")
    await_line(process, "| target 1")
    os.kill(processes.find("robot_bridge.bridge_node"), signal.SIGKILL)
    result = processes.finish(process)
    assert result.returncode == 1 and "robot_bridge was ended by SIGKILL" in result.stderr
    assert "no new /joint_states" in summary_of(tmp_path)["exit_reason"]


@pytest.mark.realtime
def test_killed_supervisor_takes_the_graph_with_it(processes: Processes, tmp_path: Path, tiny_policy: Path) -> None:
    process = start(processes, tmp_path, tiny_policy, *SLOW, "--scenario", "none")
    await_line(process, "| ACTIVE")
    process.kill()
    processes.finish(process)
    assert processes.await_none() == []


@pytest.mark.realtime
def test_a_second_graph_is_refused_and_an_interrupt_ends_the_first(
    processes: Processes, tmp_path: Path, tiny_policy: Path
) -> None:
    first = start(processes, tmp_path / "first", tiny_policy, *SLOW, "--scenario", "none")
    await_line(first, "| ACTIVE")
    second = processes.finish(start(processes, tmp_path / "second", tiny_policy, "--scenario", "none"))
    assert second.returncode == 1
    assert "another bridge runs here; stop it or set another ROS_DOMAIN_ID" in second.stderr
    assert first.poll() is None
    first.send_signal(signal.SIGINT)
    result = processes.finish(first)
    assert result.returncode == 130, result.stderr
    assert processes.running() == []
    summary = summary_of(tmp_path / "first")
    assert modes(summary)[-1] == "ACTIVE", "the second one disturbed the first"
    assert summary["exit_reason"] == "interrupted" and not summary["success"]
    assert "Traceback" not in result.stdout + result.stderr


def test_a_bad_policy_is_one_line_and_no_motion(processes: Processes, tmp_path: Path) -> None:
    """What else can be wrong with one: tests/moe_controller/test_policy.py and test_contract.py."""
    policy = tmp_path / "foreign.onnx"
    write_tiny_policy(policy, metadata={"author": "somebody else"})
    result = processes.finish(start(processes, tmp_path / "out", policy, "--scenario", "reach"))
    assert result.returncode == 1
    assert "was not exported by this project" in result.stderr and "Traceback" not in result.stderr
    assert "STANDING_UP" not in (tmp_path / "out" / "log" / "robot_bridge.log").read_text()


def test_mistakes_end_before_anything_starts(processes: Processes, tmp_path: Path) -> None:
    result = processes.run(SIM, "--scenario", "dance", "--out", str(tmp_path / "out"))
    assert result.returncode == 2 and result.stderr.count("\n") == 1
    assert "scenario 'dance' is unknown: choose one of none, reach, walk" in result.stderr
    assert not (tmp_path / "out" / "log").exists()
