"""What browsers want: dead man's time, stop before everything else, leaving in the middle of something."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from moe_controller.cockpit.wishes import HOLD_TIME, Wishes

FORWARD = np.array([0.4, 0.0, 0.0])


class Clock:
    """Time that a test sets, s."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_button_that_is_no_longer_held_ends_the_drive_with_one_zero() -> None:
    clock = Clock()
    wishes = Wishes(clock)
    assert wishes.velocity() is None
    wishes.drive(FORWARD)
    clock.now += 0.9 * HOLD_TIME
    np.testing.assert_array_equal(wishes.velocity(), FORWARD)
    clock.now += 0.2 * HOLD_TIME
    np.testing.assert_array_equal(wishes.velocity(), np.zeros(3))
    assert wishes.velocity() is None


def test_a_browser_that_leaves_lets_go() -> None:
    wishes = Wishes(Clock())
    wishes.drive(FORWARD)
    wishes.velocity()
    wishes.release()
    np.testing.assert_array_equal(wishes.velocity(), np.zeros(3))
    assert wishes.velocity() is None


def test_a_stop_takes_back_what_was_wanted_before() -> None:
    wishes = Wishes(Clock())
    wishes.call("stand")
    wishes.aim(np.ones(3), np.array([0.0, 0.0, 0.0, 1.0]))
    wishes.drive(FORWARD)
    wishes.velocity()
    wishes.grip(0.01)
    wishes.stop()
    assert wishes.take_services() == [] and wishes.take_gripper() is None
    assert wishes.take_target() is None
    np.testing.assert_array_equal(wishes.velocity(), np.zeros(3))


def test_what_is_wanted_twice_is_called_once_and_in_order() -> None:
    wishes = Wishes(Clock())
    for service in ("stand", "activate", "stand"):
        wishes.call(service)
    assert wishes.take_services() == ["stand", "activate"] and wishes.take_services() == []


def test_only_the_newest_target_counts() -> None:
    wishes = Wishes()
    for height in (0.1, 0.2):
        wishes.aim(np.full(3, height), np.array([0.0, 0.0, 0.0, 1.0]))
    wishes.grip(0.01)
    target = wishes.take_target()
    assert target is not None and target[0].tolist() == [0.2] * 3
    assert wishes.take_target() is None
    assert wishes.take_gripper() == 0.01 and wishes.take_gripper() is None


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["drive", "ask", "release"]), st.floats(0.0, 1.0)), max_size=40))
def test_nothing_moves_longer_than_the_dead_man_s_time(events: list[tuple[str, float]]) -> None:
    clock = Clock()
    wishes = Wishes(clock)
    last = -np.inf
    for event, wait in events:
        clock.now += wait
        if event == "drive":
            wishes.drive(FORWARD)
            last = clock.now
        elif event == "release":
            wishes.release()
            last = -np.inf
        velocity = wishes.velocity()
        assert (velocity is not None and bool(velocity.any())) == (clock.now - last <= HOLD_TIME)
