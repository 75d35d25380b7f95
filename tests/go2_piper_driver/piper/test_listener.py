"""What the listener makes of frames: units, faults, staleness, and that nothing crashes it."""

from __future__ import annotations

import math

import numpy as np
import pytest
from go2_piper_driver.piper import frames
from go2_piper_driver.piper.listener import RIVAL_MEMORY, SLOW_TIMEOUT, STATUS_TIMEOUT, Listener
from hypothesis import given, settings
from hypothesis import strategies as st

from .feedback_frames import HOMED, Clock, feed, healthy


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def listener(clock: Clock) -> Listener:
    return Listener(clock)


def test_units(listener: Listener) -> None:
    feed(listener, healthy())
    state = listener.state()
    assert state is not None and state.enabled and state.faults == () and state.warnings == ()
    np.testing.assert_allclose(np.degrees(state.position), [10, 20, -30, 40, 50, -60])
    np.testing.assert_allclose(state.velocity, [0.0, 0.1, 0.2, 0.3, 0.4, 0.5])
    np.testing.assert_allclose(state.effort, [1.18125] * 3 + [0.95844] * 3)
    assert (state.gripper_position, state.gripper_effort) == (pytest.approx(0.02), pytest.approx(5.0))
    np.testing.assert_allclose(state.motor_temperature, 35.0)


def test_old_firmware_scales_the_currents_of_joints_1_to_3(listener: Listener) -> None:
    listener.effort_scale = (4.0, 4.0, 4.0, 1.0, 1.0, 1.0)
    feed(listener, healthy())
    state = listener.state()
    assert state is not None
    np.testing.assert_allclose(state.effort, [4.725] * 3 + [0.95844] * 3)


def test_no_state_before_every_frame_has_come(listener: Listener) -> None:
    payloads = healthy()
    for missing in payloads:
        listener.forget()
        feed(listener, {can_id: data for can_id, data in payloads.items() if can_id != missing})
        assert listener.state() is None, hex(missing)


def test_the_stamp_is_that_of_the_oldest_joint_frame(listener: Listener, clock: Clock) -> None:
    payloads = healthy()
    feed(listener, payloads)
    clock.now += 0.05
    feed(listener, {can_id: data for can_id, data in payloads.items() if can_id != frames.MOTOR_FAST[3]})
    state = listener.state()
    assert state is not None and state.stamp == pytest.approx(100.0)
    assert any("50 ms old" in text for text in state.warnings)


@pytest.mark.parametrize(("bit", "text"), [(b, t) for b, t in enumerate(frames.MOTOR_FAULT_BITS) if t])
def test_motor_bits_become_faults(listener: Listener, bit: int, text: str) -> None:
    payloads = healthy()
    slow = frames.MotorSlow(240, 33, 35, frames.MOTOR_ENABLED | 1 << bit)
    payloads[frames.MOTOR_SLOW[2]] = frames.pack_motor_slow(slow)
    feed(listener, payloads)
    state = listener.state()
    assert state is not None and state.faults == (f"piper_joint3: {text}",)


@pytest.mark.parametrize("status", range(1, 20))
def test_arm_status_becomes_a_fault_or_a_warning(listener: Listener, status: int) -> None:
    payloads = healthy()
    payloads[frames.STATUS] = frames.pack_status(frames.Status(frames.CAN_CONTROL, status))
    feed(listener, payloads)
    state = listener.state()
    assert state is not None
    assert len(state.faults) == (0 if status == 4 else 1)
    assert len(state.warnings) == (1 if status == 4 else 0)


def test_other_faults(listener: Listener) -> None:
    cases: list[tuple[int, bytes, str]] = [
        (frames.STATUS, frames.pack_status(frames.Status(frames.TEACHING)), "not under CAN control"),
        (frames.STATUS, frames.pack_status(frames.Status(1, errors=0x0010)), "piper_joint5: does not answer"),
        (frames.MOTOR_SLOW[0], frames.pack_motor_slow(frames.MotorSlow(195, 33, 35, 0x40)), "19.5 V"),
        (frames.MOTOR_SLOW[5], frames.pack_motor_slow(frames.MotorSlow(240, 33, 81, 0x40)), "piper_joint6: 81 C"),
        (frames.MOTOR_SLOW[5], frames.pack_motor_slow(frames.MotorSlow(240, 90, 35, 0x40)), "piper_joint6: 90 C"),
    ]
    for can_id, data, text in cases:
        listener.forget()
        feed(listener, {**healthy(), can_id: data})
        state = listener.state()
        assert state is not None and len(state.faults) == 1 and text in state.faults[0]


def test_what_only_warns(listener: Listener) -> None:
    cases: list[tuple[int, bytes, str]] = [
        (frames.GRIPPER, frames.pack_gripper(frames.GripperFeedback(0, 0, 0)), "not homed"),
        (frames.GRIPPER, frames.pack_gripper(frames.GripperFeedback(0, 0, HOMED | 4)), "gripper: overcurrent"),
        (frames.STATUS, frames.pack_status(frames.Status(1, errors=0x0100)), "piper_joint1: beyond"),
        (frames.MOTOR_SLOW[1], frames.pack_motor_slow(frames.MotorSlow(240, 33, 70, 0x40)), "piper_joint2: 70 C"),
    ]
    for can_id, data, text in cases:
        listener.forget()
        feed(listener, {**healthy(), can_id: data})
        state = listener.state()
        assert state is not None and state.faults == () and text in state.warnings[0]


@pytest.mark.parametrize(("ids", "after"), [(frames.MOTOR_SLOW[2:3], SLOW_TIMEOUT), ((frames.STATUS,), STATUS_TIMEOUT)])
def test_frames_that_stop_coming_become_a_fault(
    listener: Listener, clock: Clock, ids: tuple[int, ...], after: float
) -> None:
    payloads = healthy()
    feed(listener, payloads)
    for can_id in ids:
        del payloads[can_id]
    for _ in range(math.ceil(after / 0.01)):
        state = listener.state()
        assert state is not None and state.faults == ()
        clock.now += 0.0101
        feed(listener, payloads)
    state = listener.state()
    assert state is not None and "any more" in state.faults[0]


def test_commands_of_others_are_seen_until_they_have_stopped(listener: Listener, clock: Clock) -> None:
    feed(listener, healthy())
    listener.feed(frames.JOINT_COMMAND[1], bytes(8))
    state = listener.state()
    assert state is not None and "another program commands the arm (frame 0x156)" in state.faults[0]
    clock.now += RIVAL_MEMORY
    feed(listener, healthy())
    state = listener.state()
    assert state is not None and state.faults == ()


def test_all_zero_motors_are_unpowered(listener: Listener) -> None:
    feed(listener, dict.fromkeys(healthy(), bytes(8)))
    assert listener.unpowered()
    feed(listener, healthy())
    assert not listener.unpowered()


def test_the_firmware_answer_is_read_when_it_is_complete(listener: Listener, clock: Clock) -> None:
    listener.feed(frames.FIRMWARE, b"S-V1.8-1")
    assert listener.firmware() is None, "more may come: 1.8-10"
    listener.feed(frames.FIRMWARE, b"0\x00\x00\x00\x00\x00\x00\x00")
    clock.now += 0.06
    assert listener.firmware() == "S-V1.8-10"
    listener.forget_firmware()
    assert listener.firmware() is None


frame = st.tuples(
    st.one_of(st.integers(0, 0x7FF), st.sampled_from(sorted({*healthy(), *frames.COMMAND_IDS, 0x473, 0x4AF}))),
    st.binary(max_size=8),
)


@settings(deadline=None)
@given(st.lists(frame, max_size=60))
def test_any_frames_are_taken(stream: list[tuple[int, bytes]]) -> None:
    clock = Clock()
    listener = Listener(clock)
    feed(listener, healthy())
    for can_id, data in stream:
        clock.now += 0.0003
        listener.feed(can_id, data)
        state = listener.state()
        assert state is not None
        for values in (state.position, state.velocity, state.effort, state.motor_temperature):
            assert values.shape == (6,) and np.all(np.isfinite(values))
        assert all("\n" not in text for text in (*state.faults, *state.warnings))
    listener.firmware()
    assert set(listener.limits) <= set(range(1, 7))
    assert sum(listener.counts.values()) == len(stream) + len(healthy())
