"""`make real --emulate` with time-outs for a machine with other work: `python -m tests.support.real_patiently OUT ...`.

Arguments after the folder are name=value, as those of the graph.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

from moe_controller.graph.real import real_graph
from moe_controller.sim import prepare, run_graph
from rich.console import Console

SECONDS = 0.4
PATIENT = ("plant_options.silence", "plant_options.state_age", "gate.state_timeout", "gate.command_hold_after")


def main(out: Path, *arguments: str) -> int:
    """Run the graph. Returns its exit status."""
    values = dict(argument.split("=", 1) for argument in arguments)
    nodes = []
    for node in real_graph({"emulate": "true", "headless": "true", "out": str(out), **values}):
        if node.name == "robot_bridge":
            patient = {name: SECONDS for name in PATIENT} | {"gate.command_max_state_age": SECONDS}
            node = replace(node, parameters={**node.parameters, **patient})
        nodes.append(node)
    prepare(out)
    return run_graph("real", nodes, out, False, Console())


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), *sys.argv[2:]))
