"""Processes of a test: started with a mark in their environment by which their descendants are found."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

HARD_LIMIT = 300.0
"""s until a process of a test is killed."""
END_TIME = 20.0
"""s for the descendants of a process to end after it."""


class Processes:
    """Starts processes and ends all that carry their mark."""

    def __init__(self) -> None:
        self._mark = f"GO2_PIPER_TEST={uuid.uuid4().hex}"
        self._started: list[subprocess.Popen[str]] = []

    def start(self, module: str, *arguments: str) -> subprocess.Popen[str]:
        """Start `python -m module arguments` with its output captured."""
        name, _, value = self._mark.partition("=")
        process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            env={**os.environ, name: value},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._started.append(process)
        return process

    def run(self, module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run `python -m module arguments` to its end; killed after the hard limit."""
        return self.finish(self.start(module, *arguments))

    def finish(self, process: subprocess.Popen[str]) -> subprocess.CompletedProcess[str]:
        """Wait for the end of a process; killed after the hard limit."""
        try:
            output, errors = process.communicate(timeout=HARD_LIMIT)
        except subprocess.TimeoutExpired:
            process.kill()
            output, errors = process.communicate()
            raise AssertionError(f"{process.args!r} did not end within {HARD_LIMIT:g} s:\n{output}\n{errors}") from None
        return subprocess.CompletedProcess(process.args, process.returncode, output, errors)

    def running(self) -> list[int]:
        """Return the ids of all live processes that carry the mark."""
        found = []
        for entry in Path("/proc").iterdir():
            if not entry.name.isdecimal():
                continue
            with contextlib.suppress(OSError):
                marked = self._mark.encode() in (entry / "environ").read_bytes().split(b"\0")
                if marked and "\nState:\tZ" not in (entry / "status").read_text():
                    found.append(int(entry.name))
        return found

    def find(self, words: str) -> int:
        """Return the id of the one marked process with these words in its command line."""
        found = [pid for pid in self.running() if words in Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")]
        assert len(found) == 1, f"{len(found)} processes have '{words}' in their command line"
        return found[0]

    def await_none(self) -> list[int]:
        """Wait until no marked process is left; return those that are after a while."""
        deadline = time.monotonic() + END_TIME
        while self.running() and time.monotonic() < deadline:
            time.sleep(0.1)
        return self.running()

    def end_all(self) -> list[int]:
        """Kill what was started here; return (and kill) whatever is then left of their descendants."""
        for process in self._started:
            if process.poll() is None:
                process.kill()
            process.communicate()
        left = self.await_none()
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return left
