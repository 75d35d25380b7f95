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

import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .sequence import PoseSequence, TrajectoryError

FORMAT = "go2_piper_trajectories 1"
FRAME = "task"
LARGEST_CONTENT = 1 << 30
"""bytes, unpacked; a few kB of zip can claim to hold much more."""
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
    arrays = _arrays(path)
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


def _arrays(path: Path) -> dict[str, NDArray]:
    try:
        with zipfile.ZipFile(path) as archive:
            content = sum(info.file_size for info in archive.infolist())
        if content > LARGEST_CONTENT:
            raise TrajectoryError(f"{path}: it claims to hold {content >> 20} MiB, more than {LARGEST_CONTENT >> 20}")
        with np.load(path, allow_pickle=False) as data:
            missing = [key for key in _KINDS if key not in data.files]
            if missing:
                raise TrajectoryError(f"{path}: no trajectory file of this project, it lacks {', '.join(missing)}")
            arrays = {key: data[key] for key in _KINDS}
    except (TrajectoryError, OSError):
        raise
    except Exception as error:  # zipfile, zlib and NumPy's header reader raise what they like for broken files
        line = " ".join(str(error).split())[:80]
        raise TrajectoryError(f"{path}: damaged or no npz file ({line})") from None
    for key, kind in _KINDS.items():
        array = arrays[key]
        shaped = array.ndim == 2 if key in ("positions", "orientations") else array.ndim <= 1
        if array.dtype.kind != kind or not shaped:
            raise TrajectoryError(f"{path}: '{key}' has type {array.dtype} and shape {array.shape}: not our file")
    return arrays
