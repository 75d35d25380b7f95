"""The gamepad's node as a process: dead man, stop."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator

import pytest

from tests.support.processes import Processes

rclpy = pytest.importorskip("rclpy")

from geometry_msgs.msg import Twist  # noqa: E402
from sensor_msgs.msg import Joy  # noqa: E402
from std_srvs.srv import Trigger  # noqa: E402

pytestmark = pytest.mark.integration

HANG = 120.0
"""s after which a test gives up; says nothing about speed."""


class Person:
    """A gamepad, and a bridge that counts stops."""

    def __init__(self, processes: Processes) -> None:
        self.node = rclpy.create_node("somebody")
        self.velocities: list[Twist] = []
        self.stops = 0
        self.node.create_subscription(Twist, "cmd_vel", self.velocities.append, 100)
        self.node.create_service(Trigger, "safety/estop", self._stopped)
        self._joy = self.node.create_publisher(Joy, "joy", 10)
        self.process = processes.start("moe_controller.teleop.joy_teleop_node", "--ros-args")

    def _stopped(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        self.stops += 1
        response.success = True
        return response

    def press(self, held: bool, forward: float, stop: bool = False) -> None:
        axes, buttons = [0.0] * 8, [0] * 11
        axes[1], buttons[4], buttons[5] = forward, int(held), int(stop)
        self._joy.publish(Joy(axes=axes, buttons=buttons))

    def wait(self, condition: Callable[[], object], meanwhile: Callable[[], None] = lambda: None) -> None:
        give_up = time.monotonic() + HANG
        while not condition():
            assert time.monotonic() < give_up and self.process.poll() is None
            meanwhile()
            rclpy.spin_once(self.node, timeout_sec=0.05)

    def connected(self) -> bool:
        return self._joy.get_subscription_count() > 0


@pytest.fixture
def person(processes: Processes) -> Iterator[Person]:
    rclpy.init()
    person = Person(processes)
    yield person
    person.node.destroy_node()
    rclpy.try_shutdown()


def test_held_drives_let_go_stops_and_the_stop_needs_no_dead_man(person: Person, processes: Processes) -> None:
    person.wait(person.connected)
    for _ in range(20):
        person.press(False, 1.0)
        rclpy.spin_once(person.node, timeout_sec=0.02)
    assert not person.velocities, "a stick without the dead man's button moved something"
    person.wait(lambda: person.velocities and person.velocities[-1].linear.x > 0.3, lambda: person.press(True, 1.0))
    person.wait(lambda: person.velocities[-1].linear.x == 0.0)  # the gamepad is gone

    def press_stop() -> None:
        person.press(False, 0.0)
        person.press(False, 0.0, stop=True)

    person.wait(lambda: person.stops, press_stop)
    person.process.send_signal(signal.SIGINT)
    result = processes.finish(person.process)
    assert result.returncode == 0 and "Traceback" not in result.stderr


def test_a_stop_that_is_held_from_the_beginning_stops(person: Person) -> None:
    """Who holds it while the node starts wants nothing else, and neither does who goes on holding it."""
    person.wait(lambda: person.stops, lambda: person.press(True, 1.0, stop=True))
    for _ in range(20):
        person.press(True, 1.0, stop=True)
        rclpy.spin_once(person.node, timeout_sec=0.02)
    assert not any(velocity.linear.x for velocity in person.velocities)
    person.wait(lambda: person.velocities and person.velocities[-1].linear.x > 0.3, lambda: person.press(True, 1.0))
    assert person.stops == 1
