"""Keeps a loop in step with the states that it computes from: their age when they are used is latency. ROS-free."""

from __future__ import annotations

import time
from collections.abc import Callable

from robot_bridge.timing import FixedRate

LEAD = 0.001
"""s before the next state is due at which the loop wakes up."""
PATIENCE = 0.25
"""Part of a control period to wait for it: the distance of two states at 200 Hz."""


def await_state(
    rate: FixedRate,
    here: Callable[[], bool],
    wait: Callable[[float], None],
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Wait for the state to compute from, if it is about to come, and let the loop wake up `LEAD` before the next one.

    Without this the loop and the states keep the distance in time that they happened to start with.

    Args:
        rate: of the loop, in a period that has just begun; its later deadlines move.
        here: whether the state has come.
        wait: sleeps until messages are there, at most so many s, and takes them.
        clock: s; that of `rate`.
    """
    began, patience = clock(), PATIENCE * rate.period
    while not here() and (waited := clock() - began) < patience:
        wait(patience - waited)
    rate.shift(clock() - began - LEAD)
