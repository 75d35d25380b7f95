"""Read and write trajectory files; the ending of the name says which kind."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from moe_controller.goals import BASE_LINK
from moe_controller.trajectory import PoseTrajectory
from moe_controller.trajectory_file import TrajectoryFileError, save_trajectory

from .npz import read_npz, write_npz
from .sequence import PoseSequence, TrajectoryError
from .umi import read_umi, write_umi

NPZ, PICKLES = ".npz", (".pkl", ".pickle")
ROBOT = ".json"
"""One trajectory for `/ee_trajectory`, as the cockpit saves and sends it."""


def load_trajectories(path: str | Path) -> list[PoseSequence]:
    """Return the sequences of a file, at least one, in the task frame.

    Args:
        path: `.npz` of this project, or `.pkl` in the manner of UMI-on-Legs.

    Raises:
        TrajectoryError: one line: missing, damaged, of another kind, malicious, or with unusable numbers.
    """
    path = Path(path)
    read = read_npz if _kind(path) == NPZ else read_umi
    if not path.is_file():
        raise TrajectoryError(f"{path}: no such file; `python -m training.trajectories generate` makes one")
    try:
        return read(path)
    except OSError as error:
        raise TrajectoryError(f"{path}: cannot be read: {error.strerror or error}") from None


def save_trajectories(path: str | Path, sequences: Sequence[PoseSequence]) -> None:
    """Write sequences to a file; its folder is made. Raises TrajectoryError."""
    path = Path(path)
    write = write_npz if _kind(path) == NPZ else write_umi
    if not sequences:
        raise TrajectoryError(f"{path}: there are no sequences to write")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(path, sequences)
    except OSError as error:
        raise TrajectoryError(f"{path}: cannot be written: {error.strerror or error}") from None


def save_for_robot(path: Path, sequence: PoseSequence) -> None:
    """Write one sequence as the robot's programs read it, in `base_link`. Raises TrajectoryError."""
    trajectory = PoseTrajectory(sequence.times, sequence.positions, sequence.orientations)
    try:
        save_trajectory(path, trajectory, BASE_LINK)
    except TrajectoryFileError as error:
        raise TrajectoryError(str(error)) from None


def _kind(path: Path) -> str:
    if path.suffix not in (NPZ, *PICKLES):
        raise TrajectoryError(f"{path}: unknown kind of file; the name must end in {NPZ} or {' or '.join(PICKLES)}")
    return path.suffix
