"""Teleoperation from a terminal: `python -m moe_controller.teleop.keyboard_node`, `ros2 run` the same."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

from ..cockpit.trajectory_recording import TrajectoryRecording
from ..trajectory import IDENTITY
from .keys import HELP, LEAVE, SERVICES, deflections, raw_terminal, waiting_keys
from .motion import Motion
from .output import TeleopOutput

_PERIOD = 0.05


class Keyboard(Node):
    """Turns keys into commands."""

    def __init__(self) -> None:
        super().__init__("keyboard_teleop", start_parameter_services=False)
        self.motion = Motion(time.monotonic)
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self)
        self.output = TeleopOutput(self, _say, lambda: self._executor.spin_once(timeout_sec=0.0))
        self.recording = TrajectoryRecording(Path(), _say)

    def press(self, keys: str) -> None:
        """Take keys; a stop goes before everything else."""
        services = [SERVICES[key] for key in keys if key in SERVICES]
        if "estop" in services:
            self.motion.release()
            services = ["estop"]
        for service in services:
            self.output.call(service)
        if "t" in keys:
            self.recording.toggle()
        if "y" in keys:
            self.recording.ask_to_send()
        held = deflections(keys)
        if held is not None and "estop" not in services:
            self.motion.hold(*held)

    def turn(self) -> None:
        """Send what is held and tell what was answered."""
        if self.output.send(self.motion):
            self.recording.note(self.motion.target.copy(), np.array(IDENTITY), "base_link")
        if (path := self.recording.take_to_send()) is not None:
            self.output.send_path(*path)
        self.output.hear()

    def close(self) -> None:
        """Let go and take the node down."""
        self.motion.release()
        self.output.send(self.motion)
        self._executor.shutdown()
        self.destroy_node()


def _say(text: str) -> None:
    print(text, flush=True)


def main(args: list[str] | None = None) -> int:
    """Run until x, Ctrl-C or the end of the terminal."""
    if not sys.stdin.isatty():
        print("keyboard_teleop: this is not a terminal: start it in one of its own", file=sys.stderr)
        return 1
    rclpy.init(args=args, signal_handler_options=SignalHandlerOptions.NO)
    node = Keyboard()
    print(HELP, flush=True)
    try:
        with raw_terminal() as terminal:
            while True:
                keys = waiting_keys(terminal, _PERIOD)
                if keys is None or any(key in keys for key in LEAVE):
                    return 0
                node.press(keys)
                node.turn()
    except KeyboardInterrupt:
        return 0
    finally:
        node.close()
        rclpy.try_shutdown()


if __name__ == "__main__":
    sys.exit(main())
