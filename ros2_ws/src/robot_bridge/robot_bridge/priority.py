"""How processes share the processors: those that control go first, those that only show, record or ask give way."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

CONTROLLER, BRIDGE = 8, 9
"""Real-time priorities; the plant host's loop, which meets the robot, has 10 (`host/realtime.py`)."""
WATCHER = 10
"""Niceness of nodes whose delay nobody feels."""
PERSON = 5
"""Niceness of nodes that carry what a person asks for."""
AUTOGROUP = Path("/proc/self/autogroup")
THREADS = Path("/proc/self/task")


def go_first(priority: int) -> str:
    """Ask for real-time scheduling of all threads that this process has now; return what was granted.

    Those of the middleware too: they carry the messages. Linux grants it to root and to users with an `rtprio` limit
    (docs/hardware.md), and still leaves 5 % of the time to others.
    """
    try:
        for thread in THREADS.iterdir():
            os.sched_setscheduler(int(thread.name), os.SCHED_RR, os.sched_param(priority))
    except (AttributeError, OSError):
        return "normal"
    return "real time"


def give_way(niceness: int) -> None:
    """Lower this process's priority.

    Linux with autogroups weighs sessions against each other and looks at niceness only inside of one. The supervisor
    gives every node its own session; such a node lowers its session as well. In a session that others share, as under
    `ros2 launch`, it must not.
    """
    os.nice(niceness)
    if os.getsid(0) == os.getpid():
        with contextlib.suppress(OSError):  # no autogroups here
            AUTOGROUP.write_text(str(niceness))
