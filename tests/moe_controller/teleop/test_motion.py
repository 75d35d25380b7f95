"""Motion by keys and sticks: the dead man's time, limits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from moe_controller.teleop.keys import deflections
from moe_controller.teleop.motion import DEAD_MAN_TIME, START, WORKSPACE_HIGH, WORKSPACE_LOW, Motion

FORWARD, NOTHING = np.array([1.0, 0.0, 0.0]), np.zeros(3)


class Clock:
    """Time that a test sets, s."""

    def __init__(self) -> None:
        self.now = 10.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_nothing_held_sends_nothing(clock: Clock) -> None:
    assert Motion(clock).step() == (None, False, False)


def test_what_is_no_longer_held_ends_with_one_zero(clock: Clock) -> None:
    motion = Motion(clock)
    motion.hold(FORWARD, NOTHING)
    velocity = motion.step()[0]
    assert velocity is not None and velocity.tolist() == [motion.speeds.forward, 0.0, 0.0]
    clock.now += 1.01 * DEAD_MAN_TIME
    velocity = motion.step()[0]
    assert velocity is not None and not velocity.any()
    assert motion.step()[0] is None


def test_letting_go_ends_at_once(clock: Clock) -> None:
    motion = Motion(clock)
    motion.hold(FORWARD, FORWARD)
    motion.step()
    motion.release()
    clock.now += 0.05
    velocity, moved, _ = motion.step()
    assert velocity is not None and not velocity.any() and not moved


def test_the_target_moves_at_its_speed_and_a_pause_is_no_jump(clock: Clock) -> None:
    motion = Motion(clock)
    clock.now += 100.0  # nobody stepped for long
    motion.hold(NOTHING, FORWARD)
    assert motion.step()[1]
    assert motion.target[0] - START[0] <= 0.1 * motion.speeds.target + 1e-9


def test_numbers_that_are_none_let_go(clock: Clock) -> None:
    motion = Motion(clock)
    motion.hold(np.array([np.nan, 0.0, 0.0]), NOTHING)
    assert motion.step() == (None, False, False)


@settings(deadline=None)
@given(st.lists(st.tuples(st.lists(st.floats(-5, 5), min_size=7, max_size=7), st.floats(0.0, 1.0)), max_size=60))
def test_targets_stay_in_the_workspace_and_speeds_in_their_limits(steps: list[tuple[list[float], float]]) -> None:
    clock = Clock()
    motion = Motion(clock)
    limit = np.array([motion.speeds.forward, motion.speeds.sideways, motion.speeds.turn])
    for values, wait in steps:
        motion.hold(np.array(values[:3]), np.array(values[3:6]), values[6])
        clock.now += wait
        velocity, _, _ = motion.step()
        assert np.all(motion.target >= WORKSPACE_LOW) and np.all(motion.target <= WORKSPACE_HIGH)
        assert 0.0 <= motion.gripper <= 0.035
        assert velocity is None or np.all(np.abs(velocity) <= limit + 1e-12)
        assert wait <= DEAD_MAN_TIME or velocity is None or not velocity.any()


def test_keys() -> None:
    held = deflections("wwqu")
    assert held is not None
    assert held[0].tolist() == [1.0, 0.0, 1.0] and held[1].tolist() == [0.0, 0.0, 1.0] and held[2] == 0.0
    assert deflections("ws") is not None and not deflections("ws")[0].any()  # type: ignore[index]
    assert deflections("") is None and deflections(" 1zZ") is None
