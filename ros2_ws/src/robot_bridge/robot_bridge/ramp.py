"""Smooth joint motions through a few poses: standing up, sitting down, coming to a stand."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from go2_piper_description.joints import ARM_SLICE, LEG_SLICE, joint_array

from .types import Array

STAND_POSE = joint_array("stand")
REST_POSE = joint_array("rest")
BRACE_POSE = joint_array("brace")
_PEAK_TO_MEAN = np.pi / 2
"""Peak over mean velocity of the cosine blend."""


@dataclass(frozen=True)
class Ramp:
    """A motion through `poses` (K, 18), rad, reached at `times` (K,), s; it rests at every pose."""

    times: tuple[float, ...]
    poses: tuple[Array, ...]

    @property
    def end(self) -> float:
        """When the last pose is reached, s."""
        return self.times[-1]

    @property
    def start(self) -> float:
        """When the motion begins, s."""
        return self.times[0]

    def at(self, now: float) -> Array:
        """Return the pose at `now`, rad, shape (18,)."""
        if now >= self.end:
            return self.poses[-1]
        index = max(int(np.searchsorted(self.times, now, side="right")) - 1, 0)
        span = self.times[index + 1] - self.times[index]
        phase = min(max((now - self.times[index]) / span, 0.0), 1.0)
        blend = 0.5 - 0.5 * np.cos(np.pi * phase)
        return self.poses[index] + blend * (self.poses[index + 1] - self.poses[index])


def make_ramp(now: float, poses: tuple[Array, ...], durations: tuple[float, ...], max_velocity: float) -> Ramp:
    """Return a ramp from `now`; a stage takes longer than asked where a joint would exceed `max_velocity`, rad/s."""
    times = [now]
    for start, goal, duration in zip(poses, poses[1:], durations, strict=False):
        needed = _PEAK_TO_MEAN * float(np.max(np.abs(goal - start))) / max_velocity
        times.append(times[-1] + max(duration, needed))
    return Ramp(tuple(times), poses)


def stand_ramp(now: float, measured: Array, duration: float, max_velocity: float) -> Ramp:
    """Stand up: the legs rise first with the arm where it is, then the arm unfolds over the standing robot."""
    risen = measured.copy()
    risen[LEG_SLICE] = STAND_POSE[LEG_SLICE]
    return make_ramp(now, (measured, risen, STAND_POSE), (0.6 * duration, 0.4 * duration), max_velocity)


def sit_ramp(stop: Ramp, duration: float, max_velocity: float) -> Ramp:
    """Sit down: come to a stand by `stop`, bring the arm home and fold it over the robot, then lower the robot.

    Coming home first keeps the folding arm clear of head and trunk wherever it was.
    """
    folded = STAND_POSE.copy()
    folded[ARM_SLICE] = REST_POSE[ARM_SLICE]
    poses = (stop.poses[-1], STAND_POSE, folded, REST_POSE)
    lower = make_ramp(stop.end, poses, (0.2 * duration, 0.4 * duration, 0.4 * duration), max_velocity)
    return Ramp(stop.times[:1] + lower.times, stop.poses[:1] + lower.poses)


def settle_ramp(now: float, start: Array, duration: float) -> Ramp:
    """Come to a stand with calm legs: they go to the stand pose in the given time, the arm stays."""
    return Ramp((now, now + duration), (start, _with_legs(start, STAND_POSE)))


def brace_ramp(now: float, start: Array, duration: float) -> Ramp:
    """Come to a stop out of a stride: the legs drop into the low, wide stance that catches the robot, the arm stays."""
    return Ramp((now, now + duration), (start, _with_legs(start, BRACE_POSE)))


def rise_again(brace: Ramp, rest: float, duration: float, max_velocity: float) -> Ramp:
    """Return `brace` with what follows where the robot may stay up: a rest of `rest` s, then up to the stand pose."""
    low = brace.poses[-1]
    up = make_ramp(brace.end + rest, (low, _with_legs(low, STAND_POSE)), (duration,), max_velocity)
    return Ramp(brace.times + up.times, brace.poses + up.poses)


def _with_legs(pose: Array, legs: Array) -> Array:
    result = pose.copy()
    result[LEG_SLICE] = legs[LEG_SLICE]
    return result
