"""Motions of the hand: a way, how it is run through over time, and at what speed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from go2_piper_description.joints import ARM_SLICE, joint_array
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from .sequence import PoseSequence, TrajectoryError
from .workspace import HandState, Workspace

Array = NDArray[np.float64]
Way = Callable[[Array], tuple[Array, Array]]
"""Parts of the way (n,), 0 to 1, to positions (n, 3), m, and rotations (n, 3, 3) in the task frame."""
Profile = Callable[[Array], Array]
"""Parts of the time (n,), 0 to 1, to parts of the way."""

GRID = 200
"""Places along a way where speeds and reach are looked at."""
MARGIN = 1.01
"""On durations: between the places of the grid the speed is a little higher."""
JOINT_SPEED = 0.9 * joint_array("velocity")[ARM_SLICE]
"""rad/s that a motion asks of the joints at most; the rest is left for following."""


@dataclass(frozen=True)
class SpeedLimits:
    """Ranges that the highest speed of each motion is drawn from. Raises TrajectoryError."""

    linear: tuple[float, float] = (0.05, 2.0)
    """m/s"""
    angular: tuple[float, float] = (0.1, 3.0)
    """rad/s"""

    def __post_init__(self) -> None:
        for what, (low, high) in (("linear", self.linear), ("angular", self.angular)):
            if not 0.0 < low <= high < np.inf:
                raise TrajectoryError(f"{what} speed limits {low:g} and {high:g}: 0 < low <= high is needed")

    def draw(self, rng: np.random.Generator) -> tuple[float, float]:
        """Return the highest linear and angular speed of one motion."""
        return rng.uniform(*self.linear), rng.uniform(*self.angular)


@dataclass(frozen=True)
class Motion:
    """A way with its timing."""

    way: Way
    profile: Profile
    duration: float
    """s"""

    def poses(self, times: Array) -> tuple[Array, Array]:
        """Return positions (n, 3) and rotations (n, 3, 3) at times (n,), s from its start."""
        return self.way(self.profile(np.clip(times / self.duration, 0.0, 1.0)))


def min_jerk(time: Array) -> Array:
    """Return parts of the way of minimum jerk, which starts and ends at rest; parts of the time are 0 to 1."""
    return time**3 * (10.0 - 15.0 * time + 6.0 * time**2)


def straight(space: Workspace, start: HandState, end: HandState) -> Way:
    """Return the way that is straight in place about the shoulder and in turn."""

    def way(part: Array) -> tuple[Array, Array]:
        mix = part[:, None]
        place, turn = start.place + mix * (end.place - start.place), start.turn + mix * (end.turn - start.turn)
        return space.poses(place, turn)

    return way


def peak_speeds(space: Workspace, way: Way, profile: Profile = min_jerk) -> tuple[float, float, float] | None:
    """Return the highest speeds of a way that takes 1 s: m/s, rad/s, and joints as a multiple of JOINT_SPEED.

    None where the arm cannot go the way.
    """
    positions, rotations = way(profile(np.linspace(0.0, 1.0, GRID)))
    steps = space.joint_steps(positions, rotations)
    if steps is None:
        return None
    turns = Rotation.from_matrix(rotations)
    linear = np.linalg.norm(np.diff(positions, axis=0), axis=1)
    angular = (turns[:-1].inv() * turns[1:]).magnitude()
    return tuple(float(values.max()) * (GRID - 1) for values in (linear, angular, steps / JOINT_SPEED))  # type: ignore[return-value]


def move(space: Workspace, way: Way, speeds: tuple[float, float]) -> Motion | None:
    """Return a motion from rest to rest that reaches one of the speeds (m/s, rad/s) and keeps below the other.

    None where the arm cannot go the way; slower than asked where its joints are.
    """
    peaks = peak_speeds(space, way)
    if peaks is None:
        return None
    duration = max(peaks[0] / speeds[0], peaks[1] / speeds[1], peaks[2])
    return Motion(way, min_jerk, max(MARGIN * duration, 1e-3))


def sequence_of(motions: Iterator[Motion], duration: float, rate: float, name: str) -> PoseSequence:
    """Return motions one after the other, cut off at a duration, s, as poses at a rate, Hz."""
    times = np.arange(round(duration * rate) + 1) / rate
    positions, rotations = np.empty((len(times), 3)), np.empty((len(times), 3, 3))
    begin, row = 0.0, 0
    while row < len(times):
        motion = next(motions)
        end = max(int(np.searchsorted(times, begin + motion.duration)), row)
        positions[row:end], rotations[row:end] = motion.poses(times[row:end] - begin)
        begin, row = begin + motion.duration, end
    return PoseSequence(positions, Rotation.from_matrix(rotations).as_quat(), rate, name)
