"""Subscriptions that a loop empties itself."""

from __future__ import annotations

import time

import pytest

rclpy = pytest.importorskip("rclpy")

from rclpy.node import Node  # noqa: E402
from robot_bridge.inbox import Inbox  # noqa: E402
from std_msgs.msg import String  # noqa: E402

pytestmark = pytest.mark.integration

HANG = 60.0
"""s after which a test gives up; says nothing about speed."""


def test_waiting_ends_with_a_message(node: Node) -> None:
    inbox = Inbox(node)
    heard: list[String] = []
    inbox.subscribe(String, "words", heard.append, 10)
    inbox.subscribe(String, "others", heard.append, 10)
    publisher = node.create_publisher(String, "words", 10)
    begun = time.monotonic()
    while not publisher.get_subscription_count():
        assert time.monotonic() < begun + HANG
        time.sleep(0.01)
    inbox.wait(0.01)
    assert inbox.take() == 0
    publisher.publish(String(data="hello"))
    begun = time.monotonic()
    inbox.wait(HANG)
    assert time.monotonic() < begun + HANG and inbox.take() == 1
    assert heard[0].data == "hello"


def test_an_inbox_without_subscriptions_waits_as_well(node: Node) -> None:
    inbox = Inbox(node)
    inbox.wait(0.01)
    assert inbox.take() == 0
