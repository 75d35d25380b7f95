"""End-effector trajectories from files as goals of the environment: standing robots follow poses fixed in the world."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from .goals import BasePoses, to_base

Array = NDArray[np.float64]
Ids = NDArray[np.int64]


class Poses(Protocol):
    """What is needed of a trajectory; `training.trajectories.PoseSequence` is one."""

    @property
    def positions(self) -> Array:
        """m in the task frame, (T, 3)."""

    @property
    def orientations(self) -> Array:
        """Quaternions x, y, z, w, (T, 4)."""

    @property
    def rate(self) -> float:
        """Hz"""


class TrajectoryGoals:
    """Each episode follows one sequence, in the frame of the base at its start; the velocity command is zero.

    Args:
        sequences: drawn at random for each episode, or taken in turn.
        num_envs: number of robots.
        control_period: s.
        rng: of the draws; None takes sequence i modulo their number in environment i, always.
        lead: s for which the first pose is held, so that the end effector can get there.
    """

    def __init__(
        self,
        sequences: Sequence[Poses],
        num_envs: int,
        control_period: float,
        rng: np.random.Generator | None = None,
        lead: float = 1.5,
    ) -> None:
        self._rng, self._period, self.lead = rng, control_period, lead
        length = max(len(sequence.positions) for sequence in sequences)
        # padded with the last pose, which holds
        self._positions = np.stack([_padded(sequence.positions, length) for sequence in sequences])
        turns = [Rotation.from_quat(_padded(sequence.orientations, length)).as_matrix() for sequence in sequences]
        self._rotations = np.stack(turns)
        self._rates = np.array([sequence.rate for sequence in sequences])
        self._last = np.array([len(sequence.positions) - 1 for sequence in sequences])
        self.command = np.zeros((num_envs, 3))
        self.index = np.arange(num_envs) % len(sequences)
        """Which sequence each robot follows, (N,)."""
        self._time = np.zeros(num_envs)
        self._origin = np.zeros((num_envs, 3))
        self._frame = np.tile(np.eye(3), (num_envs, 1, 1))

    def reset(self, ids: Ids, base: BasePoses) -> None:
        """Start a sequence where the robots stand."""
        self._time[ids] = -self.lead
        if self._rng is not None:
            self.index[ids] = self._rng.integers(0, len(self._rates), ids.size)
        self._origin[ids], self._frame[ids] = base.base_position[ids], base.base_rotation[ids]

    def step(self, base: BasePoses) -> Ids:
        """Advance; the command never changes."""
        self._time += self._period
        return np.zeros(0, dtype=np.int64)

    @property
    def running(self) -> NDArray[np.bool_]:
        """Whether the sequence has begun and not ended, (N,)."""
        return (self._time >= 0.0) & (self._time <= self._last[self.index] / self._rates[self.index])

    def targets(self, ahead: Array, base: BasePoses) -> tuple[Array, Array]:
        """Return the targets in base_link: linear between the poses, orientations of the nearest."""
        at = (self._time[:, None] + ahead) * self._rates[self.index, None]
        at = np.clip(at, 0.0, self._last[self.index, None])
        before = np.floor(at).astype(np.int64)
        after = np.minimum(before + 1, self._last[self.index, None])
        share = (at - before)[..., None]
        which = self.index[:, None]
        position = (1.0 - share) * self._positions[which, before] + share * self._positions[which, after]
        rotation = self._rotations[which, np.round(at).astype(np.int64)]
        position = self._origin[:, None] + np.einsum("nij,ntj->nti", self._frame, position)
        rotation = np.einsum("nij,ntjk->ntik", self._frame, rotation)
        return to_base(position, rotation, base.base_position, base.base_rotation)


def _padded(values: Array, length: int) -> Array:
    return np.concatenate([values, np.repeat(values[-1:], length - len(values), axis=0)])
