"""What holds for the host's watchdog whatever bridge and robot do."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from robot_bridge.host.watchdog import Limits, Watchdog

LIMITS = Limits(silence=0.1, state=0.05)
GOOD = (0.005, False, 0.002)
"""Fresh targets that damp, a fresh state."""


def _released() -> Watchdog:
    watchdog = Watchdog(LIMITS)
    assert not watchdog.damps(*GOOD)
    return watchdog


def test_begins_latched_and_is_released_by_targets_that_damp() -> None:
    watchdog = Watchdog(LIMITS)
    assert watchdog.damps(None, False, 0.002)
    assert watchdog.damps(0.005, True, 0.002)  # a standing robot's targets do not begin
    assert not watchdog.damps(*GOOD)
    assert not watchdog.damps(0.005, True, 0.002)


@pytest.mark.parametrize(
    ("target_age", "state_age", "reason"),
    [(0.101, 0.002, "silent"), (0.005, 0.051, "old"), (0.005, None, "no robot state"), (-0.01, 0.002, "silent")],
)
def test_each_age_latches(target_age: float, state_age: float | None, reason: str) -> None:
    watchdog = _released()
    assert watchdog.damps(target_age, True, state_age)
    assert watchdog.reason is not None and reason in watchdog.reason
    assert watchdog.trips == 1
    assert watchdog.damps(0.005, True, 0.002)  # who comes back does not go on
    assert not watchdog.damps(*GOOD)


_age = st.none() | st.floats(-1.0, 1.0)


@given(st.lists(st.tuples(_age, st.booleans(), _age), max_size=40))
def test_legs_are_held_only_after_targets_that_damp_and_without_a_fault_since(
    turns: list[tuple[float | None, bool, float | None]],
) -> None:
    watchdog, released = Watchdog(LIMITS), False
    for target_age, holds, state_age in turns:
        fresh = (
            target_age is not None
            and 0.0 <= target_age <= LIMITS.silence
            and state_age is not None
            and 0.0 <= state_age <= LIMITS.state
        )
        released = fresh and (released or not holds)
        assert watchdog.damps(target_age, holds, state_age) is not released
        assert (watchdog.reason is None) is released
