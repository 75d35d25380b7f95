"""Loses, doubles, delays and mixes feedback frames."""

from __future__ import annotations

import random
from collections import deque

from ...piper import frames
from ..can.loopcan import Frame
from .faults import PiperFaults


class WireFaults:
    """Between the emulated arm and its bus. Frames come out in cycles, in the order in which they are to be sent."""

    def __init__(self, faults: PiperFaults, seed: int) -> None:
        self._faults, self._random = faults, random.Random(seed)
        self._delayed: deque[tuple[float, list[Frame]]] = deque()
        self._last_joints: dict[int, bytes] = {}

    def pass_on(self, now: float, cycle: list[Frame]) -> list[Frame]:
        """Return what reaches the bus now, given what the arm sends now."""
        faults, rng = self._faults, self._random
        if cycle and faults.torn and rng.random() < faults.torn:
            cycle = self._tear(cycle)
        self._last_joints.update((can_id, data) for can_id, data in cycle if can_id in frames.JOINTS)
        if faults.lost:
            cycle = [frame for frame in cycle if rng.random() >= faults.lost]
        if faults.duplicated:
            cycle = [frame for frame in cycle for _ in range(1 + (rng.random() < faults.duplicated))]
        if cycle and faults.garbage and rng.random() < faults.garbage:
            cycle = [*cycle, *(self._garbage() for _ in range(5))]
        if faults.slow_lost:
            cycle = [frame for frame in cycle if frame[0] not in frames.MOTOR_SLOW]
        if faults.silent:
            self._delayed.clear()
            return []
        if not faults.late and not self._delayed:
            return cycle
        if cycle:
            self._delayed.append((now + rng.random() * faults.late, cycle))
        out: list[Frame] = []
        while self._delayed and self._delayed[0][0] <= now:  # a late cycle keeps those behind it, as a queue does
            out += self._delayed.popleft()[1]
        return out

    def _tear(self, cycle: list[Frame]) -> list[Frame]:
        """Spoil the three joint frames: one missing, two swapped, or one out of the cycle before."""
        places = [index for index, (can_id, _) in enumerate(cycle) if can_id in frames.JOINTS]
        if len(places) < len(frames.JOINTS):
            return cycle
        cycle, place = list(cycle), self._random.choice(places)
        kind = self._random.randrange(3)
        if kind == 0:
            del cycle[place]
        elif kind == 1:
            other = self._random.choice([index for index in places if index != place])
            cycle[place], cycle[other] = cycle[other], cycle[place]
        else:
            can_id = cycle[place][0]
            cycle[place] = (can_id, self._last_joints.get(can_id, cycle[place][1]))
        return cycle

    def _garbage(self) -> Frame:
        rng = self._random
        known = (frames.STATUS, frames.GRIPPER, *frames.JOINTS, *frames.MOTOR_FAST, *frames.MOTOR_SLOW)
        short = rng.random() < 0.5  # too short for a known id, or whole for an id that nobody knows
        can_id = rng.choice(known) if short else rng.randrange(0x500, 0x7F0)
        return can_id, rng.randbytes(rng.randrange(6) if short else 8)
