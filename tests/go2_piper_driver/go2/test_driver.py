"""The Go2's driver against a link of the test's own: what it sends, and above all when it sends nothing."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

pytest.importorskip("cyclonedds")

from go2_piper_driver.emulation.go2.emulated_go2 import EmulatedGo2
from go2_piper_driver.emulation.physics import Physics
from go2_piper_driver.go2 import driver as driver_module
from go2_piper_driver.go2 import messages
from go2_piper_driver.go2.driver import Go2Driver, Go2Options
from go2_piper_driver.go2.release import ReleaseTimes
from go2_piper_driver.go2.services import TIMEOUT
from robot_bridge.plant import PlantError

ZEROS = np.zeros(12)
TIMES = ReleaseTimes(call=0.02, answer=0.1, lying=0.3, released=0.3)


class DirectLink:
    """The emulated Go2 without a network; every state that is asked for is a step of it."""

    name = "none"

    def __init__(self) -> None:
        self.go2 = EmulatedGo2(Physics(), mode="normal")
        self.written: list[Any] = []
        self.others = 0
        self.advertised = self.closed = False
        self.write_fails = False

    def new_command(self) -> Any:
        return messages.LowCmd_()

    def take_states(self) -> list[tuple[Any, float]]:
        self.go2.step()
        self.go2.physics.step()
        sample = self.go2.state()
        return [] if sample is None else [(messages.LowState_.deserialize(sample), time.monotonic())]

    def advertise(self) -> None:
        self.advertised = True

    def write(self, command: Any) -> bool:
        assert self.advertised
        sample = messages.LowCmd_.deserialize(command.serialize())
        self.written.append(sample)
        self.go2.take_command(sample)
        return not self.write_fails

    def other_writers(self) -> int:
        return self.others

    def call(self, service: str, api_id: int, parameter: str, timeout: float) -> tuple[int, str]:
        if self.go2.faults.services_silent:
            return TIMEOUT, ""
        return self.go2.service.answer(service, api_id, parameter)

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def link(monkeypatch: pytest.MonkeyPatch) -> DirectLink:
    link = DirectLink()
    monkeypatch.setattr(driver_module, "open_link", lambda *_: link)
    return link


@pytest.fixture
def driver(link: DirectLink) -> Iterator[Go2Driver]:
    driver = Go2Driver(Go2Options(connect_time=0.1, writer_time=0.1, writer_check=0.0, times=TIMES))
    yield driver
    driver.close()


def _write(driver: Go2Driver, **changes: np.ndarray) -> None:
    rows = {"position": ZEROS, "velocity": ZEROS, "effort": ZEROS, "kp": ZEROS, "kd": ZEROS} | changes
    driver.write(**rows)


def test_sends_nothing_before_the_motors_are_released(driver: Go2Driver, link: DirectLink) -> None:
    driver.connect()
    _write(driver, kp=np.ones(12))
    driver.damp()
    assert not link.written and not driver.owns_motors
    driver.take_over()
    assert link.go2.service.mode == "" and driver.owns_motors
    driver.damp()
    assert len(link.written) == 1
    assert link.go2.counts["ignored_unreleased"] == link.go2.counts["crc_errors"] == 0


def _silent(link: DirectLink) -> None:
    link.go2.faults.services_silent = True


def _keeps(link: DirectLink) -> None:
    link.go2.faults.release_fails = True


def _second_writer(link: DirectLink) -> None:
    link.others = 1


def _moves(link: DirectLink) -> None:
    from go2_piper_driver.go2.services import SPORT_STAND_UP

    link.go2.service.answer("sport", SPORT_STAND_UP, "")
    for _ in range(1000):
        link.take_states()
    link.go2.service._answers["sport"] = lambda *_: (0, "")  # says yes and stays


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (_silent, "does not tell its mode: no answer in time"),
        (_keeps, "did not release the motors: the mode could not be released"),
        (_second_writer, "1 other program"),
        (_moves, "did not lie down"),
    ],
)
def test_refuses_to_take_over(driver: Go2Driver, link: DirectLink, fault: Any, expected: str) -> None:
    driver.connect()
    fault(link)
    with pytest.raises(PlantError, match=expected) as error:
        driver.take_over()
    assert "\n" not in str(error.value)
    _write(driver, kp=np.ones(12))
    driver.damp()
    driver.close()
    assert not link.written


def test_mode_that_comes_back_silences_the_driver(driver: Go2Driver, link: DirectLink) -> None:
    driver.connect()
    driver.take_over()
    assert driver._mode_watch is not None
    driver._mode_watch.taken_by = "normal"
    with pytest.raises(PlantError, match="mode normal has taken the motors"):
        driver.faults()
    before = len(link.written)
    driver.damp()
    driver.close()
    assert len(link.written) == before


def test_second_writer_while_running_is_a_fault(driver: Go2Driver, link: DirectLink) -> None:
    driver.connect()
    driver.take_over()
    assert driver.faults() == ()
    link.others = 1
    assert driver.faults() == ("1 other writer(s) on rt/lowcmd",)


def test_wrong_checksums_count_as_no_state(driver: Go2Driver, link: DirectLink) -> None:
    link.go2.faults.bad_crc = True
    with pytest.raises(PlantError, match="all with a wrong checksum"):
        driver.connect()
    link.go2.faults.bad_crc = False
    state = driver.read()
    assert state is not None
    link.go2.faults.bad_crc = True
    assert driver.read() is state  # it grows old
    assert driver.counts["crc_failures"] > 1


def test_no_robot_is_told_in_one_line(driver: Go2Driver, link: DirectLink) -> None:
    link.go2.faults.silent = True
    with pytest.raises(PlantError, match="no rt/lowstate on domain 0") as error:
        driver.connect()
    assert "\n" not in str(error.value)


def test_what_is_not_finite_damps(driver: Go2Driver, link: DirectLink) -> None:
    driver.connect()
    driver.take_over()
    _write(driver, kp=np.full(12, 60.0), position=np.full(12, np.nan))
    applied = link.go2.last_drive
    assert not applied.kp.any() and (applied.kd > 0.0).all() and not applied.velocity.any()
    assert driver.counts["refused_commands"] == 1


def test_a_repeated_command_is_the_last_one(driver: Go2Driver, link: DirectLink) -> None:
    driver.connect()
    driver.repeat()
    assert not link.written, "the motors belong to somebody else"
    driver.take_over()
    driver.repeat()
    assert not link.go2.last_drive.kp.any() and link.go2.last_drive.kd.all(), "nothing to repeat: it damps"
    _write(driver, kp=np.full(12, 60.0), position=np.full(12, 0.1))
    driver.repeat()
    assert link.written[-1].data == link.written[-2].data and link.go2.last_drive.kp.all()
    driver.damp()
    driver.repeat()
    assert not link.go2.last_drive.kp.any()


def test_states_between_two_that_are_read_still_count(link: DirectLink) -> None:
    driver = Go2Driver(Go2Options(connect_time=0.1, times=TIMES, state_period=60.0))
    driver.connect()
    first = driver.read()
    link.take_states()
    assert driver.read() is first and first is not None
    assert driver.watch.tick_gaps == 1
    link.go2.faults.bad_crc = True
    driver.read()
    assert driver.counts["crc_failures"] == 1
    driver.close()


def test_close_damps_for_half_a_second_and_leaves(driver: Go2Driver, link: DirectLink) -> None:
    driver.connect()
    driver.take_over()
    _write(driver, kp=np.full(12, 60.0), position=driver.read().position)  # type: ignore[union-attr]
    begun, before = time.monotonic(), len(link.written)
    driver.close()
    assert time.monotonic() - begun >= 0.5
    assert len(link.written) > before + 10 and link.closed
    assert not link.go2.last_drive.kp.any()
    driver.close()


def test_counts_missing_states_and_lost_packets(driver: Go2Driver, link: DirectLink) -> None:
    driver.connect()
    driver.take_over()
    driver.read()
    for _ in range(3):
        link.take_states()
    driver.read()
    assert driver.watch.tick_gaps == 3
    link.go2.faults.lost_rate = 5000.0
    for _ in range(20):
        driver.read()
    assert "lose" in driver.faults()[0]


@pytest.mark.parametrize(
    ("fault", "value", "expected"),
    [("voltage_drop", 15.0, "bus voltage"), ("drain", 400.0, "battery cell")],
)
def test_worn_out_battery_makes_it_sit(
    driver: Go2Driver, link: DirectLink, fault: str, value: float, expected: str
) -> None:
    driver.connect()
    state = driver.read()
    assert state is not None and driver.watch.wear(state) == ()
    link.go2.faults.set(fault, value)
    for _ in range(5):
        state = driver.read()
    wear = driver.watch.wear(state) + driver.watch.warnings(state)  # type: ignore[arg-type]
    assert any(expected in line for line in wear)


def test_failed_writes_are_counted(driver: Go2Driver, link: DirectLink) -> None:
    driver.connect()
    driver.take_over()
    link.write_fails = True
    driver.damp()
    assert driver.diagnostics()["go2_write_failures"] == "1"


@pytest.mark.parametrize(
    ("domain", "interface", "sdk", "expected"),
    [
        (0, "nowhere7", "own", 'interface "nowhere7": no such network interface'),
        (0, "", "own", 'interface "": no such'),
        (300, "lo", "own", "domain 300"),
        (0, "lo", "mine", 'sdk "mine" is unknown'),
    ],
)
def test_mistakes_are_told_in_one_line(domain: int, interface: str, sdk: str, expected: str) -> None:
    with pytest.raises(PlantError) as error:
        Go2Driver(Go2Options(domain=domain, interface=interface, sdk=sdk)).connect()
    assert expected in str(error.value) and "\n" not in str(error.value)
