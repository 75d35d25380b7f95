"""The gamepad's node as a process: dead man, stop."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable

import pytest

from tests.support.processes import Processes

rclpy = pytest.importorskip("rclpy")

from geometry_msgs.msg import Twist  # noqa: E402
from sensor_msgs.msg import Joy  # noqa: E402
from std_srvs.srv import Trigger  # noqa: E402

pytestmark = pytest.mark.integration

HANG = 120.0
"""s after which a test gives up; says nothing about speed."""


def test_held_drives_let_go_stops_and_the_stop_needs_no_dead_man(processes: Processes) -> None:
    rclpy.init()
    node = rclpy.create_node("somebody")
    velocities: list[Twist] = []
    stops: list[bool] = []

    def stopped(_: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        stops.append(True)
        response.success = True
        return response

    node.create_subscription(Twist, "cmd_vel", velocities.append, 100)
    node.create_service(Trigger, "safety/estop", stopped)
    joy = node.create_publisher(Joy, "joy", 10)
    process = processes.start("moe_controller.teleop.joy_teleop_node", "--ros-args")

    def press(held: bool, forward: float, stop: bool = False) -> None:
        axes, buttons = [0.0] * 8, [0] * 11
        axes[1], buttons[4], buttons[5] = forward, int(held), int(stop)
        joy.publish(Joy(axes=axes, buttons=buttons))

    def wait(condition: Callable[[], object], meanwhile: Callable[[], None]) -> None:
        give_up = time.monotonic() + HANG
        while not condition():
            assert time.monotonic() < give_up and process.poll() is None
            meanwhile()
            rclpy.spin_once(node, timeout_sec=0.05)

    try:
        wait(joy.get_subscription_count, lambda: None)
        for _ in range(20):
            press(False, 1.0)
            rclpy.spin_once(node, timeout_sec=0.02)
        assert not velocities, "a stick without the dead man's button moved something"
        wait(lambda: velocities and velocities[-1].linear.x > 0.3, lambda: press(True, 1.0))
        wait(lambda: velocities[-1].linear.x == 0.0, lambda: None)  # the gamepad is gone

        def press_stop() -> None:
            press(False, 0.0)
            press(False, 0.0, stop=True)

        wait(lambda: stops, press_stop)
        process.send_signal(signal.SIGINT)
        result = processes.finish(process)
        assert result.returncode == 0 and "Traceback" not in result.stderr
    finally:
        node.destroy_node()
        rclpy.try_shutdown()
