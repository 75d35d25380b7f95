"""Takes the motors over from the Go2's own motion service, or refuses. No LowCmd is sent before this has succeeded."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from robot_bridge.plant import PlantError

from .link import Go2Link
from .services import (
    CHECK_MODE,
    MOTION_SWITCHER,
    RELEASE_MODE,
    SPORT,
    SPORT_STAND_DOWN,
    TIMEOUT,
    describe,
)


@dataclass(frozen=True)
class ReleaseTimes:
    """How long to wait, s."""

    call: float = 1.0
    """For one answer."""
    answer: float = 5.0
    """For the first answer of all: the service may still be starting."""
    lying: float = 8.0
    """Until the robot lies still after it was told to lie down."""
    released: float = 10.0
    """Until no mode owns the motors."""


def current_mode(link: Go2Link, timeout: float) -> tuple[int, str]:
    """Ask who owns the motors; return code and name, empty for nobody. An answer that is no JSON is a time-out."""
    code, data = link.call(MOTION_SWITCHER, CHECK_MODE, "{}", timeout)
    if code != 0:
        return code, ""
    try:
        return 0, str(json.loads(data)["name"])
    except (ValueError, KeyError, TypeError):
        return TIMEOUT, ""


def first_mode(link: Go2Link, times: ReleaseTimes) -> str:
    """Return who owns the motors, empty for nobody. Raises PlantError where the service stays silent."""
    deadline = time.monotonic() + times.answer
    while True:
        code, name = current_mode(link, times.call)
        if code == 0:
            return name
        if time.monotonic() > deadline:
            raise PlantError(
                f"the Go2's motion service does not tell its mode: {describe(code)}; nothing was sent to the motors. "
                "Is this the robot's network and domain?"
            )


def release(link: Go2Link, lies_still: Callable[[], bool], stand_down: bool, times: ReleaseTimes) -> None:
    """Return once nobody owns the motors.

    Args:
        link: to the robot.
        lies_still: reads the newest state and tells whether the robot lies still.
        stand_down: tell the robot to lie down; otherwise it must lie already.
        times: limits.

    Raises:
        PlantError: the motors were not released; nothing was sent to them.
    """
    name = first_mode(link, times)
    if not name:
        return
    if stand_down:
        code, _ = link.call(SPORT, SPORT_STAND_DOWN, "", times.call)
        if code not in (0, TIMEOUT):  # the pose below decides, not the answer
            raise PlantError(f"mode {name} refuses to lie down: {describe(code)}")
    deadline = time.monotonic() + (times.lying if stand_down else 0.5)
    while not lies_still():
        if time.monotonic() > deadline:
            hint = "it did not lie down" if stand_down else "lay it down with its remote control, or set stand_down"
            raise PlantError(f"the Go2 stands or moves in mode {name}, and would fall when released: {hint}")
        time.sleep(0.01)
    deadline = time.monotonic() + times.released
    code = 0
    while True:
        answered, now = current_mode(link, times.call)
        if answered == 0 and not now:
            return
        if time.monotonic() > deadline:
            reason = describe(code or answered) if code or answered else f"mode {now} stays"
            raise PlantError(f"the Go2's motion service did not release the motors: {reason}")
        code, _ = link.call(MOTION_SWITCHER, RELEASE_MODE, "{}", times.call)
        time.sleep(0.1)


class ModeWatch:
    """Keeps asking who owns the motors, in its own thread: a mode that comes back must not meet a second writer."""

    PERIOD = 1.0

    def __init__(self, link: Go2Link, timeout: float) -> None:
        self.taken_by = ""
        """Name of the mode that has the motors now; empty for none."""
        self.silent = 0
        """Questions in a row without an answer."""
        self._link, self._timeout = link, timeout
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True, name="go2_mode_watch")
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.wait(self.PERIOD):
            code, name = current_mode(self._link, self._timeout)
            self.silent = 0 if code == 0 else self.silent + 1
            if code == 0:
                self.taken_by = name

    def stop(self) -> None:
        """End the thread."""
        self._stop.set()
        self._thread.join(timeout=self._timeout + 1.0)
