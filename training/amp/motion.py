"""Reference motion of a robot with a free root: the one form in which clips reach the training.

| key of the npz | dtype, shape | meaning |
|---|---|---|
| `format` | text, () | "amp_motion 1" |
| `joints` | text, (J,) | the scalar joints beside the root, in the order of the columns |
| `qpos` | float64, (sum of T, 7 + J) | root position m, root quaternion w, x, y, z, joints rad |
| `qvel` | float64, (sum of T, 6 + J) | root m/s in the world, turn rate in the root's frame, joints; rad/s |
| `lengths` | int64, (C,) | T of each clip |
| `names` | text, (C,) | of the clips |
| `rate` | float64, () | frames per s, of all clips |
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..npz_reader import read_arrays

Array = NDArray[np.float64]
FORMAT = "amp_motion 1"
SHORTEST = 3
"""frames; less holds no transition whose velocity can be checked."""
_KINDS = {"format": "U", "joints": "U", "qpos": "f", "qvel": "f", "lengths": "i", "names": "U", "rate": "f"}
_DIMENSIONS = {"qpos": 2, "qvel": 2, "format": 0, "rate": 0}
"""Of the arrays; the others have one."""


class MotionError(ValueError):
    """Motion that cannot be used; one line."""


@dataclass(frozen=True)
class Motion:
    """Clips behind one another; see the module. Raises MotionError on shapes, numbers or lengths that make no sense."""

    joints: tuple[str, ...]
    qpos: Array
    qvel: Array
    lengths: tuple[int, ...]
    names: tuple[str, ...]
    rate: float

    def __post_init__(self) -> None:
        count, joints = sum(self.lengths), len(self.joints)
        if len(set(self.joints)) != joints:
            raise MotionError("a joint is named twice")
        if self.qpos.shape != (count, 7 + joints) or self.qvel.shape != (count, 6 + joints):
            raise MotionError(
                f"{count} frames of {joints} joints need qpos {(count, 7 + joints)} and qvel {(count, 6 + joints)}, "
                f"not {self.qpos.shape} and {self.qvel.shape}"
            )
        if not self.lengths or len(self.lengths) != len(self.names):
            raise MotionError(f"{len(self.lengths)} clips with {len(self.names)} names")
        for name, length in zip(self.names, self.lengths, strict=True):
            if length < SHORTEST:
                raise MotionError(f"clip '{name}' has {length} frames; at least {SHORTEST} are needed")
        if not (np.isfinite(self.rate) and self.rate > 0.0):
            raise MotionError(f"a rate of {self.rate} frames per s")
        for clip, qpos, qvel in self.clips():
            if not (np.all(np.isfinite(qpos)) and np.all(np.isfinite(qvel))):
                raise MotionError(f"clip '{clip}' holds numbers that are not finite")
            if np.any(np.abs(np.linalg.norm(qpos[:, 3:7], axis=1) - 1.0) > 1e-3):
                raise MotionError(f"clip '{clip}' has root quaternions that are not of length 1")

    def clips(self) -> list[tuple[str, Array, Array]]:
        """Return name, qpos (T, 7 + J) and qvel (T, 6 + J) of each clip."""
        ends = np.cumsum(self.lengths)
        starts = ends - np.array(self.lengths)
        return [(name, self.qpos[a:b], self.qvel[a:b]) for name, a, b in zip(self.names, starts, ends, strict=True)]

    def select(self, joints: Sequence[str]) -> Motion:
        """Return the same motion with these joints only, in this order. Raises MotionError if some are missing."""
        missing = [name for name in joints if name not in self.joints]
        if missing:
            raise MotionError(
                f"it has no joint {', '.join(missing[:4])}{' ...' if len(missing) > 4 else ''}; its joints are "
                f"{', '.join(self.joints[:4])} ...: clips of another robot have to be retargeted first"
            )
        columns = np.array([self.joints.index(name) for name in joints], dtype=np.int64)
        qpos = np.hstack([self.qpos[:, :7], self.qpos[:, 7 + columns]])
        qvel = np.hstack([self.qvel[:, :6], self.qvel[:, 6 + columns]])
        return Motion(tuple(joints), qpos, qvel, self.lengths, self.names, self.rate)


def join(motions: Sequence[Motion]) -> Motion:
    """Return all clips of motions with the same joints and rate. Raises MotionError."""
    if not motions:
        raise MotionError("no clips")
    first = motions[0]
    if any(set(motion.joints) != set(first.joints) for motion in motions):
        raise MotionError("clips of different joints: retarget them to the same robot first")
    same = [motion.select(first.joints) for motion in motions]
    if any(motion.rate != first.rate for motion in same):
        raise MotionError(f"clips of different rates: {sorted({motion.rate for motion in same})}; resample them first")
    return Motion(
        first.joints,
        np.concatenate([motion.qpos for motion in same]),
        np.concatenate([motion.qvel for motion in same]),
        tuple(length for motion in same for length in motion.lengths),
        tuple(name for motion in same for name in motion.names),
        first.rate,
    )


def save_motion(path: Path, motion: Motion) -> None:
    """Write a motion file."""
    with path.open("wb") as file:  # given a file, NumPy leaves its name alone
        np.savez_compressed(
            file,
            format=np.array(FORMAT),
            joints=np.array(motion.joints, dtype=np.str_),
            qpos=motion.qpos,
            qvel=motion.qvel,
            lengths=np.array(motion.lengths, dtype=np.int64),
            names=np.array(motion.names, dtype=np.str_),
            rate=np.array(motion.rate),
        )


def load_motion(path: Path) -> Motion:
    """Read a motion file. Raises MotionError with its path."""
    arrays = read_arrays(path, _KINDS, MotionError)
    for key, array in arrays.items():
        if array.ndim != _DIMENSIONS.get(key, 1):
            raise MotionError(f"{path}: '{key}' has shape {array.shape}: not our file")
    if str(arrays["format"]) != FORMAT:
        raise MotionError(f"{path}: format is not '{FORMAT}': made by another version?")
    try:
        return Motion(
            tuple(str(name) for name in arrays["joints"]),
            np.asarray(arrays["qpos"], dtype=np.float64),
            np.asarray(arrays["qvel"], dtype=np.float64),
            tuple(int(length) for length in arrays["lengths"]),
            tuple(str(name) for name in arrays["names"]),
            float(arrays["rate"]),
        )
    except MotionError as error:
        raise MotionError(f"{path}: {error}") from None
