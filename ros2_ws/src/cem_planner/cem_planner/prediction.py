"""The state at the time when a plan takes effect: the lag rolled forward with the commands already sent."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from .coordinates import NUM_COORDINATES
from .lag import LagParameters
from .problem import PlanState

Array = NDArray[np.float64]

LONGEST_PREDICTION = 0.5
"""s; beyond it a lag says little, and the caller is late anyway."""


class CommandHistory:
    """Commands with the time from which on each was in force."""

    def __init__(self, span: float = 1.0) -> None:
        """Keep the commands of the last `span` seconds and the one in force at their beginning."""
        if not (math.isfinite(span) and span > 0.0):
            raise ValueError(f"history: a span of {span} s is not possible")
        self._span = span
        self._stamps: list[float] = []
        self._commands: list[Array] = []

    def __len__(self) -> int:
        return len(self._stamps)

    def append(self, stamp: float, command: Array) -> None:
        """Add a command.

        Where time went back (a simulation was reset), commands from then on are forgotten.

        Args:
            stamp: s, from when on it is in force.
            command: m and rad, shape (12,); copied.

        Raises:
            ValueError: if it is not finite or of another shape.
        """
        value = np.array(command, dtype=np.float64)
        if value.shape != (NUM_COORDINATES,):
            raise ValueError(f"history: a command has shape {value.shape}: it must be ({NUM_COORDINATES},)")
        if not (math.isfinite(stamp) and np.isfinite(value).all()):
            raise ValueError("history: a command or its stamp is not finite")
        while self._stamps and self._stamps[-1] >= stamp:
            del self._stamps[-1], self._commands[-1]
        self._stamps.append(stamp)
        self._commands.append(value)
        old = bisect_right(self._stamps, stamp - self._span) - 1
        if old > 0:
            del self._stamps[:old], self._commands[:old]

    def clear(self) -> None:
        """Forget all commands."""
        self._stamps.clear()
        self._commands.clear()

    def at(self, time: float) -> Array | None:
        """Return the command in force at a time, shape (12,); None before the first that is known."""
        index = bisect_right(self._stamps, time) - 1
        return self._commands[index] if index >= 0 else None

    def pieces(self, begin: float, end: float) -> Iterator[tuple[float, Array | None]]:
        """Yield durations, s, and the command in force over each (None: not known), from `begin` to `end`."""
        time = begin
        for index in range(bisect_right(self._stamps, begin), len(self._stamps)):
            if self._stamps[index] >= end:
                break
            yield self._stamps[index] - time, self.at(time)
            time = self._stamps[index]
        if end > time:
            yield end - time, self.at(time)


def predict(
    state: PlanState, stamp: float, until: float, history: CommandHistory, lag: LagParameters, offset: Array
) -> PlanState:
    """Roll the state forward, exactly for commands that are constant between their stamps.

    Where no command is known the state is held to be at rest under one: its position is taken as the target.

    Args:
        state: measured, shape (12,) each.
        stamp: when it was measured, s.
        until: when the plan will take effect, s; not after `stamp` leaves the state as it is, and more than
            LONGEST_PREDICTION after it counts as that.
        history: commands already sent.
        lag: parameters of the coordinates.
        offset: estimated, m and rad, shape (12,).

    Raises:
        ValueError: if a time is not finite.
    """
    if not (math.isfinite(stamp) and math.isfinite(until)):
        raise ValueError(f"prediction from {stamp} s to {until} s is not possible")
    position, velocity = state.position, state.velocity
    for duration, command in history.pieces(stamp, min(until, stamp + LONGEST_PREDICTION)):
        target = position if command is None else lag.target(command, offset)
        position, velocity = lag.discrete(duration).apply(position, velocity, target)
    return PlanState(position, velocity)
