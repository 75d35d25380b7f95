"""The supervisor over fake nodes: order, ends, signals, nothing left."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from moe_controller.graph.description import Node
from moe_controller.graph.supervisor import child_environment, node_command
from moe_controller.graph.transport import loopback

from tests.support.processes import Processes

FOREVER = 600.0


def fake(name: str, *, required: bool = False, console: bool = False, ready: str = "", **parameters: Any) -> dict:
    return {"name": name, "required": required, "console": console, "ready": ready, "parameters": parameters}


def start(processes: Processes, folder: Path, *nodes: dict) -> subprocess.Popen[str]:
    return processes.start("tests.support.supervise", str(folder), json.dumps(nodes))


def run(processes: Processes, folder: Path, *nodes: dict) -> subprocess.CompletedProcess[str]:
    return processes.finish(start(processes, folder, *nodes))


def await_log(folder: Path, name: str, words: str) -> None:
    log = folder / "log" / f"{name}.log"
    deadline = time.monotonic() + 60.0
    while not (log.is_file() and words in log.read_text()):
        assert time.monotonic() < deadline, f"{name} did not say '{words}'"
        time.sleep(0.02)


def test_end_of_the_operator_is_the_end_of_the_run(processes: Processes, tmp_path: Path) -> None:
    operator = fake("operator", required=True, console=True, after=0.1, says="the summary")
    result = run(processes, tmp_path, fake("bridge", required=True, ready="hello"), operator)
    assert result.returncode == 0 and "the summary" in result.stdout
    assert "hello" in (tmp_path / "log" / "bridge.log").read_text()
    assert processes.running() == []


def test_status_of_the_operator_is_the_status_of_the_run(processes: Processes, tmp_path: Path) -> None:
    operator = fake("operator", required=True, console=True, after=0.1, status=1)
    result = run(processes, tmp_path, fake("bridge", required=True), operator)
    assert result.returncode == 1 and "None" in result.stdout


def test_a_required_node_that_ends_is_a_failure_with_its_words(processes: Processes, tmp_path: Path) -> None:
    bridge = fake("bridge", required=True, after=0.2, status=1, errs="bridge: the domain is taken")
    result = run(processes, tmp_path, bridge, fake("operator", required=True, console=True))
    assert result.returncode == 1
    assert "[bridge] bridge: the domain is taken" in result.stderr
    assert "bridge ended with exit status 1" in result.stderr


def test_a_node_that_is_not_required_may_end(processes: Processes, tmp_path: Path) -> None:
    operator = fake("operator", required=True, console=True, after=0.5)
    result = run(processes, tmp_path, fake("viewer", after=0.0, status=3), operator)
    assert result.returncode == 0


def test_information_stays_in_the_log(processes: Processes, tmp_path: Path) -> None:
    operator = fake("operator", required=True, console=True, after=0.3)
    bridge = fake("bridge", ready="started", errs="[INFO] [1.0] [bridge]: started")
    result = run(processes, tmp_path, bridge, operator)
    assert "started" not in result.stderr and "started" in (tmp_path / "log" / "bridge.log").read_text()


def test_nodes_wait_for_the_one_before_them(processes: Processes, tmp_path: Path) -> None:
    bridge = fake("bridge", required=True, ready="started", says="refused", after=0.5, status=1)
    result = run(processes, tmp_path, bridge, fake("controller", required=True))
    assert result.returncode == 1
    assert not (tmp_path / "log" / "controller.log").exists(), "was started beside a bridge that refused"


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals_end_all(processes: Processes, tmp_path: Path, number: signal.Signals, status: int) -> None:
    process = start(processes, tmp_path, fake("bridge", required=True, ready="hello"), fake("controller"))
    await_log(tmp_path, "controller", "hello")
    process.send_signal(number)
    assert processes.finish(process).returncode == status
    assert processes.running() == []


def test_a_stubborn_node_is_killed(processes: Processes, tmp_path: Path) -> None:
    process = start(processes, tmp_path, fake("stubborn", required=True, stubborn=True))
    await_log(tmp_path, "stubborn", "hello")
    process.send_signal(signal.SIGINT)
    assert processes.finish(process).returncode == 130
    assert processes.running() == []


def test_nodes_die_with_a_killed_supervisor(processes: Processes, tmp_path: Path) -> None:
    process = start(processes, tmp_path, fake("stubborn", stubborn=True))
    await_log(tmp_path, "stubborn", "hello")
    process.kill()
    processes.finish(process)
    assert processes.await_none() == []


def test_a_killed_node_leaves_the_operator_time_to_see_it(processes: Processes, tmp_path: Path) -> None:
    operator = fake("operator", required=True, console=True, after=3.0, status=1, says="operator is here")
    controller = fake("controller", required=True, stubborn=True)
    process = start(processes, tmp_path, controller, operator)
    await_log(tmp_path, "controller", "hello")
    os.kill(processes.find("controller.yaml"), signal.SIGKILL)
    result = processes.finish(process)
    assert result.returncode == 1 and "controller was ended by SIGKILL" in result.stdout


def test_command_carries_parameters_remaps_and_namespace(tmp_path: Path) -> None:
    node = Node(
        "bridge", "robot_bridge", "bridge_node", "robot_bridge.bridge_node", {"rate": 200.0, "model": "1e3"},
        remaps={"joint_states": "states"}, namespace="robot",
    )  # fmt: skip
    command = node_command(node, tmp_path / "bridge.yaml")
    assert command[:3] == [sys.executable, "-m", "robot_bridge.bridge_node"]
    assert command[-6:] == ["-r", "__node:=bridge", "-r", "__ns:=/robot", "-r", "joint_states:=states"]
    values = yaml.safe_load((tmp_path / "bridge.yaml").read_text())["/**"]["ros__parameters"]
    assert values == {"rate": 200.0, "model": "1e3"}  # text stays text


def test_environment_has_defaults_but_keeps_what_is_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ROS_DOMAIN_ID", "42")
    for name in loopback({}):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("AMENT_PREFIX_PATH", raising=False)
    environment = child_environment(tmp_path)
    assert environment["ROS_DOMAIN_ID"] == "42" and environment["ROS_LOG_DIR"] == str(tmp_path)
    assert environment.items() >= loopback({}).items()
    assert environment["AMENT_PREFIX_PATH"] == sys.prefix


def test_launch_only_nodes_are_left_out(processes: Processes, tmp_path: Path) -> None:
    operator = fake("operator", required=True, console=True, after=0.1)
    result = run(processes, tmp_path, {"name": "rviz2", "launch_only": True}, operator)
    assert result.returncode == 0 and not (tmp_path / "log" / "rviz2.log").exists()
