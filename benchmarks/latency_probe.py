"""Listens to a running graph: from the publication of each state to that of the command computed from it.

python -m benchmarks.latency_probe FILE      # until SIGTERM
"""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path

import numpy as np
import rclpy
from rclpy.qos import QoSProfile
from rclpy.signals import SignalHandlerOptions
from robot_bridge.convert import to_nanoseconds
from robot_bridge.inbox import Inbox
from sensor_msgs.msg import JointState

QUEUE = QoSProfile(depth=1000)
_PERIOD = 0.05
"""s between two looks; the times are those of the publishers."""


def main(path: Path) -> None:
    """Note begin and end of each, wall time, ns, (N, 2)."""
    stopping: list[int] = []
    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    signal.signal(signal.SIGTERM, lambda number, _: stopping.append(number))
    node = rclpy.create_node("latency_probe")
    inbox, states, seen = Inbox(node), dict[int, int](), list[tuple[int, int]]()

    def on_state(message: JointState) -> None:
        states[to_nanoseconds(message.header.stamp)] = inbox.published_ns

    def on_command(message: JointState) -> None:
        began = states.get(to_nanoseconds(message.header.stamp))
        if began is not None:
            seen.append((began, inbox.published_ns))

    inbox.subscribe(JointState, "joint_states", on_state, QUEUE)
    inbox.subscribe(JointState, "joint_commands", on_command, QUEUE)
    while not stopping:
        time.sleep(_PERIOD)
        inbox.take()
    np.savetxt(path, np.array(seen, dtype=np.int64).reshape(-1, 2), fmt="%d")
    node.destroy_node()
    rclpy.try_shutdown()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
