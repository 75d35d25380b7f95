"""From the cockpit's STOP to the gate's emergency stop, beside a running graph and a page that floods the cockpit.

The bridge writes the damping command to the plant before it publishes its state, so the time until that is published is
the longer of the two. How often the machine itself stood still between click and stop (`stalls.py`) is said beside it.
"""

from __future__ import annotations

import math
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import rclpy
from moe_controller.calls import STOP
from moe_controller.cockpit.cockpit_node import CockpitNode
from moe_controller.graph.transport import loopback
from numpy.typing import NDArray
from rclpy.qos import DurabilityPolicy, QoSProfile
from robot_bridge.inbox import Inbox
from std_msgs.msg import String

from .page_client import PageClient
from .stalls import standstills, touched, watched

STOPS = 50
LIMIT = 100.0
"""ms"""
DOMAIN = "86"
FLOOD_PERIOD = 0.005
"""s between two messages of a hand that drags wildly; browsers send 60 a second."""
HANG = 120.0
"""s"""


class TimedCockpit(CockpitNode):
    """Notes when a stop has arrived."""

    arrived_ns = 0

    def stop(self) -> None:
        """Stop the robot, note the wall time."""
        self.arrived_ns = time.time_ns()
        super().stop()


def run(stops: int = STOPS) -> list[str]:
    """Return the lines of the report.

    Args:
        stops: to measure.
    """
    os.environ.update({"ROS_DOMAIN_ID": DOMAIN, **loopback(os.environ)})
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "moe_controller.sim", "--headless", "--scenario", "none", "--record"]
        graph = subprocess.Popen([*command, "--out", folder], stdout=subprocess.DEVNULL)
        try:
            with watched(Path(folder)):
                clicked, arrived, stopped = _measured(_free_port(), stops)
        finally:
            graph.send_signal(signal.SIGINT)
            graph.wait()
        still = int(touched(standstills(Path(folder)), clicked, stopped).sum())
    return [
        _line("the click", stopped - clicked),
        _line("its arrival", stopped - arrived),
        f"in {still} of them the machine itself stood still for a moment; they count",
    ]


def _measured(port: int, stops: int) -> NDArray[np.int64]:
    """Return when each stop was clicked, had arrived and was published by the gate, wall time, ns, (3, stops)."""
    rclpy.init(args=["--ros-args", "-p", f"port:={port}"])
    cockpit, node = TimedCockpit(), rclpy.create_node("stop_benchmark", use_global_arguments=False)
    inbox, gate, ending = Inbox(node), [("", 0)], threading.Event()
    latched = QoSProfile(depth=10, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    inbox.subscribe(String, "safety/state", lambda message: gate.append((message.data, inbox.published_ns)), latched)

    def until(mode: str) -> int:
        """Wait for a mode of the gate; return when it was published, ns."""
        give_up = time.monotonic() + HANG
        while not gate[-1][0].startswith(mode):
            if time.monotonic() > give_up:
                raise RuntimeError(f"the gate is in '{gate[-1][0]}', not in {mode}")
            time.sleep(0.001)
            inbox.take()
        return gate[-1][1]

    threads = [threading.Thread(target=work, args=(ending,)) for work in (_loop(cockpit), _flood(port))]
    try:
        for thread in threads:
            thread.start()
        until("ACTIVE")
        while not cockpit.calls.offered(STOP):
            time.sleep(0.1)
        page, random, rows = PageClient(port), np.random.default_rng(0), []
        for _ in range(stops):
            time.sleep(random.uniform(0.1, 0.4))
            clicked = time.time_ns()
            page.click("STOP")
            stopped = until("ESTOP")
            rows.append((clicked, cockpit.arrived_ns, stopped))
            while cockpit.calls.stopping:  # a repeated stop would undo the reset
                time.sleep(0.01)
            time.sleep(0.1)
            inbox.take()
            cockpit.wishes.call("reset")
            until("DAMPING")
        page.close()
    finally:
        ending.set()
        for thread in threads:
            thread.join()
        cockpit.close()
        node.destroy_node()
        rclpy.try_shutdown()
    return np.array(rows, dtype=np.int64).T


def _loop(cockpit: CockpitNode) -> Callable[[threading.Event], None]:
    def turn(ending: threading.Event) -> None:
        while not ending.is_set():
            cockpit.turn()

    return turn


def _flood(port: int) -> Callable[[threading.Event], None]:
    def send(ending: threading.Event) -> None:
        page, index = PageClient(port), 0
        while not ending.wait(FLOOD_PERIOD):
            index += 1
            page.drag((0.4, 0.2 * math.sin(0.01 * index), 0.5))
        page.close()

    return send


def _line(name: str, nanoseconds: NDArray[np.int64]) -> str:
    values = 1e-6 * nanoseconds
    p50, p99 = np.percentile(values, [50, 99])
    return (f"STOP, from {name} to the gate's ESTOP: p50 / p99 / max {p50:.1f} / {p99:.1f} / {values.max():.1f} ms "
            f"of {len(values)} (limit {LIMIT:.0f})")  # fmt: skip


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
