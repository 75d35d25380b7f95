"""How the gate changes its mode, on request and by itself."""

from __future__ import annotations

import numpy as np
import pytest
from go2_piper_description.joints import ARM_SLICE, JOINT_NAMES, LEG_SLICE, joint_array
from robot_bridge.gate import GateInputs, GateState, step
from robot_bridge.gate_params import GateParams
from robot_bridge.modes import Mode, Request

from .gate_driver import PERIOD, STAND, Driver


def test_disconnected_sends_nothing() -> None:
    state, output = step(GateState(), GateInputs(0.0, None), GateParams())
    assert output.mode is Mode.DISCONNECTED and output.targets is None
    for request in Request:
        if request is not Request.ESTOP:
            state, output = step(state, GateInputs(0.0, None, requests=(request,)), GateParams())
            assert not output.replies[0].accepted and output.mode is Mode.DISCONNECTED


def test_a_good_state_leads_to_passive_damping() -> None:
    output = Driver().tick()
    assert output.mode is Mode.PASSIVE and output.targets is not None
    assert not output.targets.kp.any() and (output.targets.kd > 0.0).all()


def test_stand_ramps_from_the_measured_pose_to_the_stand_pose() -> None:
    driver = Driver()
    driver.position = joint_array("rest") + 0.1
    driver.position[13] = 0.5
    driver.tick()
    before = driver.position.copy()
    first = driver.tick(Request.STAND)
    assert first.mode is Mode.STANDING_UP and first.targets is not None
    np.testing.assert_allclose(first.targets.position, np.clip(before, joint_array("lower"), joint_array("upper")))
    assert not first.targets.kp.any()
    driver.run_to(Mode.HOLD)
    output = driver.tick()
    assert output.targets is not None
    np.testing.assert_allclose(output.targets.position, STAND)
    np.testing.assert_allclose(output.targets.kp, joint_array("kp"))
    assert driver.now >= GateParams().stand_duration


def test_stand_moves_no_faster_than_allowed() -> None:
    driver = Driver(max_ramp_velocity=0.5)
    driver.tick()
    driver.tick(Request.STAND)
    previous = driver.position
    while driver.tick().mode is Mode.STANDING_UP:
        assert np.abs(driver.position - previous).max() <= 0.5 * PERIOD * 1.01
        previous = driver.position


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"orientation": np.array([np.sin(0.3), 0.0, 0.0, np.cos(0.3)])}, "tilted by 0.60"),
        ({"velocity": np.full(18, 2.5)}, "still moves"),
        ({"motor_temperature": np.full(18, 90.0)}, "at 90 C"),
        ({"battery_charge": 0.05}, "battery"),
    ],
)
def test_stand_is_refused(change: dict[str, object], text: str) -> None:
    driver = Driver()
    driver.tick()
    driver.robot_changes = change
    output = driver.tick(Request.STAND)
    assert not output.replies[0].accepted and text in output.replies[0].message
    assert output.mode is Mode.PASSIVE


def test_stand_that_does_not_get_up_damps() -> None:
    driver = Driver()
    driver.tick()
    driver.tick(Request.STAND)
    stuck = joint_array("rest")
    for _ in range(1000):
        driver.position = stuck
        if driver.tick().mode is not Mode.STANDING_UP:
            break
    assert driver.output.mode is Mode.DAMPING and "from the stand pose" in driver.output.reason


def test_sit_ends_in_passive_at_the_rest_pose() -> None:
    driver = Driver().active()
    assert driver.tick(Request.SIT).mode is Mode.SITTING
    driver.run_to(Mode.PASSIVE)
    np.testing.assert_allclose(driver.position, joint_array("rest"), atol=1e-3)


def test_activate_only_from_hold() -> None:
    driver = Driver()
    driver.wanted = joint_array("rest")
    driver.tick()
    output = driver.tick(Request.ACTIVATE)
    assert output.mode is Mode.PASSIVE and "only from HOLD" in output.replies[0].message


def test_activate_needs_a_command() -> None:
    output = Driver().hold().tick(Request.ACTIVATE)
    assert output.mode is Mode.HOLD and "no command" in output.replies[0].message


def test_activate_needs_a_fresh_command() -> None:
    driver = Driver().hold()
    driver.wanted = STAND
    driver.tick()
    driver.wanted = None
    driver.run(0.15)
    output = driver.tick(Request.ACTIVATE)
    assert output.mode is Mode.HOLD and "s old" in output.replies[0].message


def test_activate_names_the_joint_that_is_too_far() -> None:
    driver = Driver().hold()
    driver.wanted = STAND.copy()
    driver.wanted[4] += 0.7
    output = driver.tick(Request.ACTIVATE)
    assert output.mode is Mode.HOLD and f"{JOINT_NAMES[4]} is 0.70 rad" in output.replies[0].message


@pytest.mark.parametrize("publishers", [0, 2])
def test_activate_needs_exactly_one_publisher(publishers: int) -> None:
    driver = Driver().hold()
    driver.wanted, driver.publishers = STAND, publishers
    output = driver.tick(Request.ACTIVATE)
    assert output.mode is Mode.HOLD and f"{publishers} publishers" in output.replies[0].message


def test_activate_is_refused_after_a_bad_command() -> None:
    driver = Driver().hold()
    driver.wanted = np.full(18, np.nan)
    output = driver.tick(Request.ACTIVATE)
    assert output.mode is Mode.HOLD and "not finite" in output.replies[0].message


def test_hold_stays_without_commands() -> None:
    driver = Driver().hold()
    assert driver.run(5.0).mode is Mode.HOLD


def test_damp_lets_the_legs_go_and_holds_the_arm() -> None:
    driver = Driver().active()
    pose = driver.position.copy()
    output = driver.tick(Request.DAMP)
    assert output.mode is Mode.DAMPING and output.targets is not None
    assert not output.targets.kp[LEG_SLICE].any() and (output.targets.kd > 0.0).all()
    assert (output.targets.kp[ARM_SLICE] > 0.0).all()
    np.testing.assert_allclose(output.targets.position[ARM_SLICE], pose[ARM_SLICE])
    assert driver.run(5.0).mode is Mode.DAMPING


def test_stand_again_after_damping() -> None:
    driver = Driver().hold()
    driver.tick(Request.DAMP)
    assert driver.tick(Request.STAND).mode is Mode.STANDING_UP


def test_reset_from_damping_is_refused_while_falling() -> None:
    driver = Driver().hold()
    driver.tick(Request.DAMP)
    driver.robot_changes = {"velocity": np.full(18, 3.0)}
    assert driver.tick(Request.RESET).mode is Mode.DAMPING
    driver.robot_changes = {}
    assert driver.tick(Request.RESET).mode is Mode.PASSIVE


@pytest.mark.parametrize("mode", ["disconnected", "passive", "standing", "hold", "active", "sitting", "damping"])
def test_estop_latches_from_everywhere(mode: str) -> None:
    driver = Driver()
    if mode != "disconnected":
        driver.tick()
    if mode == "standing":
        driver.tick(Request.STAND)
    elif mode in ("hold", "sitting"):
        driver.hold()
    elif mode in ("active", "damping"):
        driver.active()
    if mode == "sitting":
        driver.tick(Request.SIT)
    if mode == "damping":
        driver.tick(Request.DAMP)
    driver.wanted = STAND
    output = driver.tick(Request.ESTOP, Request.RESET, Request.STAND)  # the stop wins, whatever else is asked
    assert output.mode is Mode.ESTOP and output.targets is not None
    assert not output.targets.kp[LEG_SLICE].any()
    for request in (Request.STAND, Request.ACTIVATE, Request.DAMP, Request.SIT):
        assert driver.tick(request).mode is Mode.ESTOP
    assert driver.run(2.0).mode is Mode.ESTOP
    assert driver.tick(Request.RESET).mode is Mode.DAMPING
    assert driver.tick(Request.RESET).mode is Mode.PASSIVE


def test_stop_out_of_disconnected_holds_no_old_pose() -> None:
    driver = Driver()
    driver.tick()
    state, _ = step(driver.gate, GateInputs(driver.now + 5.0, None), driver.params)
    assert state.mode is Mode.DISCONNECTED
    _, output = step(state, GateInputs(driver.now + 5.0, None, requests=(Request.ESTOP,)), driver.params)
    assert output.targets is not None and not output.targets.kp.any()


def test_gripper_is_limited_and_nonsense_ignored() -> None:
    driver = Driver().hold()
    driver.gripper = 1.0
    assert driver.tick().targets.gripper_position == 0.035  # type: ignore[union-attr]
    driver.gripper = float("nan")
    assert driver.tick().targets.gripper_position == 0.035  # type: ignore[union-attr]
    assert driver.tick(Request.ESTOP).targets.gripper_position == 0.035  # type: ignore[union-attr]


def test_every_change_of_mode_is_an_event() -> None:
    driver = Driver().active()
    assert [event.split(":")[0] for event in driver.events] == [
        "DISCONNECTED -> PASSIVE", "PASSIVE -> STANDING_UP", "STANDING_UP -> HOLD", "HOLD -> ACTIVE",
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["max_tilt", "state_timeout", "torque_fraction"])
@pytest.mark.parametrize("value", [0.0, -1.0, float("nan"), float("inf")])
def test_thresholds_that_cannot_work_are_refused(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"gate.{name}"):
        GateParams(**{name: value})


def test_time_outs_must_be_in_order() -> None:
    with pytest.raises(ValueError, match="command_damp_after"):
        GateParams(command_hold_after=0.5, command_damp_after=0.4)


def test_sit_waits_until_the_legs_have_been_calm() -> None:
    driver = Driver().active()
    driver.robot_changes = {"velocity": np.where(np.arange(18) == 2, 3.0, 0.0)}
    driver.tick()
    driver.robot_changes = {}
    refused = driver.tick(Request.SIT)  # calm, but only for a moment
    assert refused.mode is Mode.ACTIVE and "the legs move" in refused.replies[0].message
    for _ in range(25):
        driver.tick()
    assert driver.tick(Request.SIT).mode is Mode.SITTING
