"""The Go2's driver against the emulated Go2 as another process, over real DDS on this machine."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from go2_piper_description.joints import LEG_SLICE, joint_array

pytest.importorskip("cyclonedds")

from go2_piper_driver.emulation.control import ControlClient
from go2_piper_driver.emulation.emulated_robot import READY
from go2_piper_driver.go2.driver import Go2Driver, Go2Options
from robot_bridge.plant import PlantError

pytestmark = [pytest.mark.integration, pytest.mark.realtime]

HANG = 120.0
DOMAIN = 100 + os.getpid() % 100
STAND, REST, KP, KD = (joint_array(name)[LEG_SLICE] for name in ("stand", "rest", "kp", "kd"))
ZEROS = np.zeros(12)


class Emulation:
    """The emulated robot's process and its control channel; killed at the end."""

    def __init__(self, folder: Path, *options: str) -> None:
        control = folder / "control"
        command = [sys.executable, "-m", "go2_piper_driver.emulation", f"--domain={DOMAIN}", f"--control={control}"]
        self.process = subprocess.Popen([*command, *options], stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None and READY in self.process.stdout.readline()
        self.control = ControlClient(control)

    def go2(self) -> dict[str, Any]:
        return dict(self.control.ask(do="status")["go2"])

    def fault(self, name: str, value: object) -> None:
        self.control.ask(do="fault", name=f"go2.{name}", value=value)

    def end(self) -> None:
        self.control.close()
        self.process.kill()
        self.process.wait()


@pytest.fixture
def emulation(tmp_path: Path) -> Iterator[Emulation]:
    emulation = Emulation(tmp_path)
    yield emulation
    emulation.end()


@pytest.fixture
def driver() -> Iterator[Go2Driver]:
    driver = Go2Driver(Go2Options(domain=DOMAIN, interface="lo", sdk="own", connect_time=20.0, writer_time=15.0))
    yield driver
    driver.close()


def _until(condition: Callable[[], bool], step: Callable[[], None] = lambda: None) -> None:
    give_up = time.monotonic() + HANG
    while not condition():
        assert time.monotonic() < give_up
        step()
        time.sleep(0.002)


def _turn(driver: Go2Driver) -> None:
    driver.read()
    driver.faults()
    driver.damp()


def test_takes_over_stands_up_and_leaves_damping(emulation: Emulation, driver: Go2Driver) -> None:
    driver.connect()
    assert emulation.go2()["counts"].get("commands", 0) == 0
    driver.take_over()
    assert emulation.go2()["mode"] == ""
    begun = time.monotonic()
    share = 0.0

    def step() -> None:
        nonlocal share
        driver.read()
        share = min((time.monotonic() - begun) / 2.0, 1.0)
        driver.write(REST + share * (STAND - REST), ZEROS, ZEROS, KP, KD)

    _until(lambda: share == 1.0 and emulation.control.ask(do="status")["base_position"][2] > 0.22, step)
    assert driver.faults() == ()
    driver.close()
    status = emulation.go2()
    assert status["max_kp"] == 0.0 and status["min_kd"] > 0.0
    counts = status["counts"]
    assert not [name for name in counts if name.startswith("limit")]
    assert counts.get("crc_errors", 0) == counts.get("ignored_unreleased", 0) == 0


def test_second_writer_is_seen_and_keeps_the_next_driver_out(emulation: Emulation, driver: Go2Driver) -> None:
    driver.connect()
    driver.take_over()
    emulation.fault("second_writer", True)
    _until(lambda: "1 other writer" in "".join(driver.faults()), lambda: _turn(driver))
    emulation.fault("second_writer", False)
    _until(lambda: driver.faults() == (), lambda: _turn(driver))


def test_refuses_beside_another_writer(emulation: Emulation) -> None:
    emulation.fault("second_writer", True)
    driver = Go2Driver(Go2Options(domain=DOMAIN, interface="lo", sdk="own", connect_time=20.0, writer_time=1.0))
    driver.connect()
    _until(lambda: driver._link.other_writers() == 1)  # type: ignore[union-attr]
    with pytest.raises(PlantError, match="1 other program"):
        driver.take_over()
    driver.close()
    assert emulation.go2()["mode"] == "normal"
    assert emulation.go2()["counts"].get("commands", 0) == 0


def test_no_answer_of_the_service_leaves_the_motors_alone(emulation: Emulation, driver: Go2Driver) -> None:
    emulation.fault("services_silent", True)
    driver.connect()
    with pytest.raises(PlantError, match="does not tell its mode"):
        driver.take_over()
    driver.close()
    assert emulation.go2()["counts"].get("commands", 0) == 0


def test_a_mode_that_returns_silences_the_driver(emulation: Emulation, driver: Go2Driver) -> None:
    driver.connect()
    driver.take_over()
    emulation.fault("mode_returns", True)
    with pytest.raises(PlantError, match="mode normal has taken the motors"):
        _until(lambda: False, lambda: _turn(driver))
    assert not driver.owns_motors


def test_empty_network_is_told_in_one_line() -> None:
    driver = Go2Driver(Go2Options(domain=DOMAIN + 1, interface="lo", sdk="own", connect_time=0.5))
    with pytest.raises(PlantError, match="no rt/lowstate") as error:
        driver.connect()
    driver.close()
    assert "\n" not in str(error.value)
