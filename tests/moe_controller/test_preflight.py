"""`make real --check` finds what is there and what is not, and moves nothing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

pytest.importorskip("cyclonedds")
pytest.importorskip("can")

from go2_piper_driver.emulation.control import ControlClient
from moe_controller import real

from tests.support.processes import Processes

pytestmark = pytest.mark.integration

DOMAIN = 100 + os.getpid() % 100


def test_a_robot_that_is_well_passes_untouched(
    processes: Processes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ROS_DOMAIN_ID", "0")
    place = [f"--domain={DOMAIN}", f"--can=check{DOMAIN}"]
    processes.start("go2_piper_driver.emulation", *place, f"--control={tmp_path / 'control'}")
    robot = ControlClient(tmp_path / "control", patience=60.0)
    real.main(["--emulate", "--check", *place])
    table = capsys.readouterr().out
    for finding in ("those of the robot", "mode normal", "S-V1.8-2", "fits the robot"):
        assert finding in table
    status = robot.ask(do="status")
    assert status["go2"]["mode"] == "normal" and status["go2"]["counts"].get("commands", 0) == 0
    assert not status["piper"]["enabled"]
    robot.close()


def test_an_absent_robot_fails_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ROS_DOMAIN_ID", "0")
    assert real.main(["--interface", "nowhere7", "--can", "nowhere7", "--check"]) == 1
    table = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert table.count("FAIL") == 2
    assert 'interface "nowhere7": no such network interface' in table and 'no CAN device "nowhere7"' in table
