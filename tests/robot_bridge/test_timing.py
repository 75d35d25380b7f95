"""Fixed-rate deadlines and latency statistics, on a clock of the test's own."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from robot_bridge.timing import FixedRate, LatencyTracker


class FakeClock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_deadlines_do_not_drift_when_the_loop_is_a_little_late() -> None:
    clock = FakeClock()
    rate = FixedRate(0.1, clock)
    for turn in range(1, 11):
        assert rate.deadline == pytest.approx(100.0 + 0.1 * turn)
        clock.now = rate.deadline + 0.03
        assert rate.advance() == 0
    assert rate.overruns == 0 and rate.skipped == 0


def test_a_late_loop_skips_instead_of_catching_up() -> None:
    clock = FakeClock()
    rate = FixedRate(0.1, clock)
    clock.now = 100.1 + 0.35
    assert rate.advance() == 3
    assert rate.deadline == pytest.approx(100.5)
    assert rate.remaining() == pytest.approx(0.05)
    assert rate.overruns == 1 and rate.skipped == 3


@given(st.lists(st.floats(0.0, 5.0), min_size=1, max_size=50))
def test_the_next_deadline_is_never_behind_by_a_period(delays: list[float]) -> None:
    clock = FakeClock()
    rate = FixedRate(0.1, clock)
    for turn, delay in enumerate(delays, start=1):
        clock.now = max(clock.now, rate.deadline) + delay
        rate.advance()
        assert rate.deadline > clock.now - 1e-9
        # on the grid: periods run plus periods skipped
        assert rate.deadline == pytest.approx(100.0 + 0.1 * (turn + 1 + rate.skipped), abs=1e-6)


def test_restart_forgets_a_pause() -> None:
    clock = FakeClock()
    rate = FixedRate(0.1, clock)
    clock.now = 200.0
    rate.restart()
    assert rate.remaining() == pytest.approx(0.1) and rate.skipped == 0


def test_a_shift_moves_all_later_deadlines() -> None:
    clock = FakeClock()
    rate = FixedRate(0.1, clock)
    rate.shift(-0.02)
    assert rate.remaining() == pytest.approx(0.08)
    clock.now = rate.deadline
    assert rate.advance() == 0
    assert rate.deadline == pytest.approx(100.18)


@pytest.mark.parametrize("period", [0.0, -1.0, float("nan")])
def test_periods_that_cannot_be(period: float) -> None:
    with pytest.raises(ValueError, match="period"):
        FixedRate(period)


def test_percentiles_are_of_the_window_and_the_count_of_all() -> None:
    tracker = LatencyTracker(window=100)
    for value in range(1000):
        tracker.add(float(value))
    window = np.arange(900.0, 1000.0)
    assert tracker.count == 1000
    assert tracker.p50 == np.percentile(window, 50) and tracker.p99 == np.percentile(window, 99)
    assert tracker.max == 999.0


def test_no_latency_is_not_a_number() -> None:
    tracker = LatencyTracker()
    assert math.isnan(tracker.p50) and math.isnan(tracker.max) and tracker.count == 0
