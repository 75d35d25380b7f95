"""A process that takes a node's command line and does what its parameters say. No ROS."""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path

import yaml


def main() -> None:
    """Parameters: says, errs (texts), status, after (s until the end), stubborn (only SIGKILL ends it)."""
    path = Path(sys.argv[sys.argv.index("--params-file") + 1])
    parameters = yaml.safe_load(path.read_text())["/**"]["ros__parameters"]
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN if parameters.get("stubborn") else lambda *_: sys.exit(0))
    print(parameters.get("says", "hello"), flush=True)
    if "errs" in parameters:
        print(parameters["errs"], file=sys.stderr, flush=True)
    time.sleep(parameters.get("after", 600.0))
    sys.exit(parameters.get("status", 0))


if __name__ == "__main__":
    main()
