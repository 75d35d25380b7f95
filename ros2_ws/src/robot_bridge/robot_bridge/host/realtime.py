"""Keeps a 500 Hz loop of Python punctual beside other work. Runs on Python 3.6."""

import gc
import os
import sys

_PRIORITY = 10
SWITCH_INTERVAL = 0.0005
"""s that another thread may keep the interpreter; Python's own 5 ms are more than two periods."""


def make_punctual() -> str:
    """Ask for real-time scheduling and tune the interpreter; return what was granted. Call it before threads start.

    They inherit it, and have to: a thread without it could be kept from running while it holds the interpreter.

    Linux grants it to root and to users with an `rtprio` limit (/etc/security/limits.d). The kernel still leaves 5 % of
    the time to others if the loop should ever spin.
    """
    sys.setswitchinterval(SWITCH_INTERVAL)
    if hasattr(gc, "freeze"):
        gc.collect()
        gc.freeze()
    try:
        if os.sched_getscheduler(0) != os.SCHED_OTHER:
            return "as started"
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(_PRIORITY))
    except (AttributeError, OSError):
        return "normal"
    return "real time"
