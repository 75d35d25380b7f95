"""Where the messages of a graph go: over the loopback address, unless somebody has plans of their own."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from moe_controller.graph.transport import PROFILE, loopback

from tests.support.processes import HARD_LIMIT

LISTEN = """
import time
from pathlib import Path
import rclpy
from std_msgs.msg import String
rclpy.init()
node, heard = rclpy.create_node("listener"), []
node.create_subscription(String, "words", lambda message: heard.append(message.data), 10)
back = node.create_publisher(String, "answers", 10)
while not heard:
    rclpy.spin_once(node, timeout_sec=0.1)
for _ in range(20):
    back.publish(String(data="yes"))
    time.sleep(0.05)
threads = [(task / "comm").read_text().strip() for task in Path("/proc/self/task").iterdir()]
print(heard[0], *threads, sep="|")
"""
TALK = """
import rclpy
from std_msgs.msg import String
rclpy.init()
node, answers = rclpy.create_node("talker"), []
node.create_subscription(String, "answers", lambda message: answers.append(message.data), 10)
words = node.create_publisher(String, "words", 10)
while not answers:
    words.publish(String(data="hello"))
    rclpy.spin_once(node, timeout_sec=0.05)
print(answers[0])
"""


def test_who_sets_anything_keeps_it() -> None:
    assert loopback({"ROS_DOMAIN_ID": "3"}) != {}
    for name in loopback({}):
        assert loopback({name: "mine"}) == {}, name
    assert loopback({"ROS_STATIC_PEERS": "192.168.1.2"}) == {}


def test_another_middleware_stays_on_this_machine_too() -> None:
    assert loopback({"RMW_IMPLEMENTATION": "rmw_cyclonedds_cpp"}) == {"ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST"}
    assert PROFILE.is_file()


@pytest.mark.integration
@pytest.mark.parametrize("discovery", ["", "LOCALHOST", "SUBNET"])
def test_talks_without_shared_memory_and_with_nodes_that_have_it(ros_domain: int, discovery: str) -> None:
    plain = {name: value for name, value in os.environ.items() if name not in loopback({})}
    ours = {**plain, **loopback(plain)}
    theirs = {**plain, "ROS_AUTOMATIC_DISCOVERY_RANGE": discovery} if discovery else ours
    listener = subprocess.Popen([sys.executable, "-c", LISTEN], env=ours, stdout=subprocess.PIPE, text=True)
    talker = subprocess.Popen([sys.executable, "-c", TALK], env=theirs, stdout=subprocess.PIPE, text=True)
    try:
        said, *threads = listener.communicate(timeout=HARD_LIMIT)[0].strip().split("|")
        assert said == "hello" and talker.communicate(timeout=HARD_LIMIT)[0].strip() == "yes"
    finally:
        for process in (listener, talker):
            process.kill()
            process.wait()
    assert any(name.startswith("dds.udp") for name in threads), threads
    assert not any(name.startswith("dds.shm") for name in threads), threads
