"""Child processes that cannot outlive their parent, and the reading of what they print."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None

_QUIET = ("[INFO]", "[DEBUG]")
"""Lines that go to the log file only."""


def _die_with(parent: int) -> Callable[[], None]:
    """Return what a fresh child runs before exec: the kernel shall kill it when its parent dies, however that dies."""

    def prepare() -> None:
        if _LIBC is not None:
            _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != parent:  # the parent died before the line above
                os._exit(1)

    return prepare


class Child:
    """One child process in a session of its own, so that a terminal's Ctrl-C reaches only the supervisor.

    Args:
        name: for messages and the log file.
        command: program and arguments.
        environment: the whole environment.
        log: file that takes what the child prints.
        console: let it print on the terminal; only its standard error goes to the log.
        report: called with each line of standard error worth a person's attention.
        ready: what a line of the output says once the child is up; empty if nobody waits for that.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        environment: Mapping[str, str],
        log: Path,
        report: Callable[[str], None],
        console: bool = False,
        ready: str = "",
    ) -> None:
        self.name = name
        self._ready_text = ready
        self.ready = threading.Event()
        if not ready:
            self.ready.set()
        self._report = report
        self._readers: list[threading.Thread] = []
        self._muted = False
        self._log: IO[str] = log.open("w")
        self._process = subprocess.Popen(
            command,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=None if console else subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            preexec_fn=_die_with(os.getpid()),
            text=True,
            errors="replace",
        )
        if not console:
            self._read(self._process.stdout, forward=False)
        self._read(self._process.stderr, forward=True)

    @property
    def pid(self) -> int:
        """Process id, which is also the id of its process group."""
        return self._process.pid

    def poll(self) -> int | None:
        """Return the exit status (negative: ended by that signal), None while it runs."""
        return self._process.poll()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the child and whatever it has started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, number)

    def mute(self) -> None:
        """Report nothing more: what a child says while it is being ended is for the log."""
        self._muted = True

    def close(self) -> None:
        """Finish reading after the end of the child."""
        for reader in self._readers:
            reader.join(timeout=2.0)
        self._log.close()

    def _read(self, stream: IO[str] | None, forward: bool) -> None:
        assert stream is not None
        reader = threading.Thread(target=self._pump, args=(stream, forward), daemon=True)
        reader.start()
        self._readers.append(reader)

    def _pump(self, stream: IO[str], forward: bool) -> None:
        for line in stream:
            self._log.write(line)
            self._log.flush()
            if self._ready_text in line:
                self.ready.set()
            if forward and not self._muted and line.strip() and not line.startswith(_QUIET):
                self._report(line.rstrip())


def describe_exit(status: int) -> str:
    """Say in words how a process ended."""
    if status < 0:
        return f"was ended by {signal.Signals(-status).name}"
    return f"ended with exit status {status}"
