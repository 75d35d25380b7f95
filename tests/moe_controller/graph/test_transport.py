"""Where the messages of a graph go: over the loopback address, unless somebody has plans of their own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading

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
BURST = 150
"""Messages: more than a socket of Linux has room for unless it is asked for, less than it has at least then."""
HEAR_ALL = """
import rclpy
from rclpy.qos import QoSProfile, ReliabilityPolicy
from std_msgs.msg import String
rclpy.init()
node, heard = rclpy.create_node("listener"), set()
profile = QoSProfile(depth=1000, reliability=ReliabilityPolicy.BEST_EFFORT)
node.create_subscription(String, "words", lambda message: heard.add(message.data), profile)
while "end" not in heard:
    if heard == {"hello"}:
        print("ready", flush=True)
    rclpy.spin_once(node, timeout_sec=0.1)
print(len(heard - {"hello", "end"}), flush=True)
"""
SEND_ALL = f"""
import select, sys
import rclpy
from rclpy.qos import QoSProfile, ReliabilityPolicy
from std_msgs.msg import String
rclpy.init()
node = rclpy.create_node("talker")
words = node.create_publisher(String, "words", QoSProfile(depth=10, reliability=ReliabilityPolicy.BEST_EFFORT))
def repeat(word):
    while not select.select([sys.stdin], [], [], 0.05)[0]:
        words.publish(String(data=word))
    sys.stdin.readline()
repeat("hello")
for number in range({BURST}):
    words.publish(String(data=f"{{number:0700d}}"))
print("sent", flush=True)
sys.stdin.readline()
repeat("end")
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


@pytest.mark.integration
def test_a_watcher_that_gets_no_turn_for_a_while_misses_nothing(ros_domain: int) -> None:
    environment = {**os.environ, **loopback({})}

    def start(script: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", script]
        return subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    with start(HEAR_ALL) as listener, start(SEND_ALL) as talker:
        assert listener.stdout and talker.stdout and talker.stdin

        def give_up() -> None:  # a line that never comes is then an empty one
            listener.kill()
            talker.kill()

        limit = threading.Timer(HARD_LIMIT, give_up)
        limit.start()
        try:
            assert listener.stdout.readline() == "ready\n"
            listener.send_signal(signal.SIGSTOP)
            print("burst", file=talker.stdin, flush=True)
            assert talker.stdout.readline() == "sent\n"
            listener.send_signal(signal.SIGCONT)
            print("end", file=talker.stdin, flush=True)
            counts = [line for line in listener.stdout if line != "ready\n"]
            assert counts == [f"{BURST}\n"]
        finally:
            limit.cancel()
            give_up()
