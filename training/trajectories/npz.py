"""Trajectory files of this project: one npz with all sequences behind one another.

| key | dtype, shape | meaning |
|---|---|---|
| `format` | text, () | "go2_piper_trajectories 1" |
| `frame` | text, () | "task": `base_link` as it stands at the start of the episode |
| `positions` | float64, (sum of T, 3) | m |
| `orientations` | float64, (sum of T, 4) | quaternions x, y, z, w of `ee_link` |
| `lengths` | int64, (S,) | T of each sequence |
| `rates` | float64, (S,) | poses per s |
| `names` | text, (S,) | may be empty |
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..npz_reader import read_arrays
from .sequence import PoseSequence, TrajectoryError

FORMAT = "go2_piper_trajectories 1"
FRAME = "task"
_KINDS = {
    "format": "U",
    "frame": "U",
    "positions": "f",
    "orientations": "f",
    "lengths": "i",
    "rates": "f",
    "names": "U",
}


def write_npz(path: Path, sequences: Sequence[PoseSequence]) -> None:
    """Write sequences to an npz file."""
    with path.open("wb") as file:  # given a file, NumPy leaves its name alone
        np.savez_compressed(
            file,
            format=np.array(FORMAT),
            frame=np.array(FRAME),
            positions=np.concatenate([sequence.positions for sequence in sequences]),
            orientations=np.concatenate([sequence.orientations for sequence in sequences]),
            lengths=np.array([len(sequence) for sequence in sequences], dtype=np.int64),
            rates=np.array([sequence.rate for sequence in sequences]),
            names=np.array([sequence.name for sequence in sequences]),
        )


def read_npz(path: Path) -> list[PoseSequence]:
    """Return the sequences of an npz file. Raises TrajectoryError."""
    arrays = read_arrays(path, _KINDS, TrajectoryError)
    for key, array in arrays.items():
        if not (array.ndim == 2 if key in ("positions", "orientations") else array.ndim <= 1):
            raise TrajectoryError(f"{path}: '{key}' has shape {array.shape}: not our file")
    if str(arrays["format"]) != FORMAT or str(arrays["frame"]) != FRAME:
        raise TrajectoryError(f"{path}: format or frame is not '{FORMAT}', '{FRAME}': made by another version?")
    lengths, rates, names = arrays["lengths"], arrays["rates"], arrays["names"]
    positions, orientations = arrays["positions"], arrays["orientations"]
    if not (lengths.ndim == 1 and len(lengths) and lengths.shape == rates.shape == names.shape):
        raise TrajectoryError(f"{path}: it holds no sequences, or not a length, a rate and a name for each")
    if np.any(lengths < 0) or not int(lengths.sum()) == len(positions) == len(orientations):
        raise TrajectoryError(f"{path}: its lengths do not add up to its poses: the file is damaged")
    ends = np.cumsum(lengths)
    sequences = []
    for index, (start, end) in enumerate(zip(ends - lengths, ends, strict=True)):
        try:
            name = str(names[index])
            sequences.append(PoseSequence(positions[start:end], orientations[start:end], float(rates[index]), name))
        except TrajectoryError as error:
            raise TrajectoryError(f"{path}: sequence {index}: {error}") from None
    return sequences
