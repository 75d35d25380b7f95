"""Runs the graph description as child processes, where launch_ros is not installed.

Each node has a session of its own. When a required node ends, or on SIGINT or SIGTERM, all are ended: SIGINT
first, then SIGTERM, then SIGKILL. Should the supervisor itself be killed, the kernel kills the nodes.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import yaml

from .children import Child, describe_exit
from .description import Node
from .transport import loopback

POLL_PERIOD = 0.05
"""s between two looks at the children."""
LINGER = 12.0
"""s at most that the others get when a required node was killed: the gate holds, then damps, and the operator notes it,
in slow simulations too."""
INTERRUPT_TIME = 10.0
"""s after SIGINT: the operator still writes its summary."""
TERMINATE_TIME = 3.0
"""s after SIGTERM, before SIGKILL."""


@dataclass(frozen=True)
class Outcome:
    """How a run ended."""

    exit_status: int
    """0: the first required node to end did so with 0. 130: SIGINT. 143: SIGTERM."""
    failure: str | None
    """One line when a node other than the operator ended by itself; None otherwise."""


def child_environment(log_directory: Path) -> dict[str, str]:
    """Return the environment of the nodes: this one's, with defaults where nothing is set."""
    environment = dict(os.environ)
    defaults = {
        "ROS_DOMAIN_ID": "0",
        "AMENT_PREFIX_PATH": sys.prefix,  # where the wheels put their ament index
        "OMP_NUM_THREADS": "1",
        **loopback(os.environ),
    }
    for name, value in defaults.items():
        environment.setdefault(name, value)
    environment["ROS_LOG_DIR"] = str(log_directory)
    environment["PYTHONUNBUFFERED"] = "1"
    return environment


def node_command(node: Node, parameter_file: Path) -> list[str]:
    """Return the command that runs a node, and write its parameters to a file.

    Args:
        node: a node with a Python module.
        parameter_file: yaml file to write; a file keeps the types, which `-p name:=value` guesses.
    """
    parameter_file.write_text(yaml.safe_dump({"/**": {"ros__parameters": dict(node.parameters)}}))
    own = [argument for argument in node.arguments if isinstance(argument, str)]
    command = [sys.executable, "-m", node.module, *own, "--ros-args", "--params-file", str(parameter_file)]
    command += ["-r", f"__node:={node.name}"]
    if node.namespace:
        command += ["-r", f"__ns:=/{node.namespace.strip('/')}"]
    for old, new in node.remaps.items():
        command += ["-r", f"{old}:={new}"]
    return command


class Supervisor:
    """Starts nodes, watches them, and ends them all.

    Args:
        nodes: what to run; nodes that only a full ROS installation has are left out.
        directory: for parameter files and logs; is made.
        report: called with each line for a person.
    """

    def __init__(self, nodes: Sequence[Node], directory: Path, report: Callable[[str], None] | None = None) -> None:
        self._nodes = [node for node in nodes if not node.launch_only]
        self._directory = directory
        self._report = report or (lambda line: print(line, file=sys.stderr, flush=True))
        self._children: list[tuple[Node, Child]] = []
        self._asked_to_end: signal.Signals | None = None

    @property
    def pids(self) -> dict[str, int]:
        """Process ids by node name."""
        return {node.name: child.pid for node, child in self._children}

    def run(self) -> Outcome:
        """Run until a required node ends or a signal comes. Call from the main thread."""
        previous = {number: signal.signal(number, self._on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            return self._start() or self._watch()
        finally:
            self._end_all()
            for number, handler in previous.items():
                signal.signal(number, handler)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._asked_to_end = signal.Signals(number)

    def _start(self) -> Outcome | None:
        """Start the nodes in order; an outcome if the run is over before all have started."""
        logs = self._directory / "log"
        logs.mkdir(parents=True, exist_ok=True)
        environment = child_environment(logs)
        for node in self._nodes:
            command = node_command(node, logs / f"{node.name}.yaml")
            log, report = logs / f"{node.name}.log", self._prefixed(node.name)
            child = Child(node.name, command, environment, log, report, node.console, node.ready)
            self._children.append((node, child))
            while not child.ready.wait(POLL_PERIOD):
                ended = self._look()
                if ended:
                    return ended
        return None

    def _prefixed(self, name: str) -> Callable[[str], None]:
        return lambda line: self._report(f"[{name}] {line}")

    def _watch(self) -> Outcome:
        while True:
            ended = self._look()
            if ended:
                return ended
            time.sleep(POLL_PERIOD)

    def _look(self) -> Outcome | None:
        """Return an outcome if the run is over."""
        if self._asked_to_end is not None:
            return Outcome(128 + self._asked_to_end, None)
        for node, child in self._children:
            status = child.poll()
            if status is not None and node.required:
                return self._required_ended(node, status)
        return None

    def _required_ended(self, node: Node, status: int) -> Outcome:
        if node.console and status >= 0:  # the operator: its end is the end of the run
            return Outcome(status, None)
        failure = f"{node.name} {describe_exit(status)}"
        self._report(failure)
        if status < 0:
            self._linger()
        return Outcome(1, failure)

    def _linger(self) -> None:
        deadline = time.monotonic() + LINGER
        operators = [child for node, child in self._children if node.console]
        while time.monotonic() < deadline and self._asked_to_end is None:
            if operators and all(child.poll() is not None for child in operators):
                return
            time.sleep(POLL_PERIOD)

    def _end_all(self) -> None:
        steps = ((signal.SIGINT, INTERRUPT_TIME), (signal.SIGTERM, TERMINATE_TIME), (signal.SIGKILL, TERMINATE_TIME))
        for number, patience in steps:
            running = [child for _, child in self._children if child.poll() is None]
            for child in running:
                child.mute()
                child.signal(number)
            deadline = time.monotonic() + patience
            while time.monotonic() < deadline and any(child.poll() is None for child in running):
                time.sleep(POLL_PERIOD)
        for _, child in self._children:
            child.close()
