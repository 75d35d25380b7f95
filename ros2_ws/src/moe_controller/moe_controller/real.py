"""`make real`: the real robot from one command, or with `--emulate` the same on emulated hardware.

Runs the graph description under the supervisor. Without a scenario nothing moves until a person calls /safety/stand.
Exit status as `make sim`.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from .graph.description import GraphError
from .graph.real import REAL_ARGUMENTS, real_graph, real_values
from .preflight import run_checks, show
from .sim import VIDEO_FILE, UsageError, check_domain, existing_file, output_folder, prepare, run_graph

_OPTIONS = (
    ("scenario", "NAME"), ("duration", "S"), ("seed", "N"), ("interface", "NAME"), ("domain", "N"), ("can", "NAME"),
    ("sdk", "NAME"), ("odometry", "NAME"), ("arm_speed", "PERCENT"), ("loss", "NAME"), ("emulation_control", "PATH"),
    ("controller", "NAME"), ("model", "FILE"), ("backend", "NAME"), ("num_samples", "N"), ("precompiled_dir", "DIR"),
    ("namespace", "NAME"),
)  # fmt: skip
_FLAGS = ("emulate", "arm_mit", "recompile")


def build_parser() -> argparse.ArgumentParser:
    """Return the parser; texts and choices come from the graph description."""
    about = {argument.name: argument for argument in REAL_ARGUMENTS}
    parser = argparse.ArgumentParser(prog="real", description="Go2 + Piper, through ROS 2.")
    for name, metavar in _OPTIONS:
        argument = about[name]
        choices = f" ({', '.join(argument.choices)})" if argument.choices else ""
        parser.add_argument(
            f"--{name.replace('_', '-')}",
            default=argument.default,
            metavar=metavar,
            help=argument.description + choices,
        )
    for name in _FLAGS:
        parser.add_argument(f"--{name.replace('_', '-')}", action="store_true", help=about[name].description)
    parser.add_argument("--no-stand-down", action="store_true", help="the Go2 lies already: release it as it is")
    parser.add_argument("--check", action="store_true", help="look at network, dog, arm and policy; start nothing")
    parser.add_argument("--headless", action="store_true", help="no window and no cockpit")
    parser.add_argument("--cockpit-port", default=about["cockpit_port"].default, metavar="N", help="of the cockpit")
    parser.add_argument("--record", action="store_true", help=about["record"].description)
    parser.add_argument("--film", action="store_true", help=f"render the run to {VIDEO_FILE} afterwards")
    parser.add_argument("--out", default="", metavar="DIR", help="folder for what the run leaves (runs/<time>)")
    return parser


def graph_arguments(options: argparse.Namespace) -> dict[str, str]:
    """Return the arguments of the graph for these options. Raises UsageError."""
    values = {name: str(getattr(options, name)) for name, _ in _OPTIONS}
    values |= {name: str(getattr(options, name)).lower() for name in _FLAGS}
    values["cockpit"] = str(not options.headless).lower()
    values["cockpit_port"] = options.cockpit_port
    values["record"] = str(options.record).lower()
    values["stand_down"] = str(not options.no_stand_down).lower()
    values["model"] = existing_file("--model", options.model)
    values["precompiled_dir"] = str(Path(options.precompiled_dir).resolve()) if options.precompiled_dir else ""
    display = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    values["headless"] = str(bool(options.headless or not display)).lower()
    values["out"] = str(output_folder(options.out))
    return values


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        arguments: of the command line; None for those of this process.
    """
    options = build_parser().parse_args(arguments)
    try:
        check_domain()
        values = graph_arguments(options)
        nodes = real_graph(values)
        if options.check:
            return 0 if show(run_checks(real_values(values)), Console()) else 1
        folder = Path(values["out"])
        prepare(folder)
    except (UsageError, GraphError) as error:
        print(f"real: {error}", file=sys.stderr)
        return 2
    return run_graph("real", nodes, folder, options.film, Console())


if __name__ == "__main__":
    sys.exit(main())
