"""Timed poses of the end effector: linear in position, slerp in orientation. ROS-free."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.transform import Rotation, Slerp

Array = NDArray[np.float64]

IDENTITY: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 1.0)
UNIT_TOLERANCE = 1e-2
"""Quaternions this close to length 1 are rounded numbers and get normalised; others are mistakes."""


@dataclass(frozen=True)
class Pose:
    """A pose of `ee_link` in a frame that the holder knows."""

    position: Array
    """m, shape (3,)."""
    orientation: Array
    """Quaternion x, y, z, w, shape (4,)."""


def unit_quaternions(values: ArrayLike) -> Array:
    """Return quaternions x, y, z, w, shape (..., 4), at length 1. Raises ValueError where one is not of unit length."""
    quaternions = np.asarray(values, dtype=np.float64)
    norms = np.linalg.norm(quaternions, axis=-1, keepdims=True)
    if not np.all(np.abs(norms - 1.0) <= UNIT_TOLERANCE):  # written so that NaN fails
        worst = float(norms.flat[np.argmax(np.abs(np.nan_to_num(norms, nan=np.inf) - 1.0))])
        raise ValueError(f"quaternion of length {worst:.3g}: it must be 1 (order x, y, z, w)")
    return quaternions / norms


class PoseTrajectory:
    """Poses over time; before the first and after the last they are held."""

    def __init__(self, times: ArrayLike, positions: ArrayLike, orientations: ArrayLike | None = None) -> None:
        """Take the points.

        Args:
            times: s, strictly increasing, shape (N,), N at least 1.
            positions: m, shape (N, 3).
            orientations: quaternions x, y, z, w, shape (N, 4); None for no turn at all.

        Raises:
            ValueError: one line that says what is wrong.
        """
        self.times = np.array(times, dtype=np.float64)
        self.positions = np.array(positions, dtype=np.float64)
        count = self.times.size
        if self.times.ndim != 1 or count == 0:
            raise ValueError("trajectory: it has no points")
        if self.positions.shape != (count, 3):
            raise ValueError(f"trajectory: positions have shape {self.positions.shape}, not ({count}, 3)")
        if not (np.all(np.isfinite(self.times)) and np.all(np.isfinite(self.positions))):
            raise ValueError("trajectory: a time or position is not finite")
        steps = np.diff(self.times)
        if np.any(steps <= 0):
            at = int(np.argmax(steps <= 0)) + 1
            raise ValueError(f"trajectory: times must increase, point {at} is at {self.times[at]:g} s "
                             f"after {self.times[at - 1]:g} s")  # fmt: skip
        quaternions = np.tile(IDENTITY, (count, 1)) if orientations is None else np.asarray(orientations, np.float64)
        if quaternions.shape != (count, 4):
            raise ValueError(f"trajectory: orientations have shape {quaternions.shape}, not ({count}, 4)")
        try:
            self.orientations = unit_quaternions(quaternions)
        except ValueError as error:
            raise ValueError(f"trajectory: {error}") from None
        self.turns = bool(np.any(np.abs(self.orientations - IDENTITY) > 1e-9))
        """Whether it says how `ee_link` is turned. Identity at every point, the messages' default, says nothing."""
        self._slerp = Slerp(self.times, Rotation.from_quat(self.orientations)) if count > 1 else None

    @property
    def start(self) -> float:
        """Time of the first point, s."""
        return float(self.times[0])

    @property
    def end(self) -> float:
        """Time of the last point, s."""
        return float(self.times[-1])

    def sample(self, time: float) -> Pose:
        """Return the pose at a time, s; outside the trajectory the nearest end."""
        positions, orientations = self.sample_many(np.array([time]))
        return Pose(positions[0], orientations[0])

    def sample_many(self, times: Array) -> tuple[Array, Array]:
        """Return positions (n, 3) and quaternions (n, 4) at times, s, shape (n,); as `sample`."""
        if self._slerp is None:
            return np.repeat(self.positions, len(times), axis=0), np.repeat(self.orientations, len(times), axis=0)
        at = np.clip(times, self.start, self.end)
        positions = np.stack([np.interp(at, self.times, self.positions[:, axis]) for axis in range(3)], axis=-1)
        return positions, self._slerp(at).as_quat()

    def velocity(self, time: float) -> Array:
        """Return the linear velocity at a time, m/s, shape (3,): that of the segment, zero outside the trajectory."""
        if self._slerp is None or not self.start <= time < self.end:
            return np.zeros(3)
        at = int(np.searchsorted(self.times, time, side="right"))
        return (self.positions[at] - self.positions[at - 1]) / (self.times[at] - self.times[at - 1])
