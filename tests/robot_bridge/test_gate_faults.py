"""Each time-out, check and clamp of the gate: every test here fails without the one it is about."""

from __future__ import annotations

import numpy as np
import pytest
from go2_piper_description.joints import ARM_SLICE, JOINT_NAMES, LEG_SLICE, joint_array
from robot_bridge.modes import Mode, Request

from .gate_driver import PERIOD, STAND, Driver, make_command, make_state

BRACE = joint_array("brace")
KP, KD, EFFORT = joint_array("kp"), joint_array("kd"), joint_array("effort")
LOWER, UPPER = joint_array("lower"), joint_array("upper")


def turned(angle: float) -> np.ndarray:
    """A robot rolled by an angle."""
    return np.array([np.sin(angle / 2), 0.0, 0.0, np.cos(angle / 2)])


# -- commands that stay away or are bad ----------------------------------------------------------------------------


def test_late_commands_hold_then_damp() -> None:
    driver = Driver().active()
    driver.wanted = None
    assert driver.run(0.095).mode is Mode.ACTIVE
    assert driver.run(0.015).mode is Mode.HOLD
    assert driver.run(1.38).mode is Mode.HOLD
    assert driver.run(0.02).mode is Mode.DAMPING


def test_hold_brings_calm_legs_to_the_stand_pose_and_leaves_the_arm() -> None:
    driver = Driver().active()
    assert driver.wanted is not None
    driver.wanted = driver.wanted + 0.2
    driver.run(0.2)
    arm = driver.position[ARM_SLICE].copy()
    driver.wanted = None
    first = driver.run_to(Mode.HOLD)
    assert first.targets is not None
    np.testing.assert_allclose(first.targets.position[LEG_SLICE], STAND[LEG_SLICE] + 0.2)
    driver.wanted = STAND  # good commands again, so that it does not damp
    output = driver.run(0.5)
    assert output.mode is Mode.HOLD and output.targets is not None
    np.testing.assert_allclose(output.targets.position[LEG_SLICE], STAND[LEG_SLICE])
    np.testing.assert_allclose(output.targets.position[ARM_SLICE], arm)


def strides() -> Driver:
    """A robot that walks under a controller: one calf is fast."""
    driver = Driver().active()
    driver.robot_changes = {"velocity": np.where(np.arange(18) == 2, 4.0, 0.0)}
    driver.run(0.05)
    return driver


def test_hold_out_of_a_stride_braces_and_rises_again_where_the_controller_is_back() -> None:
    driver = strides()
    arm = driver.position[ARM_SLICE].copy()
    driver.publishers = 2
    assert driver.tick().mode is Mode.HOLD
    driver.publishers, driver.robot_changes = 1, {}
    output = driver.run(driver.params.brace_ramp)
    assert output.targets is not None
    np.testing.assert_allclose(output.targets.position[LEG_SLICE], BRACE[LEG_SLICE])
    output = driver.run(driver.params.command_damp_after - 0.1)
    assert output.targets is not None
    np.testing.assert_allclose(output.targets.position[LEG_SLICE], BRACE[LEG_SLICE])
    output = driver.run(driver.params.stand_duration + 0.2)
    assert output.mode is Mode.HOLD and output.targets is not None
    np.testing.assert_allclose(output.targets.position[LEG_SLICE], STAND[LEG_SLICE])
    np.testing.assert_allclose(output.targets.position[ARM_SLICE], arm)
    assert driver.tick(Request.ACTIVATE).mode is Mode.ACTIVE


def test_a_silent_controller_out_of_a_stride_damps_before_the_robot_rises_again() -> None:
    driver = strides()
    driver.wanted, driver.robot_changes = None, {}
    driver.run_to(Mode.HOLD)
    while driver.tick().mode is Mode.HOLD:
        assert driver.output.targets is not None
        lowest = driver.output.targets.position
    np.testing.assert_allclose(lowest[LEG_SLICE], BRACE[LEG_SLICE])
    assert driver.output.mode is Mode.DAMPING


def test_a_hot_motor_in_a_stride_braces_before_it_sits_down() -> None:
    driver = strides()
    driver.robot_changes |= {"motor_temperature": np.full(18, 90.0)}
    assert driver.tick().mode is Mode.SITTING
    output = driver.run(driver.params.brace_ramp)
    assert output.targets is not None
    np.testing.assert_allclose(output.targets.position[LEG_SLICE], BRACE[LEG_SLICE], atol=0.02)


def test_returning_commands_do_not_bring_active_back() -> None:
    driver = Driver().active()
    driver.wanted = None
    driver.run_to(Mode.HOLD)
    driver.wanted = STAND
    assert driver.run(3.0).mode is Mode.HOLD
    assert driver.tick(Request.ACTIVATE).mode is Mode.ACTIVE


def test_activate_waits_for_the_stand_after_a_stride() -> None:
    driver = Driver().active()
    driver.publishers = 2
    driver.tick()
    driver.publishers = 1
    output = driver.tick(Request.ACTIVATE)
    assert output.mode is Mode.HOLD and "coming to a stand" in output.replies[0].message


BAD_COMMANDS: dict[str, dict[str, object]] = {
    "missing joint": {"names": JOINT_NAMES[:-1], "position": STAND[:-1], "velocity": STAND[:-1], "effort": STAND[:-1]},
    "unknown joint": {"names": (*JOINT_NAMES[:-1], "tail_joint")},
    "joint twice": {"names": (*JOINT_NAMES[:-1], JOINT_NAMES[0])},
    "no joints": {"names": ()},
    "short position": {"position": STAND[:-1]},
    "short velocity": {"velocity": STAND[:-1]},
    "NaN position": {"position": np.where(np.arange(18) == 3, np.nan, STAND)},
    "infinite velocity": {"velocity": np.full(18, np.inf)},
    "NaN effort": {"effort": np.full(18, np.nan)},
    "from an old state": {"state_stamp": 0.0},
    "from a state of the future": {"state_stamp": 1e9},
    "stamp not a number": {"state_stamp": float("nan")},
}


@pytest.mark.parametrize("problem", BAD_COMMANDS)
def test_bad_commands_hold_at_once_then_damp(problem: str) -> None:
    driver = Driver().active()
    driver.command_changes = BAD_COMMANDS[problem]
    assert driver.tick().mode is Mode.HOLD
    driver.run_to(Mode.DAMPING, limit=1.55)  # bad commands do not count as fresh


def test_commands_are_mapped_by_name() -> None:
    driver = Driver().active()
    wanted = STAND + np.linspace(-0.02, 0.02, 18)
    order = np.random.default_rng(1).permutation(18)
    driver.command_changes = {"names": tuple(JOINT_NAMES[i] for i in order), "position": wanted[order]}
    output = driver.run(0.1)
    assert output.mode is Mode.ACTIVE and output.targets is not None
    np.testing.assert_allclose(output.targets.position, wanted)


def test_a_second_publisher_holds_and_does_not_damp() -> None:
    driver = Driver().active()
    driver.publishers = 2
    assert driver.tick().mode is Mode.HOLD
    assert driver.run(2.0).mode is Mode.HOLD
    driver.publishers = 1
    assert driver.run(1.0).mode is Mode.HOLD


def test_a_command_that_claims_to_come_from_the_future_ages_all_the_same() -> None:
    driver = Driver().active()
    driver.command_changes = {"received": 1e9}
    driver.tick()
    driver.wanted = None
    assert driver.run(0.2).mode is Mode.HOLD


# -- clamps --------------------------------------------------------------------------------------------------------


def test_position_is_clamped_to_the_limits_with_margin() -> None:
    driver = Driver(torque_fraction=1.0, leg_target_rate=1e6, arm_target_rate=1e6).active()
    for bound, margin in ((LOWER, 0.02), (UPPER, -0.02)):
        driver.wanted = bound + np.sign(-margin) * 100.0
        driver.tick()
        np.testing.assert_allclose(driver.gate.targets, bound + margin)  # type: ignore[arg-type]
        assert "position or step" in driver.output.limited


def test_targets_move_no_faster_than_allowed() -> None:
    driver = Driver(torque_fraction=1.0).active()
    before = driver.gate.targets
    driver.wanted = STAND + 0.5
    driver.tick()
    moved = driver.gate.targets - before  # type: ignore[operator]
    np.testing.assert_allclose(moved[LEG_SLICE], driver.params.leg_target_rate * PERIOD)
    np.testing.assert_allclose(moved[ARM_SLICE], driver.params.arm_target_rate * PERIOD)


def test_a_pause_does_not_widen_the_step() -> None:
    driver = Driver(torque_fraction=1.0).active()
    before = driver.gate.targets
    driver.wanted = STAND + 0.5
    driver.tick(period=0.08)
    moved = driver.gate.targets - before  # type: ignore[operator]
    assert moved[ARM_SLICE].max() <= driver.params.arm_target_rate * 0.02 + 1e-9


def test_predicted_torque_is_limited_through_the_position_target() -> None:
    driver = Driver().active()
    driver.wanted = STAND.copy()
    driver.wanted[3] += 0.6  # 60 N m/rad: 36 N m on a joint of 23.7
    for _ in range(10):
        measured = STAND.copy()
        driver.position = measured
        output = driver.tick()
    assert output.targets is not None
    torque = KP * (output.targets.position - measured)
    np.testing.assert_allclose(torque[3], 0.9 * EFFORT[3])
    assert "torque" in output.limited


def test_predicted_torque_counts_the_measured_velocity() -> None:
    driver = Driver().active()
    speed = np.zeros(18)
    speed[3] = 25.0
    driver.position, driver.robot_changes = STAND.copy(), {"velocity": speed}
    output = driver.tick()
    assert output.targets is not None
    torque = KP * (output.targets.position - STAND) + KD * (output.targets.velocity - speed) + output.targets.effort
    np.testing.assert_allclose(torque[3], -0.9 * EFFORT[3])


def test_velocity_target_and_effort_are_clamped() -> None:
    driver = Driver().active()
    driver.command_changes = {"velocity": np.full(18, 1e3), "effort": np.full(18, -1e3)}
    output = driver.tick()
    assert output.targets is not None
    np.testing.assert_allclose(output.targets.velocity, joint_array("velocity"))
    np.testing.assert_allclose(output.targets.effort, -0.9 * EFFORT)


# -- the robot -------------------------------------------------------------------------------------------------------

BODY_FAULTS: dict[str, dict[str, object]] = {
    "tilt": {"orientation": turned(1.1)},
    "speed": {"velocity": np.where(np.arange(18) == 14, 7.0, 0.0)},
    "joint limit": {"position": np.where(np.arange(18) == 2, -2.9, STAND)},
    "NaN position": {"position": np.full(18, np.nan)},
    "NaN velocity": {"velocity": np.full(18, np.nan)},
    "NaN orientation": {"orientation": np.full(4, np.nan)},
    "no orientation": {"orientation": np.zeros(4)},
    "NaN angular velocity": {"angular_velocity": np.full(3, np.nan)},
    "NaN temperature": {"motor_temperature": np.full(18, np.nan)},
    "NaN battery": {"battery_charge": float("nan")},
    "fault of the plant": {"faults": ("another writer on rt/lowcmd",)},
}


@pytest.mark.parametrize("problem", BODY_FAULTS)
@pytest.mark.parametrize("mode", [Mode.STANDING_UP, Mode.HOLD, Mode.ACTIVE, Mode.SITTING])
def test_faults_of_the_robot_damp(problem: str, mode: Mode) -> None:
    driver = Driver()
    if mode is Mode.STANDING_UP:
        driver.tick()
        driver.tick(Request.STAND)
        driver.run(2.0)
    elif mode is Mode.HOLD:
        driver.hold()
    else:
        driver.active()
        if mode is Mode.SITTING:
            driver.tick(Request.SIT)
    assert driver.output.mode is mode
    driver.robot_changes = BODY_FAULTS[problem]
    output = driver.tick()
    assert output.mode is Mode.DAMPING and output.targets is not None
    assert np.isfinite(output.targets.position).all()
    assert not output.targets.kp[LEG_SLICE].any()
    driver.robot_changes = {}
    assert driver.run(1.0).mode is Mode.DAMPING


@pytest.mark.parametrize(("angle", "mode"), [(0.95, Mode.ACTIVE), (-0.95, Mode.ACTIVE), (-1.05, Mode.DAMPING)])
def test_tilt_up_to_the_limit_is_allowed(angle: float, mode: Mode) -> None:
    driver = Driver().active()
    driver.robot_changes = {"orientation": turned(angle)}
    assert driver.tick().mode is mode


def test_late_state_damps() -> None:
    driver = Driver().active()
    driver.frozen_state = make_state(driver.now, driver.position)
    assert driver.run(0.095).mode is Mode.ACTIVE
    assert driver.run(0.015).mode is Mode.DAMPING
    assert "s old" in driver.output.reason


def test_late_state_of_a_lying_robot_disconnects() -> None:
    driver = Driver()
    driver.tick()
    driver.frozen_state = make_state(driver.now, driver.position)
    output = driver.run(0.2)
    assert output.mode is Mode.DISCONNECTED and output.targets is None
    driver.frozen_state = None
    assert driver.tick().mode is Mode.PASSIVE


@pytest.mark.parametrize("stamp", [1e9, float("nan"), float("inf")])
def test_a_stamp_that_cannot_be_damps(stamp: float) -> None:
    driver = Driver().active()
    driver.frozen_state = make_state(stamp, driver.position)
    assert driver.tick().mode is Mode.DAMPING


def test_a_clock_that_goes_back_damps() -> None:
    driver = Driver().active()
    assert driver.tick(period=-0.02).mode is Mode.DAMPING


@pytest.mark.parametrize(
    "change", [{"motor_temperature": np.full(18, 86.0)}, {"battery_charge": 0.09}, {"wear": ("bus voltage is 19 V",)}]
)
def test_hot_motor_and_empty_battery_sit_down(change: dict[str, object]) -> None:
    driver = Driver().active()
    driver.robot_changes = change
    assert driver.tick().mode is Mode.SITTING
    driver.run_to(Mode.PASSIVE)


def test_torque_limit_respects_the_joint_limits() -> None:
    driver = Driver(leg_target_rate=1e6).active()
    assert driver.wanted is not None
    driver.wanted[2] = LOWER[2]
    driver.position = np.where(np.arange(18) == 2, LOWER[2], STAND)
    # so fast away from the target that the torque limit alone would move the target beyond the joint's limit
    driver.robot_changes = {"velocity": np.where(np.arange(18) == 2, -35.0, 0.0)}
    output = driver.tick()
    assert output.mode is Mode.ACTIVE and output.targets is not None
    assert output.targets.position[2] == LOWER[2]


def test_a_command_is_checked_once() -> None:
    driver = Driver().active()
    driver.command = make_command(driver.now, STAND)
    driver.wanted = None
    driver.run(0.05)
    assert driver.output.mode is Mode.ACTIVE  # the same command, given again, stays good until it is late
    assert driver.run(0.1).mode is Mode.HOLD
