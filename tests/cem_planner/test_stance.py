"""The stance frame: where it is, what the coordinates are, and what is no stance."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from cem_planner import leg_kinematics
from cem_planner.stance import NOMINAL_TRUNK, Stance, StanceError, legs_for, trunk_rotation
from go2_piper_description.joints import ARM_SLICE, LEG_SLICE, NUM_JOINTS, joint_array
from robot_bridge.types import BaseState, RobotState
from scipy.spatial.transform import Rotation

FEET = np.array([[0.23, 0.20, 0.0], [0.23, -0.20, 0.0], [-0.23, 0.18, 0.0], [-0.23, -0.18, 0.0]])
COORDINATES = np.array([0.02, -0.01, 0.015, 0.05, -0.08, 0.1, 0.3, 1.2, -1.0, 0.2, -0.3, 0.4])
ORIGIN, YAW = np.array([1.0, -2.0, 0.03]), 0.8


def state_at(coordinates: np.ndarray, base: bool = True) -> RobotState:
    """A robot whose feet are at FEET in a stance frame at ORIGIN, YAW."""
    position = joint_array("stand")
    position[LEG_SLICE], reached = legs_for(coordinates, FEET)
    position[ARM_SLICE] = coordinates[6:]
    assert reached.all()
    turn = Rotation.from_euler("z", YAW)
    trunk = turn * Rotation.from_matrix(trunk_rotation(coordinates))
    place = ORIGIN + turn.apply(coordinates[:3] + NOMINAL_TRUNK)
    zeros = np.zeros(NUM_JOINTS)
    pose = BaseState(place, trunk.as_quat(), np.zeros(3), np.zeros(3))
    return RobotState(
        0.0, position, zeros, zeros, trunk.as_quat(), np.zeros(3), np.zeros(3), base=pose if base else None
    )


def test_frame_and_feet() -> None:
    stance = Stance.from_state(state_at(COORDINATES))
    assert np.allclose(stance.feet, FEET, atol=1e-9)
    assert np.allclose(stance.origin, ORIGIN, atol=1e-9)
    assert stance.yaw == pytest.approx(YAW)


def test_trunk_rotation_equals_scipy() -> None:
    roll, pitch, yaw = COORDINATES[3:6]
    assert np.allclose(trunk_rotation(COORDINATES), Rotation.from_euler("ZYX", [yaw, pitch, roll]).as_matrix())


def test_coordinates_come_back() -> None:
    state = state_at(COORDINATES)
    stance = Stance.from_state(state_at(np.zeros(12) + np.r_[np.zeros(6), COORDINATES[6:]]))
    position, velocity = stance.coordinates(state)
    assert np.allclose(position, COORDINATES, atol=1e-9)
    assert np.allclose(velocity, 0.0)


def test_rates_equal_differences() -> None:
    stance = Stance.from_state(state_at(COORDINATES))
    rates = np.array([0.1, -0.2, 0.05, 0.3, -0.4, 0.2] + [0.5] * 6)
    step = 1e-6
    before, after = state_at(COORDINATES), state_at(COORDINATES + step * rates)
    assert before.base is not None and after.base is not None
    turn = Rotation.from_quat(before.base.orientation)
    linear = turn.inv().apply((after.base.position - before.base.position) / step)
    angular = (turn.inv() * Rotation.from_quat(after.base.orientation)).as_rotvec() / step
    joints = (after.position - before.position) / step
    base = replace(before.base, linear_velocity=linear, angular_velocity=angular)
    moving = replace(before, velocity=joints, angular_velocity=angular, base=base)
    assert np.allclose(stance.coordinates(moving)[1], rates, atol=1e-4)
    # without odometry they come from the legs
    blind = replace(moving, base=None)
    assert np.allclose(stance.coordinates(blind)[1], rates, atol=1e-3)


def test_without_odometry_the_planted_feet_say_where_the_trunk_is() -> None:
    stance = Stance.from_state(state_at(np.r_[np.zeros(6), COORDINATES[6:]], base=False))
    position, _ = stance.coordinates(state_at(COORDINATES, base=False))
    assert np.allclose(position, COORDINATES, atol=1e-9)


def test_poses_go_there_and_back() -> None:
    stance = Stance.from_state(state_at(COORDINATES))
    position, rotation = np.array([0.5, 0.1, 0.4]), Rotation.from_euler("xyz", [0.1, 0.2, 0.3]).as_matrix()
    there = stance.to_odom(position, rotation)
    back = stance.from_odom(*there)
    assert np.allclose(back[0], position) and np.allclose(back[1], rotation)
    assert np.allclose(there[0], ORIGIN + Rotation.from_euler("z", YAW).apply(position))
    in_trunk = trunk_rotation(COORDINATES)
    found = stance.from_base(state_at(COORDINATES), position, rotation)
    assert np.allclose(found[0], in_trunk @ position + COORDINATES[:3] + NOMINAL_TRUNK)
    assert np.allclose(found[1], in_trunk @ rotation)


def test_what_is_no_stance() -> None:
    state = state_at(COORDINATES)
    assert state.base is not None
    position = state.position.copy()
    position[3] = np.nan
    with pytest.raises(StanceError, match="joint positions are not finite"):
        Stance.from_state(replace(state, position=position))
    with pytest.raises(StanceError, match="base's pose is not finite"):
        Stance.from_state(replace(state, base=replace(state.base, position=np.full(3, np.nan))))
    with pytest.raises(StanceError, match="unit quaternion"):
        Stance.from_state(replace(state, base=replace(state.base, orientation=np.zeros(4))))
    side = Rotation.from_euler("x", 1.2).as_quat()
    with pytest.raises(StanceError, match="tilted by 69 degrees"):
        Stance.from_state(replace(state, base=replace(state.base, orientation=side)))
    narrow = np.zeros(12)
    narrow[1::3], narrow[2::3] = [1.2, 1.2, 0.1, 0.1], -1.0  # front feet back, rear feet forward
    assert abs(np.diff(leg_kinematics.forward(narrow)[[0, 2], 0])[0]) < 0.05
    with pytest.raises(StanceError, match="in one place"):
        Stance.from_state(replace(state, position=np.r_[narrow, state.position[ARM_SLICE]]))


def test_fallen_on_its_nose_has_no_coordinates() -> None:
    stance, state = Stance.from_state(state_at(COORDINATES)), state_at(COORDINATES)
    assert state.base is not None
    nose = (Rotation.from_euler("z", YAW) * Rotation.from_euler("y", 1.4)).as_quat()
    with pytest.raises(StanceError, match="fallen"):
        stance.coordinates(replace(state, base=replace(state.base, orientation=nose)))
