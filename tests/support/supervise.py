"""Runs a supervisor over fake nodes, described as JSON on the command line: `supervise FOLDER NODES`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from moe_controller.graph import supervisor
from moe_controller.graph.description import Node


def main() -> int:
    """Print the process ids once all nodes run, and the failure at the end."""
    folder, text = sys.argv[1:]
    # the tests wait for these; a user may have more patience
    supervisor.INTERRUPT_TIME = supervisor.TERMINATE_TIME = 0.5
    supervisor.LINGER = 1.0
    nodes = [Node(package="tests", executable="", module="tests.support.fake_node", **raw) for raw in json.loads(text)]
    outcome = supervisor.Supervisor(nodes, Path(folder)).run()
    print(outcome.failure)
    return outcome.exit_status


if __name__ == "__main__":
    sys.exit(main())
