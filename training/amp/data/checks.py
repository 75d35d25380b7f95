"""Whether motion is fit to learn from: each clip measured, and held against limits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from ..motion import Motion
from .kinematics import FAR, RobotKinematics
from .signals import differences, turn_rates

Array = NDArray[np.float64]

CONTACT = 0.005
"""m; a key part nearer to the floor counts as on it."""


@dataclass(frozen=True)
class Limits:
    """The most that passes. Chosen so that rollouts of a simulated walk pass and a visible flaw does not."""

    root_velocity: float = 0.1
    """m/s, rms difference from the positions' differences; a simulated trot has 0.02 at 50 Hz."""
    turn_rate: float = 0.3
    """rad/s, the same for the root's turn; a simulated trot has 0.14."""
    joint_velocity: float = 0.45
    """The same for joints, as part of their rms speed + 1 rad/s; feet that land between frames make up to 0.36."""
    joint_scale: float = 0.2
    """Part by which joint velocities are too large or too small as a whole; landing feet make 0.11."""
    joint_excess: float = 0.02
    """rad beyond a joint's limits."""
    skating: float = 0.2
    """m/s, mean horizontal speed of key parts on the floor; a simulated trot at 1 m/s has 0.13."""
    penetration: float = 0.04
    """m below the floor; soft contacts of a simulation let feet sink in by 0.03 where they land."""
    floating: float = 0.5
    """Part of the time in which nothing touches the floor."""
    root_step: float = 6.0
    """m/s, largest change of place between frames."""
    joint_step: float = 40.0
    """rad/s, largest change of a joint between frames."""


@dataclass(frozen=True)
class ClipCheck:
    """Measures of one clip, named and in units as in Limits, and what they were taken from."""

    name: str
    frames: int
    measures: dict[str, float]
    joint: str
    """The one that goes furthest beyond its limits, or is nearest to them."""
    times: Array
    """s, (T,)."""
    heights: Array
    """Clearance of key parts, m, (T, K)."""
    speeds: Array
    """Their horizontal speed while they stand on the floor, m/s, (T, K); nan elsewhere."""
    velocity_error: Array
    """Joint velocities against differences, rms over joints, rad/s, (T,)."""

    def failures(self, limits: Limits) -> list[str]:
        """Return the names of the measures that are beyond their limits."""
        return [name for name, value in self.measures.items() if value > getattr(limits, name)]


def check_motion(
    motion: Motion, kinematics: RobotKinematics, tick: Callable[[float], None] = lambda done: None
) -> list[ClipCheck]:
    """Measure all clips.

    Args:
        motion: of the robot.
        kinematics: of the robot.
        tick: is called with the part that is done, 0 to 1.

    Raises:
        MotionError: the motion lacks joints of the robot.
    """
    motion = motion.select(kinematics.joints)
    checks = []
    for name, qpos, qvel in motion.clips():
        clip = Motion(motion.joints, qpos, qvel, (len(qpos),), (name,), motion.rate)
        checks.append(_check(clip, kinematics))
        tick(len(checks) / len(motion.names))
    return checks


def _check(clip: Motion, kinematics: RobotKinematics) -> ClipCheck:
    rate, qpos, qvel = clip.rate, clip.qpos, clip.qvel
    points, heights, lowest = kinematics.traces(clip)
    inner = slice(1, -1)  # at the ends differences are one-sided
    linear = qvel[:, :3] - differences(qpos[:, :3], rate)
    turning = qvel[:, 3:6] - turn_rates(qpos[:, [4, 5, 6, 3]], rate)
    moves = differences(qpos[:, 7:], rate)
    joint = qvel[:, 6:] - moves
    excess = np.maximum(kinematics.lower - qpos[:, 7:], qpos[:, 7:] - kinematics.upper).max(axis=0)
    speeds = np.linalg.norm(differences(points[..., :2], rate), axis=-1)
    # on the floor now and in the neighbouring frames: a foot that lands or leaves in between moves rightly
    near = heights < CONTACT
    planted = near.copy()
    planted[1:] &= near[:-1]
    planted[:-1] &= near[1:]
    has_floor = bool(np.any(lowest < FAR))
    steps = np.diff(qpos, axis=0) * rate
    measures = {
        "root_velocity": _length(linear[inner]),
        "turn_rate": _length(turning[inner]),
        "joint_velocity": float((_rms(joint[inner], 0) / (_rms(moves[inner], 0) + 1.0)).max()),
        "joint_scale": float(np.abs((_mean(moves * qvel[:, 6:]) + 1.0) / (_mean(moves**2) + 1.0) - 1.0).max()),
        "joint_excess": float(max(excess.max(), 0.0)),
        "skating": float(speeds[planted].mean()) if planted.any() else 0.0,
        "penetration": float(max(-lowest.min(), 0.0)) if has_floor else 0.0,
        "floating": float(np.mean(lowest > 2.0 * CONTACT)) if has_floor else 0.0,
        "root_step": float(np.linalg.norm(steps[:, :3], axis=1).max()),
        "joint_step": float(np.abs(steps[:, 7:]).max()),
    }
    assert list(measures) == [field.name for field in fields(Limits)]
    times = np.arange(len(qpos)) / rate
    error = _rms(joint, 1)
    worst = kinematics.joints[int(np.argmax(excess))]
    standing = np.where(planted, speeds, np.nan)
    return ClipCheck(clip.names[0], len(qpos), measures, worst, times, heights, standing, error)


def _mean(values: Array) -> Array:
    return values[1:-1].mean(axis=0)


def _rms(values: Array, axis: int) -> Array:
    return np.sqrt(np.mean(values**2, axis=axis))


def _length(vectors: Array) -> float:
    return float(np.sqrt(np.mean(np.sum(vectors**2, axis=1))))
