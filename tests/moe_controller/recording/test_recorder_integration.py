"""The recorder as a process, over real ROS messages; its files are read by another library."""

from __future__ import annotations

import random
import resource
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.processes import Processes

rclpy = pytest.importorskip("rclpy")

from rclpy.node import Node  # noqa: E402
from rclpy.qos import DurabilityPolicy, QoSProfile  # noqa: E402
from rosbags.rosbag2 import Reader  # noqa: E402
from rosbags.typesys import Stores, get_typestore  # noqa: E402
from std_msgs.msg import String  # noqa: E402

pytestmark = pytest.mark.integration

MODULE = "moe_controller.recording.recorder_node"
HANG = 120.0
"""s after which a test gives up; says nothing about speed."""


def start(processes: Processes, out: Path, **parameters: object) -> subprocess.Popen[str]:
    given = [item for name, value in parameters.items() for item in ("-p", f"{name}:={value}")]
    return processes.start(MODULE, "--ros-args", "-p", f"out:={out}", *given)


def wait(condition: Callable[[], object], what: str) -> None:
    give_up = time.monotonic() + HANG
    while not condition():
        assert time.monotonic() < give_up, f"no {what}"
        time.sleep(0.02)


def texts(path: Path, topic: str) -> list[str]:
    store: Any = get_typestore(Stores.ROS2_JAZZY)
    with Reader(path) as reader:
        wanted = [connection for connection in reader.connections if connection.topic == topic]
        return [store.deserialize_cdr(raw, c.msgtype).data for c, _, raw in reader.messages(connections=wanted)]


def test_every_message_in_order_also_latched_ones(processes: Processes, node: Node, tmp_path: Path) -> None:
    latched = node.create_publisher(String, "latched", QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL))
    latched.publish(String(data="before the recorder"))
    live = node.create_publisher(String, "live", 10)
    process = start(processes, tmp_path)
    wait(lambda: live.get_subscription_count(), "recorder")
    for number in range(300):
        live.publish(String(data=str(number)))
        time.sleep(0.002)
    process.send_signal(signal.SIGINT)
    result = processes.finish(process)
    assert result.returncode == 0 and "missing" not in result.stderr
    assert texts(tmp_path / "recording.mcap", "/live") == [str(number) for number in range(300)]
    assert texts(tmp_path / "recording.mcap", "/latched") == ["before the recorder"]
    again = processes.finish(start(processes, tmp_path))
    assert again.returncode == 1 and again.stderr.count("\n") == 1 and "exists already" in again.stderr


def test_a_stopped_recorder_holds_nobody_up(processes: Processes, node: Node, tmp_path: Path) -> None:
    live = node.create_publisher(String, "live", 10)
    heard: list[str] = []

    def hear(message: Any) -> None:
        heard.append(message.data)

    node.create_subscription(String, "live", hear, 1000)
    process = start(processes, tmp_path)
    wait(lambda: live.get_subscription_count() == 2, "recorder")
    process.send_signal(signal.SIGSTOP)
    for number in range(400):  # far more than the publisher's queue
        live.publish(String(data=f"{number} {'x' * 500}"))
        rclpy.spin_once(node, timeout_sec=0.0)
    wait(lambda: rclpy.spin_once(node, timeout_sec=0.01) or heard and heard[-1].startswith("399 "), "last message")
    process.send_signal(signal.SIGCONT)
    process.send_signal(signal.SIGTERM)
    assert processes.finish(process).returncode == 0


def test_a_full_disk_ends_the_recording_with_one_line(processes: Processes, node: Node, tmp_path: Path) -> None:
    live = node.create_publisher(String, "live", 10)
    process = start(processes, tmp_path)
    wait(lambda: live.get_subscription_count(), "recorder")
    # a file that must not grow fails as one on a full disk does
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (400_000, 400_000))
    number = 0

    def send() -> bool:
        nonlocal number
        number += 1
        live.publish(String(data=random.Random(number).randbytes(2500).hex()))
        return live.get_subscription_count() == 0

    wait(send, "end of the recording")
    assert process.poll() is None, "the recorder ended: that is for a signal"
    process.send_signal(signal.SIGINT)
    result = processes.finish(process)
    assert result.returncode == 0
    lines = [line for line in result.stderr.splitlines() if "recording ended" in line]
    assert len(lines) == 1 and "cannot be written any more" in lines[0] and "Traceback" not in result.stderr


def test_what_a_killed_recorder_leaves_can_be_read(processes: Processes, node: Node, tmp_path: Path) -> None:
    from moe_controller.recording import bag_reader

    live = node.create_publisher(String, "live", 10)
    process = start(processes, tmp_path)
    wait(lambda: live.get_subscription_count(), "recorder")
    path, number = tmp_path / "recording.mcap", 0

    def send() -> bool:
        nonlocal number
        live.publish(String(data=f"{number} {random.Random(number).randbytes(1500).hex()}"))
        number += 1
        time.sleep(0.002)
        return path.stat().st_size > 200_000

    wait(send, "chunks in the file")
    process.kill()
    processes.finish(process)
    bag_reader.KINDS["live"] = "std_msgs/msg/String"
    try:
        bag = bag_reader.read_bag(path, ["live"])
        found = [int(message.data.split()[0]) for _, message in bag.decoded("live")]
    finally:
        del bag_reader.KINDS["live"]
    assert bag.problem and len(found) > 20 and found == list(range(found[0], found[0] + len(found)))
