"""The cockpit's node with pages that misbehave: the stop, foreign pages, browsers that leave."""

from __future__ import annotations

import socket
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.processes import Processes

pytest.importorskip("viser")
rclpy = pytest.importorskip("rclpy")

from geometry_msgs.msg import PoseStamped, Twist  # noqa: E402
from moe_controller.calls import SERVICES  # noqa: E402
from moe_controller.cockpit.cockpit_node import CockpitNode  # noqa: E402
from rclpy.node import Node  # noqa: E402
from rclpy.qos import DurabilityPolicy, QoSProfile  # noqa: E402
from robot_bridge.inbox import Inbox  # noqa: E402
from std_msgs.msg import String  # noqa: E402
from std_srvs.srv import Trigger  # noqa: E402
from websockets.exceptions import InvalidStatus  # noqa: E402

from benchmarks.page_client import PageClient  # noqa: E402

pytestmark = pytest.mark.integration

HANG = 120.0
"""s after which a test gives up; says nothing about speed."""
FLOOD = 500
"""Messages of each kind that a browser sends at once."""


class Rig:
    """A cockpit in this process, whose loop runs only when a test turns it, and somebody who listens."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        rclpy.init(args=["--ros-args", "-p", f"port:={self.port}", "-p", f"out:={folder}"])
        self.cockpit = CockpitNode()
        self.other: Node = rclpy.create_node("somebody", use_global_arguments=False)
        self.inbox = Inbox(self.other)
        self.gate: list[str] = []
        self.targets: list[tuple[float, float, float]] = []
        self.speeds: list[float] = []
        latched = QoSProfile(depth=10, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self.inbox.subscribe(String, "safety/state", lambda message: self.gate.append(message.data), latched)
        self.inbox.subscribe(PoseStamped, "ee_target", self._on_target, 10)
        self.inbox.subscribe(Twist, "cmd_vel", lambda message: self.speeds.append(message.linear.x), 10)

    def _on_target(self, message: PoseStamped) -> None:
        point = message.pose.position
        self.targets.append((point.x, point.y, point.z))

    def until(self, condition: Callable[[], object], what: str, turn: bool = True) -> None:
        give_up = time.monotonic() + HANG
        while not condition():
            assert time.monotonic() < give_up, f"no {what}"
            self.cockpit.turn() if turn else time.sleep(0.01)
            self.inbox.take()

    def close(self) -> None:
        self.cockpit.close()
        self.other.destroy_node()
        rclpy.try_shutdown()


@pytest.fixture
def rig(ros_domain: int, tmp_path: Path) -> Iterator[Rig]:
    rig = Rig(tmp_path)
    yield rig
    rig.close()


@pytest.fixture
def page(rig: Rig) -> Iterator[PageClient]:
    page = PageClient(rig.port, f"http://127.0.0.1:{rig.port}")
    yield page
    page.close()


def listening_addresses(port: int) -> set[str]:
    """Return the addresses on which somebody listens at a port, as the kernel writes them."""
    found = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with open(table) as lines:
            for line in list(lines)[1:]:
                fields = line.split()
                address, _, number = fields[1].partition(":")
                if fields[3] == "0A" and int(number, 16) == port:
                    found.add(address)
    return found


def test_it_listens_on_the_loopback_address_only(rig: Rig) -> None:
    assert listening_addresses(rig.port) == {"0100007F"}
    with urllib.request.urlopen(f"http://127.0.0.1:{rig.port}", timeout=HANG) as page:
        assert page.status == 200


def test_stop_is_served_in_a_flood_while_the_loop_stands_still(
    processes: Processes, rig: Rig, page: PageClient
) -> None:
    processes.start("robot_bridge.bridge_node", "--ros-args", "-p", "plant:=sim_bridge.mujoco_plant:MujocoPlant")
    rig.until(lambda: rig.gate and rig.cockpit.calls.offered("estop"), "bridge", turn=False)
    for index in range(FLOOD):
        page.drag((0.4, 0.0, 0.3 + 0.0001 * index))
        page.hold("↑ forward")
        page.click("Send target")
    page.click("STOP")
    rig.until(lambda: rig.gate[-1].startswith("ESTOP"), "stop", turn=False)
    for _ in range(50):
        rig.cockpit.turn()
        rig.inbox.take()
    assert not rig.targets and not any(rig.speeds), "what was wanted before the stop came after it"


def test_a_stop_without_a_bridge_is_repeated_until_one_answers(rig: Rig, page: PageClient) -> None:
    page.click("STOP")
    rig.until(lambda: rig.cockpit.calls.stopping, "stop")
    asked: list[str] = []

    def answer(request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        asked.append("estop")
        response.success = True
        return response

    rig.other.create_service(Trigger, "safety/estop", answer)

    def serve() -> bool:
        rclpy.spin_once(rig.other, timeout_sec=0.01)
        return not rig.cockpit.calls.stopping

    rig.until(serve, "answer")
    assert asked


def test_pages_of_others_are_refused_and_nobody_shares_the_robot(rig: Rig, page: PageClient) -> None:
    for origin in ("https://example.org", f"http://127.0.0.1.example.org:{rig.port}", "null"):
        with pytest.raises(InvalidStatus, match="403"):
            PageClient(rig.port, origin)
    allowed: list[str | None] = [None, f"http://localhost:{rig.port}", "http://127.0.0.1:9999"]  # last: a tunnel
    for own in allowed:
        PageClient(rig.port, own).close()
    assert rig.cockpit.server.request_share_url() is None
    assert set(page.buttons) >= {"STOP", "Send target", "↑ forward"} and "Share" not in page.buttons


def test_a_browser_that_leaves_in_the_middle_of_things_lets_go(rig: Rig) -> None:
    page = PageClient(rig.port)
    page.drag((0.4, 0.1, 0.5))

    def drive() -> bool:
        page.hold("↑ forward")
        return len(rig.speeds) > 2 and bool(rig.targets)

    rig.until(drive, "drive")
    assert all(speed == pytest.approx(0.4) for speed in rig.speeds)
    assert rig.targets[-1] == pytest.approx((0.4, 0.1, 0.5))
    page.close()
    rig.until(lambda: rig.speeds[-1] == 0.0, "end of the drive")
    sent = len(rig.speeds), len(rig.targets)
    for _ in range(30):
        rig.cockpit.turn()
        rig.inbox.take()
    assert (len(rig.speeds), len(rig.targets)) == sent
    again = PageClient(rig.port)
    again.drag((0.4, -0.1, 0.5))
    rig.until(lambda: rig.targets[-1][1] < 0.0, "target of the next browser")
    again.close()


def test_services_are_called_once_until_they_are_answered(rig: Rig, page: PageClient) -> None:
    asked: list[str] = []

    def answer(request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        asked.append("push")
        return response

    rig.other.create_service(Trigger, "sim/push", answer)
    rig.until(lambda: rig.cockpit.calls.offered("push"), "service")
    for _ in range(5):
        page.click("Push")
    rig.until(lambda: "push" in rig.cockpit.calls.waiting, "call")
    rig.until(lambda: rclpy.spin_once(rig.other, timeout_sec=0.01) or not rig.cockpit.calls.waiting, "answer")
    assert asked == ["push"]
    assert "push" not in SERVICES


def test_a_busy_port_is_one_line(processes: Processes) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        result = processes.run("moe_controller.cockpit.cockpit_node", "--ros-args", "-p", f"port:={port}")
    assert result.returncode == 1
    assert "choose another cockpit_port" in result.stderr and result.stderr.count("\n") == 1
