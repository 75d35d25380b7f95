"""What a LowCmd for the legs may contain, whatever is asked for."""

from __future__ import annotations

import numpy as np
import pytest
from go2_piper_description.joints import LEG_JOINT_NAMES
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

pytest.importorskip("cyclonedds")

from go2_piper_driver.go2 import messages, motors, wire
from go2_piper_driver.go2.state import lost_packets, read_state, tick_of

_any = st.floats(allow_nan=True, allow_infinity=True)
_row = arrays(np.float64, 12, elements=_any)


def _prepared() -> messages.LowCmd_:
    command = messages.LowCmd_()
    motors.prepare(command)
    return command


@given(_row, _row, _row, _row, _row)
def test_every_command_is_inside_the_limits(q: object, dq: object, tau: object, kp: object, kd: object) -> None:
    command = _prepared()
    done = motors.fill(command, q, dq, tau, kp, kd)  # type: ignore[arg-type]
    assert done is bool(np.isfinite(np.array([q, dq, tau, kp, kd])).all())
    for index, slot in enumerate(motors.SLOTS):
        motor = command.motor_cmd[slot]
        assert 0.0 <= motor.kp <= motors.MAX_KP and 0.0 <= motor.kd <= motors.MAX_KD
        assert abs(motor.tau) <= motors.EFFORT[index]
        if motor.kp > 0.0:
            assert motors.LOWER[index] <= motor.q <= motors.UPPER[index]
        else:
            assert motor.q == motors.POS_STOP
        if motor.kd > 0.0:
            assert abs(motor.dq) <= motors.VELOCITY[index]
        else:
            assert motor.dq == motors.VEL_STOP
    command.serialize()


def test_prepared_command_does_nothing_and_has_the_golden_checksum() -> None:
    assert wire.COMMAND.checksum(_prepared().serialize()) == 0x06E577CD


def test_spare_slots_never_get_anything() -> None:
    command = _prepared()
    ones = np.ones(12)
    assert motors.fill(command, -ones, ones, ones, ones, ones)
    for slot in range(12, messages.MOTORS):
        motor = command.motor_cmd[slot]
        assert (motor.q, motor.dq, motor.kp, motor.kd, motor.tau) == (motors.POS_STOP, motors.VEL_STOP, 0.0, 0.0, 0.0)


@pytest.mark.parametrize("kd", [3.0, 8.0, 50.0, -1.0])
def test_damping_has_velocity_zero_and_no_position(kd: float) -> None:
    """VEL_STOP with a gain, as one public stack sends it, is a command to spin."""
    command = _prepared()
    ones = np.ones(12)
    motors.fill(command, -ones, ones, ones, ones, ones)
    motors.fill_damping(command, kd)
    for slot in motors.SLOTS:
        motor = command.motor_cmd[slot]
        assert (motor.mode, motor.q, motor.dq, motor.kp, motor.tau) == (1, motors.POS_STOP, 0.0, 0.0, 0.0)
        assert 0.0 <= motor.kd <= motors.MAX_KD


def test_slots_are_the_vendors_order_by_name() -> None:
    """unitree_legged_const.py: FR 0-2, FL 3-5, RR 6-8, RL 9-11."""
    wanted = {"FR_hip_joint": 0, "FL_thigh_joint": 4, "RR_calf_joint": 8, "RL_hip_joint": 9, "RL_calf_joint": 11}
    assert {name: motors.SLOT_OF[name] for name in wanted} == wanted
    assert sorted(motors.SLOTS) == list(range(12))


def test_states_come_in_canonical_order_and_our_units() -> None:
    message = messages.LowState_()
    for slot, motor in enumerate(message.motor_state):
        motor.q, motor.dq, motor.tau_est, motor.temperature, motor.lost = slot, 10 + slot, 20 + slot, 30 + slot, 1
    message.imu_state.quaternion = [0.5, 0.1, 0.2, 0.3]
    message.foot_force = [1, 2, 3, 4]  # FR, FL, RR, RL
    message.bms_state.soc, message.power_v, message.tick = 55, 29.5, 77
    message.bms_state.cell_vol = [3700, 3600] + [0] * 13
    message.wireless_remote = list(range(40))
    sample = wire.unpack_state(message.serialize())
    state = read_state(sample, 1.25)
    for index, name in enumerate(LEG_JOINT_NAMES):
        slot = motors.SLOT_OF[name]
        assert state.position[index] == slot
        assert state.velocity[index] == 10 + slot
        assert state.effort[index] == 20 + slot
        assert state.temperature[index] == 30 + slot
    assert state.orientation == pytest.approx([0.1, 0.2, 0.3, 0.5], rel=1e-6)
    assert state.foot_force.tolist() == [2, 1, 4, 3]
    assert (state.charge, state.voltage, state.weakest_cell) == (0.55, 29.5, 3.6)
    assert (state.stamp, state.remote) == (1.25, bytes(range(40)))
    assert (tick_of(sample), lost_packets(sample)) == (77, 12)
