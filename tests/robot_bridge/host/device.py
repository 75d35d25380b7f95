"""A device for the tests of the plant host: notes what it is made to do. Runs on Python 3.6."""

import os
import time
from typing import Dict, Optional

from robot_bridge.host import layout
from robot_bridge.host.loop import HostedDevice

_ZEROS = (0.0,) * 18


class NotingDevice(HostedDevice):
    """Appends a word to a file whenever it does something else than before."""

    def __init__(self, path: str, fails: str = "") -> None:
        self._path, self._fails, self._word = path, fails, ""

    def _note(self, word: str) -> None:
        if word != self._word:
            self._word = word
            with open(self._path, "a") as file:
                file.write("{} {}\n".format(os.getpid(), word))

    def start(self) -> None:
        self._note("start")
        if self._fails == "start":
            raise RuntimeError("the device\nhas no power")

    def stop(self) -> None:
        self._note("stop")

    def rescue(self) -> None:
        self._note("rescue")

    def read(self) -> Optional[layout.State]:
        if self._fails == "read" and self._word == "write 1":
            raise RuntimeError("the device burns")
        return layout.State(time.monotonic(), _ZEROS, _ZEROS, _ZEROS, (0.0, 0.0, 0.0, 1.0), (0.0,) * 3, (0.0,) * 3,
                            (0.0,) * 3, None, None, None)  # fmt: skip

    def write(self, targets: layout.Targets) -> None:
        self._note("write {:g}".format(targets.kp[0]))

    def damp(self) -> None:
        self._note("damp")

    def diagnostics(self) -> Dict[str, str]:
        return {"device": "notes"}
