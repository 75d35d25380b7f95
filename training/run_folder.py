"""The output folder of a run: one process at a time writes to it, and starting over clears what an earlier run left."""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path

OURS = (
    "checkpoint.pt",
    "losses*.csv",
    "warm_start.csv",
    "events.out.tfevents.*",
    "nan_dump.npz",
    "nan_model.pt",
    "*.safetensors",
    "*.yaml",
)
"""What a run leaves in its folder."""


class RunFolderError(RuntimeError):
    """The folder cannot be written or another training uses it; one line."""


@contextlib.contextmanager
def hold(folder: Path) -> Iterator[None]:
    """Create the folder and keep other trainings out of it.

    Raises:
        RunFolderError: it cannot be written, or another process holds it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / ".lock").open("w")
    except OSError as error:
        raise RunFolderError(f"cannot write to {folder} ({error.strerror})") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise RunFolderError(
                f"another training is writing to {folder}: wait for it, or choose another folder"
            ) from error
        yield


def clear(folder: Path) -> None:
    """Remove what an earlier run left; other files and folders stay."""
    for pattern in OURS:
        for path in folder.glob(pattern):
            path.unlink()
