"""Processes that only show, record or ask give way to those that control."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

WATCHER = 10
"""For nodes whose delay nobody feels."""
PERSON = 5
"""For nodes that carry what a person asks for."""
AUTOGROUP = Path("/proc/self/autogroup")


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
