"""`make sim`: the simulated robot from one command, with a summary at the end.

Runs the graph description under the supervisor. Exit status: 0 when the scenario was played, the robot did not fall and
nothing faulted; 2 for bad options; 130 after Ctrl-C; 1 otherwise.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from .graph.description import SIM_ARGUMENTS, GraphError, Node, sim_graph
from .graph.supervisor import Outcome, Supervisor
from .recording.files import RECORDING_FILE
from .scenario.outcome import RECORD_FILE, SUMMARY_FILE
from .scenario.record import Record
from .scenario.summary import read_summary, write_summary

VIDEO_FILE = "video.mp4"
LARGEST_DOMAIN = 232
"""Above it the ports of DDS would exceed 65535."""


class UsageError(ValueError):
    """Options that cannot work; one line."""


def build_parser() -> argparse.ArgumentParser:
    """Return the parser; texts and choices come from the graph description."""
    about = {argument.name: argument for argument in SIM_ARGUMENTS}
    parser = argparse.ArgumentParser(prog="sim", description="Go2 + Piper in MuJoCo, through ROS 2.")

    def option(name: str, metavar: str, default: str | None = None) -> None:
        argument = about[name]
        parser.add_argument(
            f"--{name.replace('_', '-')}",
            default=argument.default if default is None else default,
            metavar=metavar,
            # no choices: sim_graph checks them, with one message for all ways to start
            help=argument.description + (f" ({', '.join(argument.choices)})" if argument.choices else ""),
        )

    option("scenario", "NAME", "walk-and-reach")
    option("duration", "S")
    option("seed", "N")
    option("controller", "NAME")
    option("model", "FILE")
    option("backend", "NAME")
    option("num_samples", "N")
    option("precompiled_dir", "DIR")
    option("plant_model", "MJCF")
    option("command_delay", "S")
    option("sensor_noise", "X")
    option("pushes", "V")
    option("speed", "X")
    option("namespace", "NAME")
    parser.add_argument("--headless", action="store_true", help="no window and no cockpit")
    parser.add_argument("--cockpit-port", default=about["cockpit_port"].default, metavar="N", help="of the cockpit")
    parser.add_argument("--lockstep", action="store_true", help=about["lockstep"].description)
    parser.add_argument("--recompile", action="store_true", help=about["recompile"].description)
    parser.add_argument("--record", action="store_true", help=about["record"].description)
    parser.add_argument("--film", action="store_true", help=f"render the run to {VIDEO_FILE} afterwards")
    parser.add_argument("--out", default="", metavar="DIR", help="folder for what the run leaves (runs/<time>)")
    return parser


def graph_arguments(options: argparse.Namespace) -> dict[str, str]:
    """Return the arguments of the graph for these options. Raises UsageError."""
    values = {
        name: str(getattr(options, name))
        for name in (
            "scenario", "duration", "seed", "controller", "command_delay", "sensor_noise", "pushes",
            "speed", "namespace", "backend", "num_samples",
        )
    }  # fmt: skip
    values["model"] = existing_file("--model", options.model)
    values["plant_model"] = existing_file("--plant-model", options.plant_model)
    values["precompiled_dir"] = str(Path(options.precompiled_dir).resolve()) if options.precompiled_dir else ""
    values["recompile"] = str(options.recompile).lower()
    values["cockpit"] = str(not options.headless).lower()
    values["cockpit_port"] = options.cockpit_port
    values["record"] = str(options.record).lower()
    values["lockstep"] = str(options.lockstep).lower()
    display = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    values["headless"] = str(bool(options.headless or not display)).lower()
    values["out"] = str(output_folder(options.out))
    return values


def existing_file(option: str, path: str) -> str:
    """Return the absolute path of a file, empty for an empty one. Raises UsageError."""
    if path and not Path(path).is_file():
        raise UsageError(f"{option} {path}: no such file")
    return str(Path(path).resolve()) if path else ""


def output_folder(path: str) -> Path:
    """Return the folder of a run, by default one named after the time."""
    return (Path(path) if path else Path("runs") / time.strftime("%Y%m%d-%H%M%S")).resolve()


def prepare(folder: Path) -> None:
    """Make the folder of a run, without what an earlier one left there. Raises UsageError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"--out {folder}: cannot make this folder ({error.strerror})") from error
    for name in (SUMMARY_FILE, RECORD_FILE, RECORDING_FILE):  # those of an earlier run must not pass for this one's
        (folder / name).unlink(missing_ok=True)


def check_domain() -> None:
    """Refuse a ROS domain that cannot be. Raises UsageError."""
    domain = os.environ.get("ROS_DOMAIN_ID", "0")
    if not domain.isdecimal() or int(domain) > LARGEST_DOMAIN:
        raise UsageError(f"ROS_DOMAIN_ID '{domain}' is not a number from 0 to {LARGEST_DOMAIN}")


def _note_failure(folder: Path, outcome: Outcome) -> None:
    """Put what the operator cannot know, that a node ended by itself, into its summary."""
    summary = read_summary(folder / SUMMARY_FILE)
    if summary is None or outcome.failure is None:
        return
    seen = summary["exit_reason"]
    summary["exit_reason"] = outcome.failure if seen == "interrupted" else f"{outcome.failure}; {seen}"
    summary["success"] = False
    write_summary(summary, folder / SUMMARY_FILE)


def _render(folder: Path, console: Console) -> None:
    from sim_bridge.gl import RenderError

    from .scenario.video import render_record

    try:
        with console.status("rendering (without a GPU, several times as long as the run)"):
            render_record(Record.load(folder / RECORD_FILE), folder / VIDEO_FILE)
    except (RenderError, ValueError) as error:
        raise UsageError(f"--film: {error}") from error


def run_graph(name: str, nodes: Sequence[Node], folder: Path, film: bool, console: Console) -> int:
    """Run a graph to its end and render a film of it if asked to; return the exit status.

    Args:
        name: of the command, for messages.
        nodes: of the graph.
        folder: that the run leaves behind.
        film: render one.
        console: to print on.
    """
    outcome = Supervisor(nodes, folder).run()
    _note_failure(folder, outcome)
    status = outcome.exit_status
    if film and (folder / RECORD_FILE).is_file() and status < 128:
        try:
            _render(folder, console)
        except UsageError as error:
            print(f"{name}: {error}", file=sys.stderr)
            status = status or 1
    console.print(f"{folder}", highlight=False, soft_wrap=True)
    return status


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        arguments: of the command line; None for those of this process.
    """
    options = build_parser().parse_args(arguments)
    console = Console()
    try:
        check_domain()
        values = graph_arguments(options)
        nodes = sim_graph(values)
        folder = Path(values["out"])
        prepare(folder)
    except (UsageError, GraphError) as error:
        print(f"sim: {error}", file=sys.stderr)
        return 2
    return run_graph("sim", nodes, folder, options.film, console)


if __name__ == "__main__":
    sys.exit(main())
