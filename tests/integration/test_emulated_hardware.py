"""Drivers, plant host, gate and emulated dog and arm together, over DDS and CAN, without ROS and policy."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("cyclonedds")
pytest.importorskip("can")

from benchmarks.fault_campaign.rig import Rig

pytestmark = [pytest.mark.integration, pytest.mark.realtime]

PATIENCE = 60.0
"""s; says nothing about speed."""


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    # time-outs for a machine with other work: what is tested is that they lead to safety, not how fast
    rig = Rig(tmp_path_factory.mktemp("rig"), 100 + os.getpid() % 100, patience=6.0)
    yield rig
    rig.close()


def _damped(rig: Rig) -> bool:
    return bool(rig.go2()["max_kp"] == 0.0)


def test_a_host_that_dies_with_motors_that_hold_is_replaced_by_one_that_damps(tmp_path: Path) -> None:
    # before the other rig begins: two cores carry one robot
    rig = Rig(tmp_path, 100 + (os.getpid() + 1) % 100, loss="hold", patience=6.0)
    try:
        rig.bring_to("HOLD")
        rig.kill("host")
        assert rig.until(lambda: _damped(rig), PATIENCE) is not None
        assert rig.broken_limits() == []
    finally:
        rig.close()


def test_stands_up_activates_and_lies_down_again_inside_all_limits(rig: Rig) -> None:
    rig.bring_to("ACTIVE")
    status = rig.robot.ask(do="status")
    assert status["base_position"][2] > 0.25
    assert status["piper"]["enabled"]
    assert status["arm_position"][1] > 1.0  # joint 2 has left its rest at 0 for the stand pose
    assert rig.until(lambda: rig.gate(do="request", name="sit")["mode"] == "SITTING", PATIENCE) is not None
    assert rig.until(lambda: rig.mode() == "PASSIVE", PATIENCE) is not None
    assert rig.until(lambda: _damped(rig), PATIENCE) is not None
    assert abs(rig.robot.ask(do="status")["arm_position"][1]) < 0.2
    assert rig.broken_limits() == []
    assert rig.robot.ask(do="status")["piper"]["power_cuts"] == []


@pytest.mark.parametrize("process", ["bridge", "host"])
def test_a_killed_process_leaves_a_damped_robot(rig: Rig, process: str) -> None:
    rig.bring_to("HOLD")
    assert not _damped(rig)
    rig.kill(process)
    assert rig.until(lambda: _damped(rig), PATIENCE) is not None
    status = rig.robot.ask(do="status")
    assert status["piper"]["enabled"]  # the arm holds, it does not fall
    assert rig.broken_limits() == []


def test_losing_the_arm_makes_the_dog_sit_down(rig: Rig) -> None:
    rig.bring_to("HOLD")
    rig.fault("piper.silent", True)
    assert rig.until(lambda: rig.mode() == "SITTING", PATIENCE) is not None
    assert rig.until(lambda: rig.mode() == "PASSIVE" and _damped(rig), PATIENCE) is not None
    assert rig.broken_limits() == []
