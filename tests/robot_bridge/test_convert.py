"""Conversions between states, commands and messages."""

from __future__ import annotations

import numpy as np
import pytest
from go2_piper_description.joints import JOINT_NAMES
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

pytest.importorskip("sensor_msgs")

from robot_bridge import convert
from robot_bridge.types import BaseState, RobotState

values = st.floats(allow_nan=True, allow_infinity=True, width=64)
stamps = st.floats(0.0, 4e6)


def vectors(size: int) -> st.SearchStrategy[np.ndarray]:
    return arrays(np.float64, size, elements=values)


bases = st.builds(BaseState, vectors(3), vectors(4), vectors(3), vectors(3))
states = st.builds(
    RobotState, stamps, vectors(18), vectors(18), vectors(18), vectors(4), vectors(3), vectors(3),
    values, values, values, st.one_of(st.none(), bases),
)  # fmt: skip


def example_state() -> RobotState:
    numbers = np.arange(18.0)
    return RobotState(1.5, numbers, numbers + 100, numbers + 200, np.array([0.1, 0.2, 0.3, 0.9]), np.arange(3.0),
                      np.arange(3.0) + 3, 0.01, 0.02, 0.03)  # fmt: skip


@given(states)
def test_states_survive_the_messages(state: RobotState) -> None:
    stamp = convert.to_time(state.stamp)
    odometry = None if state.base is None else convert.odometry_message(state.base, stamp)
    back = convert.robot_state(convert.joint_state_message(state, stamp), convert.imu_message(state, stamp), odometry)
    assert back.stamp == pytest.approx(state.stamp, abs=1e-9)
    for name in ("position", "velocity", "effort", "orientation", "angular_velocity", "linear_acceleration",
                 "gripper_position", "gripper_velocity", "gripper_effort"):  # fmt: skip
        np.testing.assert_array_equal(getattr(back, name), getattr(state, name))
    assert (back.base is None) == (state.base is None)
    if state.base is not None:
        for name, value in vars(state.base).items():
            np.testing.assert_array_equal(getattr(back.base, name), value)


@given(st.permutations(range(19)))
def test_joints_are_matched_by_name(order: list[int]) -> None:
    state = example_state()
    message = convert.joint_state_message(state, convert.to_time(1.5))
    for label in ("name", "position", "velocity", "effort"):
        column = list(getattr(message, label))
        setattr(message, label, [column[index] for index in order])
    back = convert.robot_state(message, convert.imu_message(state, convert.to_time(1.5)))
    np.testing.assert_array_equal(back.position, state.position)
    np.testing.assert_array_equal(back.effort, state.effort)
    assert back.gripper_position == state.gripper_position


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"name": ["tail", *JOINT_NAMES[1:], "piper_gripper"]}, "missing joints FL_hip_joint"),
        ({"name": [*JOINT_NAMES, "tail"]}, "unknown joints tail"),
        ({"name": [*JOINT_NAMES, JOINT_NAMES[0]]}, "repeated joints FL_hip_joint"),
        ({"position": [0.0] * 18}, "19 names but 18 values of position"),
        ({"velocity": []}, "19 names but 0 values of velocity"),
    ],
)
def test_wrong_joint_states_are_told_in_one_line(change: dict[str, list[object]], text: str) -> None:
    state = example_state()
    message = convert.joint_state_message(state, convert.to_time(1.5))
    for name, value in change.items():
        setattr(message, name, value)
    with pytest.raises(ValueError, match=text) as caught:
        convert.robot_state(message, convert.imu_message(state, convert.to_time(1.5)))
    assert "\n" not in str(caught.value)


def test_joint_states_without_a_gripper_are_accepted() -> None:
    state = example_state()
    message = convert.joint_state_message(state, convert.to_time(1.5))
    for label in ("name", "position", "velocity", "effort"):
        setattr(message, label, list(getattr(message, label))[:18])
    assert convert.robot_state(message, convert.imu_message(state, convert.to_time(1.5))).gripper_position == 0.0


@given(vectors(18), stamps)
def test_commands_survive_the_message(position: np.ndarray, stamp: float) -> None:
    message = convert.joint_command_message(position, convert.to_time(stamp), effort=position)
    command = convert.joint_command(message, received=7.0)
    assert command.names == JOINT_NAMES and command.received == 7.0
    assert command.state_stamp == pytest.approx(stamp, abs=1e-9)
    np.testing.assert_array_equal(command.position, position)
    np.testing.assert_array_equal(command.effort, position)
    np.testing.assert_array_equal(command.velocity, np.zeros(18))


def test_commands_of_wrong_length_are_not_made() -> None:
    with pytest.raises(ValueError, match="position has shape"):
        convert.joint_command_message(np.zeros(17), convert.to_time(0.0))


@given(st.integers(0, 2**31 * 10**9 - 1))
def test_message_times_do_not_drift(nanoseconds: int) -> None:
    stamp = convert.to_time(0.0, nanoseconds)
    assert convert.to_nanoseconds(stamp) == nanoseconds
    assert 0 <= stamp.nanosec < 10**9
    # relative to a recent start, seconds and back give the same nanosecond
    start = nanoseconds - 123_456_789
    assert convert.to_time(convert.to_seconds(stamp, start), start) == stamp


@given(st.integers(0, 10**8))
def test_steps_of_5_ms_stay_on_the_grid(step: int) -> None:
    assert convert.to_nanoseconds(convert.to_time(step * 0.005)) == step * 5_000_000


def test_gripper_command() -> None:
    from sensor_msgs.msg import JointState

    assert convert.gripper_travel(JointState(name=["piper_gripper"], position=[0.02])) == 0.02
    for wrong in (JointState(), JointState(name=["hand"], position=[0.02]), JointState(name=["piper_gripper"])):
        with pytest.raises(ValueError, match="piper_gripper"):
            convert.gripper_travel(wrong)
