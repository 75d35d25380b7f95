"""The driver through unmodified piper_sdk against the emulated arm."""

from __future__ import annotations

import math
import threading
import time
from dataclasses import replace

import numpy as np
import pytest
from go2_piper_driver.arm_types import ArmTargets
from go2_piper_driver.emulation.can.loopcan import LoopcanEnd
from go2_piper_driver.piper import frames
from go2_piper_driver.piper.arm import PiperArm, PiperOptions
from go2_piper_driver.piper.follower import Mode
from robot_bridge.plant import PlantError

from .conftest import Bench, until

pytestmark = [pytest.mark.integration, pytest.mark.realtime]

GOAL = np.array([0.3, 0.6, -0.5, 0.2, -0.3, 0.4])
BEYOND = np.array([9.0, 9.0, 9.0, 9.0, 9.0, 9.0])


def one_line(error: pytest.ExceptionInfo[PlantError]) -> str:
    text = str(error.value)
    assert "\n" not in text and text.startswith("arm: ")
    return text


# --- start ------------------------------------------------------------------------------------------------------------


def test_start_measures_and_moves_nothing(bench: Bench) -> None:
    bench.arm.start()
    state = bench.state()
    assert not state.enabled and state.faults == ()
    np.testing.assert_allclose(state.position, bench.position, atol=1e-4)
    assert bench.arm.firmware is not None and bench.arm.firmware.text == "S-V1.8-2"
    assert bench.arm.limits is not None
    assert bench.arm.limits.lower == pytest.approx((-2.6179, 0.0, -2.967, -1.745, -1.22, -1.745), abs=2e-3)
    assert bench.arm.limits.upper == pytest.approx((2.6179, 3.14, 0.0, 1.745, 1.22, 1.745), abs=2e-3)
    bench.arm.stop()
    bench.arm.stop()
    sent = bench.emulated.arm.log.counts
    assert set(sent) <= {frames.FIRMWARE, frames.LIMITS_QUERY}, "only questions"
    assert not bench.emulated.arm.enabled


def test_no_arm_on_the_bus(bench: Bench) -> None:
    bench.emulated.arm.faults.silent = True
    with pytest.raises(PlantError) as error:
        bench.arm.start()
    assert "is the arm powered, is its cable in, and does the bus run at 1000000 bit/s" in one_line(error)


def test_wrong_bit_rate(bench: Bench) -> None:
    arm = bench.driver(bitrate=500_000)
    with pytest.raises(PlantError) as error:
        arm.start()
    assert "does the bus run at 1000000 bit/s" in one_line(error)


def test_channel_is_down(bench: Bench) -> None:
    bench.emulated.arm.faults.bus_down = True
    time.sleep(0.05)
    with pytest.raises(PlantError) as error:
        bench.arm.start()
    assert "no frame on" in one_line(error)


def test_unknown_backend() -> None:
    with pytest.raises(PlantError) as error:
        PiperArm(PiperOptions(channel="x", interface="nosuch")).start()
    assert "cannot open CAN channel x (nosuch)" in one_line(error)


def test_no_such_device() -> None:
    with pytest.raises(PlantError) as error:
        PiperArm(PiperOptions(channel="can77")).start()
    assert 'no CAN device "can77"' in one_line(error) and "sudo ip link set can77 up type can" in str(error.value)


def test_unpowered_arm(bench: Bench) -> None:
    bench.emulated.arm.faults.unpowered = True
    with pytest.raises(PlantError) as error:
        bench.arm.start()
    assert "not powered" in one_line(error)


@pytest.mark.parametrize("firmware", ["S-V9.9-9", "S-V1.4-1", "no version", ""])
def test_unknown_firmware(bench: Bench, firmware: str) -> None:
    bench.emulated.arm.faults.firmware = firmware
    with pytest.raises(PlantError) as error:
        bench.arm.start()
    assert "firmware" in one_line(error)
    assert frames.MOTOR_ENABLE not in bench.emulated.arm.log.counts


def test_mit_is_refused_where_its_torques_are_unknown(bench: Bench) -> None:
    bench.emulated.arm.faults.firmware = "S-V1.8-10"
    with pytest.raises(PlantError) as error:
        bench.driver(mit=True).start()
    assert "no MIT mode with firmware S-V1.8-10" in one_line(error)


def test_missing_sdk(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    from importlib.metadata import PackageNotFoundError

    def missing(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr("go2_piper_driver.piper.sdk.version", missing)
    with pytest.raises(PlantError) as error:
        bench.arm.start()
    assert "piper_sdk is not installed" in one_line(error) and "pip install" in str(error.value)


def test_other_sdk_version(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("go2_piper_driver.piper.sdk.version", lambda _: "0.7.0a1")
    with pytest.raises(PlantError) as error:
        bench.arm.start()
    assert "0.7.0a1 is not the version" in one_line(error)


def test_second_driver(bench: Bench) -> None:
    bench.arm.start()
    with pytest.raises(PlantError) as error:
        bench.driver().start()
    assert "taken" in one_line(error)
    assert bench.state().faults == ()


def test_another_program_commands_the_arm(bench: Bench) -> None:
    bench.emulated.arm.faults.rival = True
    with pytest.raises(PlantError) as error:
        bench.arm.start()
    assert "another program commands the arm" in one_line(error)


def test_bad_options() -> None:
    with pytest.raises(ValueError, match="speed_percent is 0"):
        PiperOptions(speed_percent=0)
    with pytest.raises(ValueError, match="gripper_effort"):
        PiperOptions(gripper_effort=9.0)


# --- motion -----------------------------------------------------------------------------------------------------------


def test_it_follows_and_holds_with_power_when_stopped(bench: Bench) -> None:
    bench.arm.start()
    bench.follow(GOAL)
    bench.follow_until(lambda: float(np.abs(bench.position - GOAL).max()) < 0.12, GOAL)
    state = bench.state()
    assert state.enabled
    bench.arm.stop()
    time.sleep(0.3)
    assert bench.emulated.arm.enabled and bench.emulated.arm.log.power_cuts == []
    assert float(np.abs(bench.position - GOAL).max()) < 0.3


def test_targets_beyond_the_limits_are_clamped(bench: Bench) -> None:
    bench.arm.start()
    bench.follow(BEYOND)
    assert bench.arm.limits is not None
    upper = np.array(bench.arm.limits.upper)
    bench.follow_until(lambda: bool(np.all(bench.emulated.arm.target > upper - 0.5)), BEYOND)
    bench.follow_until(lambda: float(np.abs(bench.emulated.arm.target[3:] - upper[3:]).max()) < 1e-4, BEYOND)
    assert bench.emulated.arm.log.violations == []


def test_targets_without_gain_give_no_power(bench: Bench) -> None:
    bench.arm.start()
    for _ in range(40):
        bench.write(GOAL, kp=0.0)
        time.sleep(0.005)
    assert not bench.emulated.arm.enabled


def test_gain_without_release_gives_no_power(bench: Bench) -> None:
    bench.arm.start()
    for _ in range(40):
        bench.write(GOAL)
        time.sleep(0.005)
    assert not bench.emulated.arm.enabled


def test_silence_of_the_controller_holds_the_arm(bench: Bench) -> None:
    bench.arm.start()
    bench.follow(GOAL)
    bench.follow_until(lambda: bench.position[1] > 0.1, GOAL)
    time.sleep(0.3)
    first = bench.emulated.arm.target
    time.sleep(0.3)
    np.testing.assert_array_equal(bench.emulated.arm.target, first)
    assert float(np.abs(first - GOAL).max()) > 0.05, "it stopped on its way"


@pytest.mark.parametrize("field", ["position", "velocity", "effort", "kp", "kd"])
def test_targets_that_are_not_finite_are_refused(bench: Bench, field: str) -> None:
    bench.arm.start()
    zeros = np.zeros(6)
    good = ArmTargets(zeros, zeros, zeros, zeros, zeros)
    with pytest.raises(PlantError, match=f"{field} of piper_joint3 is not finite"):
        bench.arm.write(replace(good, **{field: np.array([0.0, 0.0, math.nan, 0.0, 0.0, 0.0])}))  # type: ignore[arg-type]
    with pytest.raises(PlantError, match=f"{field} has shape"):
        bench.arm.write(replace(good, **{field: np.zeros(5)}))  # type: ignore[arg-type]


def test_the_gripper_moves_and_stays_inside_its_stroke(bench: Bench) -> None:
    bench.arm.start()
    bench.follow(0.0)
    bench.follow_until(lambda: bench.emulated.dynamics.gripper > 0.034, 0.0, gripper=5.0)
    state = bench.state()
    assert state.gripper_position <= 0.0351


def test_a_gripper_that_is_not_homed_is_left_alone(bench: Bench) -> None:
    bench.emulated.arm.faults.gripper_not_homed = True
    bench.arm.start()
    bench.follow(0.0)
    for _ in range(100):
        bench.write(0.0, gripper=0.02)
        time.sleep(0.005)
    assert frames.GRIPPER_COMMAND not in bench.emulated.arm.log.counts
    state = bench.state()
    assert any("not homed" in text for text in state.warnings)


def test_mit_mode_moves_the_arm_within_limits(bench: Bench) -> None:
    bench.arm = bench.driver(mit=True)
    bench.arm.start()
    bench.follow(GOAL)
    bench.follow_until(lambda: float(np.abs(bench.position - GOAL).max()) < 0.2, GOAL, kp=40.0)
    assert frames.MIT_COMMAND[0] in bench.emulated.arm.log.counts
    bench.arm.stop()
    time.sleep(0.3)
    assert bench.emulated.arm.enabled
    assert float(np.abs(bench.position - GOAL).max()) < 0.4, "it holds in position mode"


# --- power off --------------------------------------------------------------------------------------------------------


def test_power_is_cut_only_when_parked_and_told_to(bench: Bench) -> None:
    bench.arm.start()
    bench.follow(GOAL)
    bench.follow_until(lambda: bench.position[1] > 0.4, GOAL)
    with pytest.raises(PlantError, match="it would fall"):
        bench.arm.power_off()
    assert bench.emulated.arm.enabled
    bench.follow_until(lambda: float(np.abs(bench.position).max()) < 0.05, 0.0)

    def still() -> bool:
        return float(np.abs(bench.state().velocity).max()) < 0.02

    bench.follow_until(still, 0.0)
    bench.arm.power_off()
    assert not bench.emulated.arm.enabled and len(bench.emulated.arm.log.power_cuts) >= 6


# --- loss and return of the bus ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["bus_down", "silent"])
def test_a_lost_bus_is_reported_and_after_its_return_nothing_moves_by_itself(bench: Bench, fault: str) -> None:
    bench.arm.start()
    bench.follow(GOAL)
    bench.emulated.arm.faults.set(fault, True)
    with pytest.raises(PlantError) as error:
        for _ in range(2000):
            bench.arm.read()
            bench.write(GOAL)
            time.sleep(0.005)
    one_line(error)
    until(lambda: "lost the arm" in bench.arm.reason or "no frame" in bench.arm.reason)
    bench.emulated.arm.faults.clear()
    held = bench.emulated.arm.target

    def back() -> bool:
        bench.write(GOAL)
        try:
            return bench.arm.read() is not None
        except PlantError:
            return False

    until(back)
    for _ in range(40):
        bench.write(GOAL)
        time.sleep(0.005)
    np.testing.assert_array_equal(bench.emulated.arm.target, held)
    assert bench.arm.mode is Mode.WAITING and bench.emulated.arm.enabled and bench.arm.reconnects == 1
    bench.follow(GOAL)


def test_another_arm_after_the_return_is_refused(bench: Bench) -> None:
    bench.arm.start()
    bench.emulated.arm.faults.silent = True
    until(lambda: "lost the arm" in bench.arm.reason)
    bench.emulated.arm.faults.firmware = "S-V9.9-9"
    bench.emulated.arm.faults.silent = False
    until(lambda: "S-V9.9-9" in bench.arm.reason)
    with pytest.raises(PlantError, match=r"S-V9\.9-9"):
        bench.arm.read()


def test_stop_while_the_bus_is_lost(bench: Bench) -> None:
    bench.arm.start()
    bench.follow(GOAL)
    bench.emulated.arm.faults.bus_down = True
    until(lambda: bool(bench.arm.reason))
    bench.arm.stop()
    names = {thread.name for thread in threading.enumerate()}
    assert not {"piper_can", "piper_commands"} & names


# --- faults -----------------------------------------------------------------------------------------------------------

FAULTS: list[tuple[str, object, str]] = [
    ("estop", True, "emergency stop"),
    ("teaching", True, "not under CAN control"),
    ("arm_status", 7, "collision"),
    ("errors", 0x0002, "piper_joint2: does not answer"),
    ("motor_bits", {3: 1 << 5}, "piper_joint3: driver error"),
    ("motor_temperature", 90.0, "90 C"),
    ("bus_voltage", 18.0, "18.0 V"),
    ("slow_lost", True, "any more"),
    ("rival", True, "another program"),
    ("disabled", frozenset({4}), "piper_joint4: lost power"),
]


@pytest.mark.parametrize(("name", "value", "text"), FAULTS, ids=[name for name, _, _ in FAULTS])
def test_faults_hold_the_arm_and_are_reported(bench: Bench, name: str, value: object, text: str) -> None:
    bench.arm.start()
    bench.follow(GOAL)
    bench.emulated.arm.faults.set(name, value)
    bench.write_until(lambda: bench.arm.mode is Mode.HOLDING, GOAL)
    state = bench.state()
    assert any(text in fault for fault in (*state.faults, bench.arm.reason))
    bench.emulated.arm.faults.clear()
    for _ in range(40):
        bench.write(GOAL)
        time.sleep(0.005)
    assert bench.arm.mode is not Mode.FOLLOWING, "it does not go on by itself"
    state = bench.state()
    assert state.faults, "the plant still sees why"
    assert bench.emulated.arm.log.power_cuts == []


@pytest.mark.parametrize(("name", "value"), [("torn", 1.0), ("duplicated", 0.5), ("lost", 0.2), ("garbage", 1.0)])
def test_trouble_on_the_wire_is_lived_through(bench: Bench, name: str, value: float) -> None:
    """Whether the arm goes on or holds, nothing beyond a limit is sent (the fixture looks) and nothing crashes."""
    bench.arm.start()
    bench.follow(GOAL)
    bench.emulated.arm.faults.set(name, value)
    for _ in range(150):
        bench.write(GOAL)
        state = bench.arm.listener.state()
        if state is not None:  # none right after a new connection
            assert np.all(np.isfinite(state.position))
            assert float(np.abs(state.position).max()) < 3.2
        time.sleep(0.005)
    bench.emulated.arm.faults.clear()
    until(lambda: bench.arm.listener.state() is not None)
    assert bench.emulated.arm.log.power_cuts == []


def test_fuzzed_frames_of_others_do_no_harm(bench: Bench) -> None:
    rng = np.random.default_rng(5)
    bench.arm.start()
    stranger = LoopcanEnd(bench.channel, node="stranger")
    for _ in range(100):
        ids = rng.integers(0x300, 0x460, 20)
        stranger.send([(int(can_id), rng.bytes(int(rng.integers(0, 9)))) for can_id in ids])
        time.sleep(0.002)
    stranger.close()
    assert bench.state().faults == ()
