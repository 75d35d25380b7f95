"""The graph of the real robot on emulated hardware: ROS, policy, gate, plant host, drivers, DDS, CAN; in real time."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import pytest

pytest.importorskip("rclpy")
pytest.importorskip("cyclonedds")
pytest.importorskip("can")

from go2_piper_driver.emulation.emulated_robot import LIMITS

from tests.support.processes import HARD_LIMIT, Processes

pytestmark = [pytest.mark.integration, pytest.mark.realtime]

DOMAIN = 100 + os.getpid() % 100


def test_the_policy_gets_the_emulated_robot_up_and_back_to_rest(processes: Processes, tmp_path: Path) -> None:
    result = processes.run(
        "tests.support.real_patiently", str(tmp_path), f"domain={DOMAIN}", f"can=graph{DOMAIN}", "sdk=own",
        "scenario=reach", "duration=4",
    )  # fmt: skip
    assert (tmp_path / "summary.json").is_file(), result.stdout + result.stderr
    summary = json.loads((tmp_path / "summary.json").read_text())
    modes = [event.split()[1].rstrip(":") for event in summary["gate_events"]]
    assert modes[-5:] == ["STANDING_UP", "HOLD", "ACTIVE", "SITTING", "PASSIVE"], summary["gate_events"]
    assert result.returncode == 0, result.stdout + result.stderr
    log = (tmp_path / "log" / "emulation.log").read_text()
    assert log.strip().splitlines()[-1] == f"{LIMITS}none"
    assert processes.await_none() == []


def test_nothing_moves_without_a_person_and_ctrl_c_ends_all(processes: Processes, tmp_path: Path) -> None:
    process = processes.start(
        "tests.support.real_patiently", str(tmp_path), f"domain={DOMAIN}", f"can=graph{DOMAIN}", "sdk=own"
    )
    bridge, controller = (tmp_path / "log" / f"{name}.log" for name in ("robot_bridge", "moe_controller"))
    give_up = time.monotonic() + HARD_LIMIT
    while not (controller.is_file() and "robot connected" in bridge.read_text()):
        assert process.poll() is None and time.monotonic() < give_up, bridge.read_text() if bridge.is_file() else ""
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    processes.finish(process)
    assert "STANDING_UP" not in bridge.read_text()
    assert processes.await_none() == []
