"""A path of the end effector recorded by hand, out of the targets that were sent: saved, and sent again. ROS-free."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ..trajectory import Array, PoseTrajectory
from ..trajectory_file import TrajectoryFileError, parse_trajectory, save_trajectory

SMALLEST_STEP = 0.02
"""s between two points."""


class TrajectoryRecording:
    """Collects targets between two clicks.

    Args:
        folder: where files go.
        tell: shows a line to people.
        clock: s, monotonic.
    """

    def __init__(self, folder: Path, tell: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._folder, self._tell, self._clock = folder, tell, clock
        self._lock = threading.Lock()
        self._points: list[tuple[float, Array, Array]] = []
        self._frame = ""
        self._send = False
        self.running = False
        self.last: tuple[PoseTrajectory, str] | None = None
        """The newest trajectory and its frame."""

    def toggle(self) -> None:
        """Begin, or end and save."""
        with self._lock:
            if not self.running:
                self._points, self.running = [], True
                self._tell("recording: move the target")
                return
            self.running = False
            if len(self._points) < 2:
                self._tell("the target was not moved: nothing recorded")
                return
            times = np.array([at for at, _, _ in self._points])
            positions, orientations = (np.array([row[i] for row in self._points]) for i in (1, 2))
            self.last = PoseTrajectory(times - times[0], positions, orientations), self._frame
        path = self._folder / f"trajectory_{time.strftime('%Y%m%d-%H%M%S')}.json"
        try:
            save_trajectory(path, *self.last)
            self._tell(f"saved {path}")
        except TrajectoryFileError as error:
            self._tell(str(error))

    def note(self, position: Array, orientation: Array, frame: str) -> None:
        """Take a target that was sent."""
        with self._lock:
            now = self._clock()
            if not self.running or (self._points and now - self._points[-1][0] < SMALLEST_STEP):
                return
            if frame != self._frame:
                self._points = []
            self._frame = frame
            self._points.append((now, position, orientation))

    def load(self, name: str, content: bytes) -> None:
        """Take a saved trajectory, given as the bytes of its file, as the newest."""
        try:
            self.last = parse_trajectory(content, name)
        except TrajectoryFileError as error:
            self._tell(str(error))
            return
        trajectory, frame = self.last
        self._tell(f"{name}: {trajectory.end - trajectory.start:.1f} s in {frame}, ready to be sent")

    def ask_to_send(self) -> None:
        """Want the newest trajectory sent."""
        self._send = True

    def take_back(self) -> None:
        """Want nothing sent any more."""
        self._send = False

    def take_to_send(self) -> tuple[PoseTrajectory, str] | None:
        """Return the trajectory to send now, if somebody asked for it."""
        if not self._send:
            return None
        self._send = False
        if self.last is None:
            self._tell("record or load a trajectory first")
        return self.last
