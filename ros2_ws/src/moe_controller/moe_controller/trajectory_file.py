"""Trajectories of the end effector as JSON files: frame, and timed poses. ROS-free."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from .goals import FRAMES
from .trajectory import PoseTrajectory

LARGEST_FILE = 64 * 1024 * 1024
"""bytes"""


class TrajectoryFileError(ValueError):
    """A file cannot be used; one line: which, what is wrong, what to do."""


def save_trajectory(path: Path, trajectory: PoseTrajectory, frame: str) -> None:
    """Write a trajectory, with its folder. Raises TrajectoryFileError."""
    points = [
        {"time": time, "position": position, "orientation": orientation}
        for time, position, orientation in zip(
            trajectory.times.tolist(), trajectory.positions.tolist(), trajectory.orientations.tolist(), strict=True
        )
    ]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"frame": frame, "points": points}, indent=1) + "\n")
    except OSError as error:
        raise TrajectoryFileError(f"{path} cannot be written ({error.strerror})") from None


def load_trajectory(path: Path) -> tuple[PoseTrajectory, str]:
    """Return a trajectory and its frame. Raises TrajectoryFileError."""
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise TrajectoryFileError(f"{path} is larger than {LARGEST_FILE >> 20} MiB: this is no trajectory")
        content = path.read_bytes()
    except OSError as error:
        raise TrajectoryFileError(f"{path} cannot be read ({error.strerror})") from None
    return parse_trajectory(content, str(path))


def parse_trajectory(content: bytes, name: str) -> tuple[PoseTrajectory, str]:
    """Return the trajectory in the content of a file, and its frame.

    Args:
        content: JSON as `save_trajectory` writes it.
        name: of the file, for messages.

    Raises:
        TrajectoryFileError: one line.
    """
    if len(content) > LARGEST_FILE:
        raise TrajectoryFileError(f"{name} is larger than {LARGEST_FILE >> 20} MiB: this is no trajectory")
    try:
        raw: Any = json.loads(content)
    except (ValueError, RecursionError):
        raise TrajectoryFileError(f"{name} is no JSON file of this project") from None
    try:
        frame, points = raw["frame"], raw["points"]
        columns = [[point[key] for point in points] for key in ("time", "position", "orientation")]
        trajectory = PoseTrajectory(*columns)
    except (KeyError, TypeError):
        raise TrajectoryFileError(f"{name}: 'frame' and 'points' with time, position, orientation are needed") from None
    except ValueError as error:
        raise TrajectoryFileError(f"{name}: {' '.join(str(error).split())}") from None
    if frame not in FRAMES:
        raise TrajectoryFileError(f"{name}: frame '{frame}' is unknown: {' or '.join(FRAMES)}")
    return trajectory, frame
