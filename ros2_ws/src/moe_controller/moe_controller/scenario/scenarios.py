"""What an operator asks of the robot, as a timeline of goals made from a seed. ROS-free.

Lengths in m, times in s, angles in rad. A goal gives an end-effector target, an end-effector path or a velocity
command, and is held for a time or until the end effector has arrived.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np
from go2_piper_description.joints import ARM_SLICE, joint_array
from go2_piper_description.kinematics import ArmKinematics
from numpy.typing import NDArray

from ..contract import TargetRegion, VelocityLimits
from ..targets import sample_targets

Array = NDArray[np.float64]
Vec3 = tuple[float, float, float]

BASE_FRAME = "base_link"
ODOM_FRAME = "odom"

REACH_TARGETS = 20
REACH_HOLD = 4.0
WALK_HOLD = 5.0
FAR_TARGETS = 6
FAR_HOLD = 12.0
"""Longest time for one far target."""
FAR_DISTANCE = (1.0, 2.5)
"""From where the robot stands to the next far target, on the ground."""
FAR_HEIGHT = (0.35, 0.60)
"""Of a far target above the ground: between a low shelf and the shoulder plus 0.13 m."""
FAR_STANDOFF = 0.45
"""Where the robot is expected to stop in front of a far target."""
FAR_AREA = 4.0
"""Far targets stay in a square of this half length about the start."""
PATH_LEAD_IN = 2.0
"""Time to get from anywhere to the start of a path; not scored."""
PATH_STEP = 0.1
"""Between two points of a path."""


class ScenarioError(ValueError):
    """A scenario that cannot be played; one line that says why."""


@dataclass(frozen=True)
class PathPoint:
    """Where `ee_link` should be at `time` after the start of its path."""

    time: float
    position: Vec3


@dataclass(frozen=True)
class Goal:
    """One thing to ask for. At most one of target, path and velocity is set."""

    label: str
    hold: float
    """How long the goal stands; with `until_arrival`, at most."""
    target: Vec3 | None = None
    frame: str = BASE_FRAME
    """Frame of target and path."""
    path: tuple[PathPoint, ...] = ()
    velocity: Vec3 | None = None
    """vx, vy in m/s and wz in rad/s, in base_link."""
    until_arrival: bool = False

    def reference(self, elapsed: Array) -> Array:
        """Return where `ee_link` should be, shape (n, 3) in `frame`; NaN where the goal does not say.

        Args:
            elapsed: times since the goal began, shape (n,).
        """
        if self.target is not None:
            return np.tile(np.asarray(self.target), (len(elapsed), 1))
        if not self.path:
            return np.full((len(elapsed), 3), np.nan)
        times = np.array([point.time for point in self.path])
        points = np.array([point.position for point in self.path])
        return np.stack([np.interp(elapsed, times, points[:, axis]) for axis in range(3)], axis=1)


def _vector(values: Array) -> Vec3:
    x, y, z = (round(float(value), 4) + 0.0 for value in values)  # + 0.0 turns -0.0 into 0.0
    return (x, y, z)


HOME_TARGET = _vector(ArmKinematics().ee_position(joint_array("stand")[ARM_SLICE]))
"""Where `ee_link` is in base_link while the robot stands."""


def _reach(seed: int) -> Iterator[Goal]:
    generator = np.random.default_rng(seed)
    shoulder = ArmKinematics().shoulder
    number = 0
    while True:
        number += 1
        position = sample_targets(generator, 1, TargetRegion(), shoulder)[0]
        yield Goal(f"target {number}", REACH_HOLD, target=_vector(position))


def _walk(seed: int) -> Iterator[Goal]:
    generator = np.random.default_rng(seed)
    limits = VelocityLimits()
    while True:
        side, turn, arc = generator.choice([-1.0, 1.0], size=3)
        part = generator.uniform(0.5, 0.8, size=5)
        commands: tuple[tuple[str, float, float, float], ...] = (
            ("forward", limits.vx[1] * part[0], 0.0, 0.0),
            ("turning", 0.0, 0.0, limits.wz[1] * part[1] * turn),
            ("sideways", 0.0, limits.vy[1] * part[2] * side, 0.0),
            ("arc", limits.vx[1] * part[3] * 0.7, 0.0, limits.wz[1] * 0.5 * arc),
            ("back", limits.vx[0] * part[4], 0.0, 0.0),
            ("standing", 0.0, 0.0, 0.0),
        )
        for label, vx, vy, wz in commands:
            yield Goal(label, WALK_HOLD, velocity=_vector(np.array([vx, vy, wz])))


def _walk_and_reach(seed: int) -> Iterator[Goal]:
    generator = np.random.default_rng(seed)
    stand, heading = np.zeros(2), 0.0
    number = 0
    while True:
        bearing = heading + generator.uniform(-2.0, 2.0)
        direction = np.array([np.cos(bearing), np.sin(bearing)])
        ground = stand + generator.uniform(*FAR_DISTANCE) * direction
        height = generator.uniform(*FAR_HEIGHT)
        if np.max(np.abs(ground)) > FAR_AREA:
            heading = float(np.arctan2(-stand[1], -stand[0]))  # try again, roughly towards the start
            continue
        number += 1
        target = _vector(np.array([*ground, height]))
        yield Goal(f"far target {number}", FAR_HOLD, target=target, frame=ODOM_FRAME, until_arrival=True)
        stand, heading = ground - FAR_STANDOFF * direction, bearing


def _path(shape: Callable[[Array], Array], centre: Vec3, duration: float) -> tuple[PathPoint, ...]:
    times = np.arange(0.0, duration + PATH_STEP / 2, PATH_STEP)
    # the phase starts and ends at rest: smooth for a robot that starts and ends standing
    share = np.clip((times - PATH_LEAD_IN) / (duration - PATH_LEAD_IN), 0.0, 1.0)
    phase = 2 * np.pi * (share - np.sin(2 * np.pi * share) / (2 * np.pi))
    points = np.asarray(centre) + shape(phase)
    return tuple(
        PathPoint(round(float(time), 3), (float(x), float(y), float(z)))
        for time, (x, y, z) in zip(times, points, strict=True)
    )


def _circle(phase: Array) -> Array:
    return 0.10 * np.stack([np.zeros_like(phase), np.sin(phase), 1 - np.cos(phase)], axis=1)


def _eight(phase: Array) -> Array:
    return np.stack([np.zeros_like(phase), 0.14 * np.sin(phase), 0.07 * np.sin(2 * phase)], axis=1)


def _trajectory(seed: int) -> Iterator[Goal]:
    generator = np.random.default_rng(seed)
    while True:
        duration = round(float(generator.uniform(13.0, 16.0)), 1)
        yield Goal("circle", duration, path=_path(_circle, (0.42, 0.0, 0.22), duration))
        yield Goal("figure eight", duration, frame=ODOM_FRAME, path=_path(_eight, (0.42, 0.0, 0.60), duration))


def _none(seed: int) -> Iterator[Goal]:
    yield from ()


@dataclass(frozen=True)
class _Scenario:
    goals: Callable[[int], Iterator[Goal]]
    count: int
    """Goals played when no duration is asked for."""


_SCENARIOS: dict[str, _Scenario] = {
    "none": _Scenario(_none, 0),
    "reach": _Scenario(_reach, REACH_TARGETS),
    "walk": _Scenario(_walk, 6),
    "walk-and-reach": _Scenario(_walk_and_reach, FAR_TARGETS),
    "trajectory": _Scenario(_trajectory, 2),
}

SCENARIOS: tuple[str, ...] = tuple(_SCENARIOS)


def goals(name: str, seed: int, duration: float | None = None) -> Iterator[Goal]:
    """Return the goals of a scenario in the order in which they are played.

    Args:
        name: one of `SCENARIOS`.
        seed: the same seed gives the same goals.
        duration: s to fill with goals, endlessly many if some end early; None for the usual number.

    Raises:
        ScenarioError: no such scenario, or a duration that is not positive.
    """
    if name not in _SCENARIOS:
        raise ScenarioError(f"unknown scenario '{name}': choose one of {', '.join(SCENARIOS)}")
    if duration is not None and not duration > 0:
        raise ScenarioError(f"duration {duration} s is not positive")
    scenario = _SCENARIOS[name]
    stream = scenario.goals(seed)
    return islice(stream, scenario.count) if duration is None else stream
