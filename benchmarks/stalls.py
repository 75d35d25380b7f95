"""When this machine itself stood still: a virtual machine's host takes processors away, which no program here can help.

    python -m benchmarks.stalls FILE PROCESSOR

notes until SIGTERM when a process that goes before all others on a processor woke up late.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Windows = NDArray[np.int64]
_PERIOD_NS = 1_000_000
LATE_NS = 2_000_000
"""That late counts as a standstill."""
_PRIORITY = 11
"""Above all of ours (`robot_bridge/host/realtime.py`)."""


@contextlib.contextmanager
def watched(folder: Path) -> Iterator[None]:
    """Watch all processors; `standstills` reads what was seen.

    Raises:
        RuntimeError: no right to real-time scheduling.
    """
    try:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(_PRIORITY))
    except PermissionError:
        raise RuntimeError("needs the right to real-time scheduling: docs/hardware.md says how to get it") from None
    os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    command = [sys.executable, "-m", "benchmarks.stalls"]
    watchers = [
        subprocess.Popen([*command, str(folder / f"stalls_{cpu}.txt"), str(cpu)]) for cpu in os.sched_getaffinity(0)
    ]
    try:
        yield
    finally:
        for watcher in watchers:
            watcher.terminate()
            watcher.wait()


def standstills(folder: Path) -> Windows:
    """Return begin and end of each standstill of any processor, wall time, ns, (N, 2)."""
    numbers = [int(word) for path in sorted(folder.glob("stalls_*.txt")) for word in path.read_text().split()]
    return np.array(numbers, dtype=np.int64).reshape(-1, 2)


def touched(windows: Windows, begin: Windows, end: Windows) -> NDArray[np.bool_]:
    """Return which intervals, (M,) each, overlap any of the windows."""
    return np.any((windows[:, :1] < end) & (windows[:, 1:] > begin), axis=0)


def _watch(path: Path, cpu: int) -> None:
    stopping: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: stopping.append(number))
    os.sched_setaffinity(0, {cpu})
    os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(_PRIORITY))
    late: list[tuple[int, int]] = []
    while not stopping:
        wanted = time.time_ns() + _PERIOD_NS
        time.sleep(1e-9 * _PERIOD_NS)
        now = time.time_ns()
        if now - wanted > LATE_NS:
            late.append((wanted, now))
    np.savetxt(path, np.array(late, dtype=np.int64).reshape(-1, 2), fmt="%d")


if __name__ == "__main__":
    _watch(Path(sys.argv[1]), int(sys.argv[2]))
