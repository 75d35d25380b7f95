"""A loop that keeps pace with states, on a clock of the test's own."""

from __future__ import annotations

import pytest
from moe_controller.pace import LEAD, PATIENCE, await_state
from robot_bridge.timing import FixedRate

PERIOD, WORK = 0.02, 0.004
"""s"""


class Loop:
    """Steps of a loop beside states that come at `distance` s; what handling messages costs is in each wait."""

    def __init__(self, first: float, distance: float) -> None:
        self.now, self.first, self.distance = 0.0, first, distance
        self.rate = FixedRate(PERIOD, lambda: self.now)
        self.used = -1
        self.ages: list[float] = []

    def newest(self) -> int:
        return int((self.now - self.first) / self.distance + 1e-9)

    def wait(self, patience: float) -> None:
        following = self.first + (self.newest() + 1) * self.distance
        self.now = min(self.now + patience, following) + 0.0002

    def turn(self, paced: bool) -> None:
        self.now = max(self.now, self.rate.deadline) + 0.0003
        self.rate.advance()
        if paced:
            await_state(self.rate, lambda: self.newest() >= self.used + 4, self.wait, lambda: self.now)
        self.used = self.newest()
        self.ages.append(self.now - self.first - self.used * self.distance)
        self.now += WORK


@pytest.mark.parametrize("first", [0.0, 0.0013, 0.0037, 0.0049])
@pytest.mark.parametrize("distance", [0.00498, 0.005, 0.00503])
def test_states_are_used_when_they_come(first: float, distance: float) -> None:
    loop = Loop(first, distance)
    for _ in range(300):
        loop.turn(paced=True)
    assert max(loop.ages[50:]) < 0.001
    assert loop.used == pytest.approx(4 * 300, abs=12)


def test_without_it_their_age_is_what_it_happens_to_be() -> None:
    loop = Loop(0.0013, 0.005)
    for _ in range(100):
        loop.turn(paced=False)
    assert min(loop.ages) > 0.003


def test_states_that_do_not_come_are_not_waited_for_longer_than_patience() -> None:
    now, waits = [0.0], list[float]()
    rate = FixedRate(PERIOD, lambda: now[0])

    def wait(patience: float) -> None:
        waits.append(patience)
        now[0] += min(0.002, patience)

    await_state(rate, lambda: False, wait, lambda: now[0])
    assert now[0] == pytest.approx(PATIENCE * PERIOD)
    assert waits == pytest.approx([0.005, 0.003, 0.001])
    assert rate.deadline == pytest.approx(PERIOD + now[0] - LEAD)
