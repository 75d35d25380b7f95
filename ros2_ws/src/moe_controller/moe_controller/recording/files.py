"""Where a run's recording lies."""

from __future__ import annotations

from pathlib import Path

RECORDING_FILE = "recording.mcap"


def recording_in(path: Path) -> Path:
    """Return the recording that a path means: the file itself, or that in the folder of a run."""
    return path / RECORDING_FILE if path.is_dir() else path
