"""Round trips of a torque to and fro, with a motor that answers late."""

from __future__ import annotations

import pytest

from benchmarks.round_trip import TORQUE, RoundTrips


def test_the_time_until_the_answer_is_measured() -> None:
    trips, late, answers = RoundTrips(), 7, [0.0] * 7
    for turn in range(1000):
        now = 0.002 * turn
        trips.measured(answers[turn], now)
        answers.append(trips.torque(now))
    assert abs(answers[-1]) == TORQUE and len(trips.seconds) > 20
    assert trips.percentiles_ms() == pytest.approx([2.0 * late] * 3)


def test_without_an_answer_there_is_no_figure() -> None:
    trips = RoundTrips()
    trips.torque(0.0)
    trips.measured(0.0, 0.002)
    assert all(value != value for value in trips.percentiles_ms())
