"""What a run is judged by, from its record. Pure NumPy, no ROS."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .record import Record
from .scenarios import PATH_LEAD_IN

Array = NDArray[np.float64]

FALL_HEIGHT = 0.15
"""m; a standing base is at 0.28 m, a lying one at 0.13 m."""
FALL_TILT = 1.0
"""rad"""
SETTLED_WINDOW = 1.0
"""s at the end of each goal in which the error counts as settled."""
REACHED_ERROR = 0.05
"""m; a target with a smaller settled error counts as reached."""
VELOCITY_TRANSIENT = 1.0
"""s after each new velocity command that do not count."""


@dataclass(frozen=True)
class Metrics:
    """The numbers of a run. None where the scenario had nothing to measure."""

    falls: int
    settled_median_ee_error: float | None
    """m"""
    settled_errors: tuple[float, ...]
    """m, one for each target or path that was played to its end"""
    targets_reached: int
    rms_linear_velocity_error: float | None
    """m/s"""
    rms_yaw_rate_error: float | None
    """rad/s"""


def count_falls(height: Array, tilt: Array) -> int:
    """Return how often the base got too low or too tilted.

    Args:
        height: of the base above the ground while it should stand, m, shape (n,).
        tilt: from the vertical, rad, shape (n,).
    """
    down = (height < FALL_HEIGHT) | (tilt > FALL_TILT)
    if not len(down):
        return 0
    return int(down[0]) + int(np.sum(down[1:] & ~down[:-1]))


def settled_errors(record: Record, error: Array | None = None) -> tuple[float, ...]:
    """Return the mean end-effector error at the end of each target, and along each path, that was played to its end.

    Args:
        record: the run.
        error: its end-effector error, if already computed, m, shape (n,).
    """
    error = record.ee_error() if error is None else error
    values = []
    for played in record.goals:
        if not played.completed or (played.goal.target is None and not played.goal.path):
            continue
        first = played.start + PATH_LEAD_IN if played.goal.path else played.end - SETTLED_WINDOW
        rows = (record.time > max(first, played.start)) & (record.time <= played.end)
        if np.any(rows):
            values.append(float(np.mean(error[rows])))
    return tuple(values)


def velocity_errors(record: Record) -> Array:
    """Return velocity minus command (vx, vy, wz), shape (m, 3), without the transient after each new command."""
    blocks = [np.empty((0, 3))]
    for played in record.goals:
        if played.goal.velocity is None:
            continue
        rows = (record.time > played.start + VELOCITY_TRANSIENT) & (record.time <= played.end)
        actual = np.column_stack([record.base_linear_velocity[rows, :2], record.base_angular_velocity[rows, 2]])
        blocks.append(actual - np.asarray(played.goal.velocity))
    return np.concatenate(blocks)


def evaluate(record: Record) -> Metrics:
    """Return the numbers of a run."""
    playing = (record.time > record.play_start) & (record.time <= record.play_end)
    settled = settled_errors(record)
    velocity = velocity_errors(record)
    return Metrics(
        falls=count_falls(record.base_position[playing, 2], record.tilt[playing]),
        settled_median_ee_error=float(np.median(settled)) if settled else None,
        settled_errors=settled,
        targets_reached=sum(error < REACHED_ERROR for error in settled),
        rms_linear_velocity_error=_rms(np.linalg.norm(velocity[:, :2], axis=1)),
        rms_yaw_rate_error=_rms(velocity[:, 2]),
    )


def _rms(values: Array) -> float | None:
    return float(np.sqrt(np.mean(values**2))) if len(values) else None
