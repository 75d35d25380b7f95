"""The emulated Go2 does what a real one is known to do: obeys right commands only, and falls back when they stop."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from go2_piper_description.joints import ARM_SLICE, LEG_SLICE, joint_array

pytest.importorskip("cyclonedds")

from go2_piper_driver.emulation.go2.emulated_go2 import LOSS_TIME, EmulatedGo2
from go2_piper_driver.emulation.go2.motors import read_drive
from go2_piper_driver.emulation.physics import PERIOD, Drive, Physics
from go2_piper_driver.go2 import messages, motors, wire
from go2_piper_driver.go2.services import (
    BAD_PARAMETER,
    CHECK_MODE,
    MOTION_SWITCHER,
    NO_SUCH_MODE,
    RELEASE_MODE,
    SELECT_MODE,
    SPORT,
    SPORT_STAND_UP,
)
from go2_piper_driver.go2.state import Go2State, lost_packets, read_state

STAND, KP, KD = (joint_array(name)[LEG_SLICE] for name in ("stand", "kp", "kd"))


def _command(position: np.ndarray = STAND, **changes: float) -> wire.Sample:
    command = messages.LowCmd_()
    motors.prepare(command)
    zeros = np.zeros(12)
    motors.fill(command, position, zeros, zeros, KP, KD)
    for name, value in changes.items():
        setattr(command.motor_cmd[0], name, value)
    return wire.unpack_cmd(wire.seal_cmd(command))


def _hold_arm(physics: Physics) -> None:
    rest, kp, kd = (joint_array(name)[ARM_SLICE] for name in ("rest", "kp", "kd"))
    physics.drive_arm(Drive(rest, np.zeros(6), np.zeros(6), kp, kd))


def _run(go2: EmulatedGo2, seconds: float, command: wire.Sample | None = None) -> None:
    for _ in range(round(seconds / PERIOD)):
        if command is not None:
            go2.take_command(command)
        go2.step()
        go2.physics.step()


def _sample(go2: EmulatedGo2) -> wire.Sample:
    sample = go2.state()
    assert sample is not None
    message = messages.LowState_.deserialize(sample)
    assert message.intact
    return message


def _state(go2: EmulatedGo2) -> Go2State:
    return read_state(_sample(go2), 0.0)


def test_stands_up_by_commands_and_tells_the_truth() -> None:
    go2 = EmulatedGo2(Physics(), mode="")
    _hold_arm(go2.physics)
    rest = joint_array("rest")[LEG_SLICE]
    for share in np.linspace(0.0, 1.0, 50):
        _run(go2, 0.03, _command(rest + share * (STAND - rest)))
    _run(go2, 0.5, _command())
    state = _state(go2)
    np.testing.assert_allclose(state.position, go2.physics.position[LEG_SLICE], atol=1e-6)
    np.testing.assert_allclose(state.position, STAND, atol=0.25)
    assert go2.physics.base[0][2] > 0.25
    assert 120.0 < state.foot_force.sum() < 300.0  # the robot weighs 195 N
    assert np.linalg.norm(state.linear_acceleration) == pytest.approx(9.81, abs=1.0)


def test_obeys_only_when_released_and_only_right_checksums() -> None:
    go2 = EmulatedGo2(Physics(), mode="normal")
    go2.take_command(_command())
    right = _command().data
    wrong = wire.unpack_cmd(right[:-1] + bytes([right[-1] ^ 1]))
    go2.service.answer(MOTION_SWITCHER, RELEASE_MODE, "{}")
    go2.take_command(wrong)
    assert go2.command_time is None
    assert (go2.counts["ignored_unreleased"], go2.counts["crc_errors"]) == (1, 1)
    go2.take_command(_command())
    assert go2.command_time is not None


@pytest.mark.parametrize("loss", ["hold", "damp", "limp"])
def test_behaviour_when_commands_stop(loss: str) -> None:
    go2 = EmulatedGo2(Physics(), loss=loss, mode="")
    _run(go2, 0.1, _command())
    _run(go2, LOSS_TIME - 2 * PERIOD)
    assert go2.applied.kp.any()
    _run(go2, 4 * PERIOD)
    assert go2.applied.kp.any() == (loss == "hold")
    assert go2.applied.kd.any() == (loss != "limp")


@pytest.mark.parametrize(
    ("changes", "limit"),
    [
        ({"q": 3.0}, "position"),
        ({"dq": 40.0}, "velocity"),
        ({"tau": -30.0}, "effort"),
        ({"kp": 500.0}, "gain"),
        ({"kd": -1.0}, "gain"),
        ({"q": float("nan")}, "not finite"),
        ({"dq": motors.VEL_STOP, "kd": 8.0}, "velocity stop with a gain"),
    ],
)
def test_commands_beyond_a_limit_are_counted(changes: dict[str, float], limit: str) -> None:
    assert not read_drive(_command())[1]
    drive, broken = read_drive(_command(STAND, **changes))
    assert broken == {limit: 1}
    assert np.isfinite(drive.position).all()


def test_stop_values_switch_control_off() -> None:
    drive, broken = read_drive(_command(q=motors.POS_STOP, kp=60.0))
    assert not broken and drive.kp[motors.SLOTS.index(0)] == 0.0


@pytest.mark.parametrize(
    ("api", "parameter", "code"),
    [(CHECK_MODE, "{}", 0), (SELECT_MODE, '{"name": "ai"}', 0), (SELECT_MODE, '{"name": "x"}', NO_SUCH_MODE),
     (SELECT_MODE, "nonsense", BAD_PARAMETER), (RELEASE_MODE, "{}", 0)],
)  # fmt: skip
def test_motion_switcher(api: int, parameter: str, code: int) -> None:
    go2 = EmulatedGo2(Physics())
    assert go2.service.answer(MOTION_SWITCHER, api, parameter)[0] == code


def test_its_own_controller_stands_up_and_is_gone_once_released() -> None:
    go2 = EmulatedGo2(Physics(), mode="normal")
    assert go2.service.answer(SPORT, SPORT_STAND_UP, "")[0] == 0
    _run(go2, 2.0)
    assert go2.physics.base[0][2] > 0.25
    go2.service.answer(MOTION_SWITCHER, RELEASE_MODE, "{}")
    assert go2.service.answer(SPORT, SPORT_STAND_UP, "")[0] != 0
    _run(go2, 0.5)
    assert go2.physics.base[0][2] < 0.2  # the legs go limp


FAULTS: dict[str, tuple[object, Callable[[EmulatedGo2], bool]]] = {
    "silent": (True, lambda go2: go2.state() is None),
    "tick_gap": (4, lambda go2: [go2.state() is None for _ in range(4)].count(True) == 3),
    "not_a_number": (True, lambda go2: bool(np.isnan(_state(go2).velocity).any())),
    "tilt": (1.2, lambda go2: abs(_state(go2).orientation[0]) > 0.4),
    "heat": (1000.0, lambda go2: _state(go2).temperature.max() > 60.0),
    "drain": (1.0, lambda go2: _state(go2).charge < 0.85),
    "voltage_drop": (15.0, lambda go2: _state(go2).voltage < 20.0),
    "lost_rate": (1000.0, lambda go2: lost_packets(_sample(go2)) > 10),
}


@pytest.mark.parametrize("name", FAULTS)
def test_faults_show_in_the_state(name: str) -> None:
    value, shows = FAULTS[name]
    go2 = EmulatedGo2(Physics(), mode="")
    go2.faults.set(name, value)
    _run(go2, 0.1)
    assert shows(go2)


@pytest.mark.parametrize(("name", "value"), [("nonsense", True), ("silent", 1.5), ("tilt", "x"), ("heat", True)])
def test_wrong_faults_are_refused(name: str, value: object) -> None:
    with pytest.raises(ValueError, match="fault"):
        EmulatedGo2(Physics()).faults.set(name, value)
