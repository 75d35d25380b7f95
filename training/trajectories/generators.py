"""Trajectories from nothing: random poses, pushing, tossing. All stay where a standing robot's arm reaches."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

import numpy as np
from moe_controller.targets import natural_rotation, sample_poses
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from .motion import Motion, SpeedLimits, Way, move, peak_speeds, sequence_of, straight
from .sequence import HIGHEST_RATE, PoseSequence, TrajectoryError
from .workspace import HandState, Workspace

Array = NDArray[np.float64]
T = TypeVar("T")

ATTEMPTS = 1000
"""Draws of one motion before giving up; some percent of them fail."""
LONGEST = 600.0
"""s"""

PUSH_LENGTH = (0.10, 0.20)
"""m at constant height and speed."""
PUSH_RUN_UP = (0.03, 0.05)
"""m before and after it, in which the hand speeds up and slows down."""
PUSH_SPEED = 0.5
"""m/s; faster is no push any more."""
CALM = 0.15
"""Part of the highest speed at which tossing swings back and returns."""


def random_motions(rng: np.random.Generator, space: Workspace, limits: SpeedLimits) -> Iterator[Motion]:
    """Go from one reachable pose of the target region to the next, smoothly, with a stop at each."""
    state = space.home
    while True:

        def draw(start: HandState = state) -> tuple[Motion, HandState] | None:
            (position,), (rotation,) = sample_poses(rng, 1, space.region, space.arm)
            end = space.state(position, rotation)
            motion = move(space, straight(space, start, end), limits.draw(rng))
            return None if motion is None else (motion, end)

        motion, state = _until(draw)
        yield motion


def pushing_motions(rng: np.random.Generator, space: Workspace, limits: SpeedLimits) -> Iterator[Motion]:
    """Again and again: approach, push straight forward at constant height, speed and orientation, retreat."""
    state = space.home
    while True:

        def draw(start: HandState = state) -> tuple[list[Motion], HandState] | None:
            line, length, run_up = _push_line(rng, space)
            begin = space.state(*(values[0] for values in line(np.zeros(1))))
            speed = min(limits.draw(rng)[0], max(PUSH_SPEED, limits.linear[0]))
            push = _push(space, line, length, run_up, speed)
            if push is None:
                return None
            approach = move(space, straight(space, start, begin), limits.draw(rng))
            retreat = move(space, lambda part: line(1.0 - part), limits.draw(rng))
            if approach is None or retreat is None:
                return None
            return [approach, push, retreat], begin

        motions, state = _until(draw)
        yield from motions


def _push_line(rng: np.random.Generator, space: Workspace) -> tuple[Way, float, float]:
    """Return a level line away from the shoulder, its length without the run-ups, and one run-up, m."""
    azimuth, height, near = rng.uniform(-0.4, 0.4), rng.uniform(-0.03, 0.25), rng.uniform(0.26, 0.34)
    length, run_up = rng.uniform(*PUSH_LENGTH), rng.uniform(*PUSH_RUN_UP)
    direction = np.array([np.cos(azimuth), np.sin(azimuth), 0.0])
    start = space.arm.shoulder + near * direction + np.array([0.0, 0.0, height])
    whole = length + 2.0 * run_up
    middle = start + 0.5 * whole * direction
    turn = Rotation.from_rotvec(rng.uniform(-0.15, 0.15, 3)).as_matrix()
    rotation = natural_rotation(middle, space.arm.shoulder) @ turn

    def line(part: Array) -> tuple[Array, Array]:
        return start + part[:, None] * whole * direction, np.broadcast_to(rotation, (len(part), 3, 3))

    return line, length, run_up


def _push(space: Workspace, line: Way, length: float, run_up: float, speed: float) -> Motion | None:
    """Return the motion along the line: a smooth run-up, constant speed (m/s), a smooth stop. None where it cannot."""
    end, _ = line(np.ones(1))
    if np.linalg.norm(end[0] - space.arm.shoulder) > space.region.radius[1]:
        return None
    ramp, cruise = 2.0 * run_up / speed, length / speed  # a ramp covers half of what its time would at full speed
    duration = 2.0 * ramp + cruise

    def profile(time: Array) -> Array:
        t = time * duration
        up, down = (np.clip(t / ramp, 0.0, 1.0), np.clip((t - ramp - cruise) / ramp, 0.0, 1.0))
        steady = np.clip(t - ramp, 0.0, cruise)
        return speed * (ramp * _eased(up) + steady + ramp * (down - _eased(down))) / (length + 2.0 * run_up)

    peaks = peak_speeds(space, line, profile)
    return None if peaks is None or peaks[2] > duration else Motion(line, profile, duration)


def _eased(time: Array) -> Array:
    """Return the integral of a smooth step from 0 to 1: 0.5 at the end."""
    return time**4 * (2.5 - 3.0 * time + time**2)


def tossing_motions(rng: np.random.Generator, space: Workspace, limits: SpeedLimits) -> Iterator[Motion]:
    """Again and again: swing back, throw up and forward, fastest half-way, follow through, come back."""
    state = space.home
    while True:

        def draw(start: HandState = state) -> tuple[list[Motion], HandState] | None:
            azimuth = rng.uniform(-0.5, 0.5)
            back = HandState(np.array([rng.uniform(0.28, 0.33), azimuth, rng.uniform(0.0, 0.1)]), _pitch(0.15))
            thrown = HandState(np.array([rng.uniform(0.48, 0.54), azimuth, rng.uniform(0.25, 0.5)]), _pitch(-0.1))
            neutral = HandState(np.array([0.42, azimuth, rng.uniform(0.1, 0.3)]), _pitch(0.0))
            fast, turn = limits.linear[1], limits.angular[1]
            calm = max(CALM * fast, limits.linear[0])
            motions = [
                move(space, straight(space, start, back), (calm, turn)),
                move(space, straight(space, back, thrown), (rng.uniform(max(0.5 * fast, calm), fast), turn)),
                move(space, straight(space, thrown, neutral), (calm, turn)),
            ]
            found = [motion for motion in motions if motion is not None]
            return (found, neutral) if len(found) == len(motions) else None

        motions, state = _until(draw)
        yield from motions


def _pitch(angle: float) -> Array:
    return np.array([angle, 0.0, 0.0])


def _until(draw: Callable[[], T | None]) -> T:
    """Draw until something comes that the arm can do."""
    for _ in range(ATTEMPTS):
        drawn = draw()
        if drawn is not None:
            return drawn
    raise TrajectoryError(f"{ATTEMPTS} motions drawn and none can be done: are the speeds sensible?")


KINDS: dict[str, Callable[[np.random.Generator, Workspace, SpeedLimits], Iterator[Motion]]] = {
    "random": random_motions,
    "pushing": pushing_motions,
    "tossing": tossing_motions,
}


def generate(
    kind: str,
    count: int,
    seed: int,
    *,
    duration: float = 15.0,
    rate: float = 200.0,
    limits: SpeedLimits | None = None,
) -> list[PoseSequence]:
    """Return new trajectories. The same arguments give the same numbers, and sequence i does not depend on `count`.

    Args:
        kind: one of KINDS.
        count: how many, 1 or more.
        seed: 0 or more.
        duration: of each, s; what they do is repeated until then and cut off.
        rate: poses per s.
        limits: of the speeds; None for the defaults.

    Raises:
        TrajectoryError: an argument makes no sense.
    """
    if kind not in KINDS:
        raise TrajectoryError(f"unknown kind '{kind}'; known: {', '.join(KINDS)}")
    if count < 1 or seed < 0:
        raise TrajectoryError(f"count {count} and seed {seed}: at least 1 and 0 are needed")
    if not 0.0 < duration <= LONGEST or not 1.0 / duration <= rate <= HIGHEST_RATE:
        raise TrajectoryError(f"duration {duration:g} s at {rate:g} Hz: up to {LONGEST:g} s, {HIGHEST_RATE:g} Hz")
    space, limits = Workspace(), limits or SpeedLimits()
    return [_reachable(kind, [seed, i], space, limits, duration, rate, f"{kind}_{i}") for i in range(count)]


def _reachable(
    kind: str, seed: list[int], space: Workspace, limits: SpeedLimits, duration: float, rate: float, name: str
) -> PoseSequence:
    """Return a sequence of whose poses none is out of reach.

    Motions are looked at in steps; near a straight wrist the limit of joint 6 may lie between two of them.
    """
    for attempt in range(ATTEMPTS):
        rng = np.random.default_rng([*seed, attempt] if attempt else seed)
        sequence = sequence_of(KINDS[kind](rng, space, limits), duration, rate, name)
        if space.reaches(sequence.positions, Rotation.from_quat(sequence.orientations).as_matrix()):
            return sequence
    raise TrajectoryError(f"{ATTEMPTS} sequences drawn and the arm reaches none: is {duration:g} s too long?")
