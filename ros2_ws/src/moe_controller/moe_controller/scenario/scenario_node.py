"""The operator: makes the robot stand, plays a scenario, records it and writes the summary.

It does by topics and services what a person would do, so it works on every graph that has the bridge's interface. In
lockstep it also releases simulation time slice by slice, and gives goals only while the simulation waits.
"""

from __future__ import annotations

import contextlib
import signal
import sys
from pathlib import Path
from types import FrameType

import rclpy
from rclpy.exceptions import InvalidParameterTypeException
from rclpy.signals import SignalHandlerOptions
from robot_bridge.priority import PERSON, give_way

from ..shipped import shipped_model
from .operator_node import OperatorNode
from .outcome import write_outcome
from .player import Ending, Interrupted, LinkError, Player, Progress
from .scenarios import ScenarioError, goals
from .status import LiveStatus
from .summary import Setting, print_summary, summarise


def play(node: OperatorNode, live: LiveStatus) -> Ending:
    """Wait for the graph and play the scenario that the node's parameters ask for."""
    progress = Progress()

    def observe(progress: Progress) -> None:
        if live.due():
            live.update(node.status(progress))

    duration = node.duration or None
    stream = goals(node.scenario, node.seed, duration)
    try:
        node.wait_for_graph(lambda: observe(progress))
    except LinkError as error:
        return Ending(str(error), finished=False)
    except Interrupted:
        return Ending("interrupted", finished=False, interrupted=True)
    return Player(node, stream, duration, observe).run()


def run(node: OperatorNode) -> int:
    """Play, then write what the run leaves behind. Returns the exit status: 0 only if all went well."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        node.interrupted = True

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interrupt)
    with LiveStatus() as live:
        ending = play(node, live)
    speed = node.simulation_speed
    node.interrupted = False  # from here on a second Ctrl-C only ends the waiting
    with contextlib.suppress(Interrupted):
        if not ending.interrupted:
            node.wait_for_diagnostics()
    model = node.model or str(shipped_model())
    setting = Setting(node.scenario, node.seed, node.lockstep, node.controller, model, node.plant_model)
    record = node.recorder.finish()
    summary = summarise(record, ending, setting, node.listener.diagnostics, speed)
    if node.out:
        write_outcome(record, summary, Path(node.out))
    print_summary(summary)
    if ending.interrupted:
        return 130
    return 0 if summary["success"] else 1


def main() -> None:
    """Run the operator."""
    give_way(PERSON)
    # no handlers of rclpy: after Ctrl-C the node still has a summary to write
    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    try:
        node = OperatorNode()
        try:
            status = run(node)
        finally:
            node.close()
    except (ScenarioError, InvalidParameterTypeException) as error:
        print(f"operator: {error}", file=sys.stderr)
        status = 2
    finally:
        rclpy.try_shutdown()
    sys.exit(status)


if __name__ == "__main__":
    main()
