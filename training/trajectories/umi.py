"""Trajectory pickles as UMI-on-Legs has them: a list of dicts with `ee_pos` and `ee_axis_angle` at 200 Hz.

Their world has its origin on the ground below the place where the hand works, with the robot 0.5 m behind it, and their
hand has x to the right and y down (z forward, as here). Reading and writing translate both. Gripper widths and
velocities that such files may hold as well are not used.
"""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from .safe_pickle import PickledArray, UnsafePickleError, read_plain_pickle
from .sequence import Array, PoseSequence, TrajectoryError

UMI_RATE = 200.0
"""Hz; the files do not say it."""
ORIGIN = np.array([0.5, 0.0, -0.28])
"""Their origin in the task frame, m: their robot starts at x = -0.5 (env_go2ARX5.yaml), and ours stands 0.28 m high."""
HAND = Rotation.from_rotvec([0.0, 0.0, np.pi])
"""Their hand's axes in `ee_link`: half a turn about the approach direction."""
LARGEST_TURN = 100.0
"""rad; axis-angles beyond half a turn are unusual, beyond this they are something else."""
MOST_SEQUENCES = 100_000
MOST_POSES = 10_000_000
"""In one file. A pickle may name one array a million times, so its size does not bound them."""


def read_umi(path: Path) -> list[PoseSequence]:
    """Return the sequences of a UMI-style pickle in the task frame. Raises TrajectoryError."""
    try:
        entries = read_plain_pickle(path)
    except UnsafePickleError as error:
        raise TrajectoryError(f"{path}: not read, {error}") from None
    if not isinstance(entries, list) or not entries:
        found = "an empty list" if entries == [] else f"a {type(entries).__name__}"
        raise TrajectoryError(f"{path}: it holds {found}; a list of dicts with 'ee_pos' and 'ee_axis_angle' is needed")
    if len(entries) > MOST_SEQUENCES:
        raise TrajectoryError(f"{path}: {len(entries)} sequences, more than {MOST_SEQUENCES}")
    sequences, poses = [], 0
    for index, entry in enumerate(entries):
        sequence = _sequence(entry, f"{path.stem}[{index}]", f"{path}: entry {index}")
        poses += len(sequence)
        if poses > MOST_POSES:
            raise TrajectoryError(f"{path}: more than {MOST_POSES} poses")
        sequences.append(sequence)
    return sequences


def _sequence(entry: object, name: str, where: str) -> PoseSequence:
    if not isinstance(entry, dict):
        raise TrajectoryError(f"{where} is a {type(entry).__name__}, not a dict with 'ee_pos' and 'ee_axis_angle'")
    given = entry.get("name")
    positions, turns = (_array(entry, key, where) for key in ("ee_pos", "ee_axis_angle"))
    if len(positions) != len(turns):
        raise TrajectoryError(f"{where}: {len(positions)} rows of 'ee_pos' and {len(turns)} of 'ee_axis_angle'")
    if np.abs(turns).max() > LARGEST_TURN:
        raise TrajectoryError(f"{where}: 'ee_axis_angle' is up to {np.abs(turns).max():.3g}, these are no rad")
    try:
        orientations = (Rotation.from_rotvec(turns) * HAND.inv()).as_quat()
        return PoseSequence(positions + ORIGIN, orientations, UMI_RATE, _name(given) or name)
    except TrajectoryError as error:
        raise TrajectoryError(f"{where}: {error}") from None


def _array(entry: dict, key: str, where: str) -> Array:
    value = entry.get(key)
    if value is None:
        raise TrajectoryError(f"{where} has no '{key}'")
    values = value.values if isinstance(value, PickledArray) else None
    if values is None or values.dtype.kind not in "iuf":
        raise TrajectoryError(f"{where}: '{key}' is no NumPy array of numbers")
    if values.ndim != 2 or values.shape[1] != 3 or len(values) == 0:
        raise TrajectoryError(f"{where}: '{key}' has shape {values.shape}, not (T, 3)")
    if not np.all(np.isfinite(values)):
        row = int(np.argmin(np.all(np.isfinite(values), axis=1)))
        raise TrajectoryError(f"{where}: '{key}' is not finite at row {row}")
    return np.array(values, dtype=np.float64)


def _name(given: object) -> str:
    return given[:80] if isinstance(given, str) and given.isprintable() else ""


def write_umi(path: Path, sequences: Sequence[PoseSequence]) -> None:
    """Write sequences as a UMI-style pickle at 200 Hz. Shorter ones hold their last pose: UMI-on-Legs stacks them."""
    at_rate = [sequence.resampled(UMI_RATE) for sequence in sequences]
    times = np.arange(max(len(sequence) for sequence in at_rate)) / UMI_RATE
    entries = []
    for sequence in at_rate:
        positions, orientations = sequence.sample(times)
        turns = (Rotation.from_quat(orientations) * HAND).as_rotvec()
        entries.append({"t": times, "ee_pos": positions - ORIGIN, "ee_axis_angle": turns, "name": sequence.name})
    with path.open("wb") as file:
        pickle.dump(entries, file, protocol=4)
