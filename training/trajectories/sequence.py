"""A sequence of end-effector poses at a fixed rate."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from moe_controller.trajectory import unit_quaternions
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.transform import Rotation, Slerp

Array = NDArray[np.float64]

FARTHEST = 50.0
"""m from the task frame; more than that is a mistake in units."""
HIGHEST_RATE = 10_000.0
"""Hz"""


class TrajectoryError(ValueError):
    """A trajectory or its file cannot be used; one line: what, where, what to do."""


@dataclass(frozen=True, eq=False)
class PoseSequence:
    """Poses of `ee_link` in the task frame: `base_link` as it stands when the episode starts (x forward, z up).

    The frame stays where it is when the robot moves.

    Raises:
        TrajectoryError: one line that says what is wrong with the numbers.
    """

    positions: Array
    """m, shape (T, 3), T at least 2."""
    orientations: Array
    """Quaternions x, y, z, w of unit length, shape (T, 4); z of the hand is its approach direction, y points up."""
    rate: float
    """Poses per s."""
    name: str = ""

    def __post_init__(self) -> None:
        where = f"trajectory '{self.name}'" if self.name else "trajectory"
        if not 0.0 < self.rate <= HIGHEST_RATE:
            raise TrajectoryError(f"{where}: rate {self.rate:g} Hz, it must be above 0 and at most {HIGHEST_RATE:g}")
        positions = _numbers(self.positions, 3, where, "positions")
        quaternions = _numbers(self.orientations, 4, where, "orientations")
        if len(positions) < 2 or len(quaternions) != len(positions):
            raise TrajectoryError(f"{where}: {len(positions)} positions and {len(quaternions)} orientations; "
                                  "it needs the same number of both, 2 or more")  # fmt: skip
        farthest = float(np.abs(positions).max())
        if farthest > FARTHEST:
            raise TrajectoryError(
                f"{where}: a position is {farthest:.3g} m away, more than {FARTHEST:g}: check the unit"
            )
        try:
            quaternions = unit_quaternions(quaternions)
        except ValueError as error:
            raise TrajectoryError(f"{where}: {error}") from None
        object.__setattr__(self, "positions", positions)
        object.__setattr__(self, "orientations", quaternions)
        object.__setattr__(self, "rate", float(self.rate))

    @classmethod
    def from_times(
        cls, times: ArrayLike, positions: ArrayLike, orientations: ArrayLike, rate: float, name: str = ""
    ) -> PoseSequence:
        """Return poses given at any times as a sequence at a fixed rate.

        Args:
            times: s, increasing, shape (T,); the first becomes 0.
            positions: m, shape (T, 3).
            orientations: quaternions x, y, z, w, shape (T, 4).
            rate: of the result, Hz.
            name: of the result.

        Raises:
            TrajectoryError: as the constructor, and for times that do not increase or do not match.
        """
        given = cls(np.asarray(positions), np.asarray(orientations), rate, name)
        stamps = np.asarray(times, dtype=np.float64)
        if stamps.shape != (len(given),) or not np.all(np.isfinite(stamps)) or np.any(np.diff(stamps) <= 0.0):
            raise TrajectoryError(f"trajectory '{name}': times must increase and be as many as the {len(given)} poses")
        wanted = stamps[0] + np.arange(_count(stamps[-1] - stamps[0], rate)) / rate
        return cls(*_interpolate(stamps, given, wanted), rate, name)

    def __len__(self) -> int:
        return len(self.positions)

    @property
    def duration(self) -> float:
        """Time from the first to the last pose, s."""
        return (len(self) - 1) / self.rate

    @property
    def times(self) -> Array:
        """Times of the poses, s from the start, shape (T,)."""
        return np.arange(len(self)) / self.rate

    def sample(self, times: ArrayLike) -> tuple[Array, Array]:
        """Return positions (N, 3) and quaternions (N, 4) at times (N,), s; outside the sequence its ends hold."""
        return _interpolate(self.times, self, np.asarray(times, dtype=np.float64))

    def resampled(self, rate: float) -> PoseSequence:
        """Return the sequence at another rate, Hz: linear in position, slerp in orientation. Raises TrajectoryError."""
        if not 0.0 < rate <= HIGHEST_RATE:
            raise TrajectoryError(f"rate {rate:g} Hz: it must be above 0 and at most {HIGHEST_RATE:g}")
        if rate == self.rate:
            return self
        positions, orientations = self.sample(np.arange(_count(self.duration, rate)) / rate)
        return PoseSequence(positions, orientations, rate, self.name)

    def linear_speed(self) -> Array:
        """Return the speed between neighbours, m/s, shape (T - 1,)."""
        return np.linalg.norm(np.diff(self.positions, axis=0), axis=1) * self.rate

    def angular_speed(self) -> Array:
        """Return the rate of turn between neighbours, rad/s, shape (T - 1,)."""
        turns = Rotation.from_quat(self.orientations)
        return (turns[:-1].inv() * turns[1:]).magnitude() * self.rate


def _count(duration: float, rate: float) -> int:
    """Return how many poses of a rate cover a duration: all that fit, and one more where the end lies between two."""
    return max(2, int(np.ceil(duration * rate - 1e-6)) + 1)


def _interpolate(times: Array, poses: PoseSequence, wanted: Array) -> tuple[Array, Array]:
    at = np.clip(wanted, times[0], times[-1])
    positions = np.stack([np.interp(at, times, poses.positions[:, axis]) for axis in range(3)], axis=-1)
    return positions, Slerp(times, Rotation.from_quat(poses.orientations))(at).as_quat()


def _numbers(values: ArrayLike, columns: int, where: str, what: str) -> Array:
    try:
        array = np.array(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise TrajectoryError(f"{where}: {what} are not numbers") from None
    if array.size == 0:
        raise TrajectoryError(f"{where}: it is empty")
    if array.ndim != 2 or array.shape[1] != columns:
        raise TrajectoryError(f"{where}: {what} have shape {array.shape}, not (T, {columns})")
    if not np.all(np.isfinite(array)):
        row = int(np.argmin(np.all(np.isfinite(array), axis=1)))
        raise TrajectoryError(f"{where}: {what} at row {row} are not finite")
    return array
