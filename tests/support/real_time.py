"""What this machine grants."""

from __future__ import annotations

import subprocess
import sys

_ASK = "import os; os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))"


def granted() -> bool:
    """Whether processes here may ask for real-time scheduling."""
    return subprocess.run([sys.executable, "-c", _ASK], capture_output=True, check=False).returncode == 0
