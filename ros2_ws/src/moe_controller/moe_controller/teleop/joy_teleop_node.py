"""Teleoperation by gamepad: `/joy` to velocities, targets and services, while the dead man's button is held."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

from ament_index_python.packages import PackageNotFoundError, get_package_share_directory
from rcl_interfaces.msg import ParameterDescriptor
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from robot_bridge.inbox import Inbox
from robot_bridge.run_node import run_node
from sensor_msgs.msg import Joy

from ..calls import SERVICES, STOP
from .joy_map import JoyMapError, load_joy_map
from .motion import Motion
from .output import TeleopOutput

MAPPING = "joy.yaml"
_PERIOD = 0.02
_SEND_PERIOD = 0.05


class JoyTeleop(Node):
    """Turns `/joy` into commands."""

    def __init__(self) -> None:
        super().__init__("joy_teleop", start_parameter_services=False)
        path = str(self._declare("mapping", "", "yaml file; empty for the shipped one"))
        self._map = load_joy_map(Path(path) if path else shipped_mapping())
        self.motion = Motion(time.monotonic)
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self)
        self._output = TeleopOutput(self, self.get_logger().info, lambda: self._executor.spin_once(timeout_sec=0.0))
        self._inbox = Inbox(self)
        self._inbox.subscribe(Joy, "joy", self._on_joy, 10, warn=True)
        self._down: frozenset[str] | None = None
        """Buttons of the last message; None before the first, of whose buttons only a stop counts: they may be old."""
        self._sent = 0.0

    def _declare(self, name: str, default: Any, description: str) -> Any:
        return self.declare_parameter(name, default, ParameterDescriptor(description=description)).value

    def _on_joy(self, message: Joy) -> None:
        asked = self._map.read(message.axes, message.buttons)
        before = asked.pressed - {STOP} if self._down is None else self._down
        self._down = asked.pressed
        fresh = asked.pressed - before
        if STOP in asked.pressed:  # who keeps it down wants nothing else
            self.motion.release()
            if STOP in fresh:
                self._output.call(STOP)
            return
        for name in SERVICES:
            # damping is for emergencies, everything else only with the dead man's button
            if name in fresh and (asked.held or name == "damp"):
                self._output.call(name)
        if asked.held:
            self.motion.hold(asked.base, asked.arm, asked.grip)
        else:
            self.motion.release()

    def start(self) -> bool:
        """Say that it is there."""
        self.get_logger().info("waiting for /joy")
        return True

    def turn(self) -> None:
        """Take messages, send what is held."""
        time.sleep(_PERIOD)
        self._inbox.take()
        if time.monotonic() - self._sent >= _SEND_PERIOD:
            self._sent = time.monotonic()
            self._output.send(self.motion)
        self._output.hear()

    def close(self) -> None:
        """Let go and take the node down."""
        self.motion.release()
        self._output.send(self.motion)
        self._executor.shutdown()
        self.destroy_node()


def shipped_mapping() -> Path:
    """Return the path of the shipped mapping file: in the share folder, or in a checkout."""
    checkout = Path(__file__).resolve().parents[2] / "config" / MAPPING
    try:
        installed = Path(get_package_share_directory("moe_controller")) / "config" / MAPPING
    except (PackageNotFoundError, OSError, LookupError):  # AMENT_PREFIX_PATH may not be set
        return checkout
    return installed if installed.exists() else checkout


def main(args: list[str] | None = None) -> int:
    """Run until a signal. Returns the exit code: 0 after a signal, 1 where it could not start."""
    return run_node("joy_teleop", JoyTeleop, args, (JoyMapError,))


if __name__ == "__main__":
    sys.exit(main())
