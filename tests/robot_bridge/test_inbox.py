"""Subscriptions that a loop empties itself."""

from __future__ import annotations

import time
from contextlib import nullcontext

import pytest

rclpy = pytest.importorskip("rclpy")

from rclpy.duration import Duration  # noqa: E402
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


def test_messages_that_arrive_during_a_look_keep_their_order(node: Node) -> None:
    """A message that its own topic had not yet when it was looked at comes before one that was published later."""
    inbox = Inbox(node)
    heard: list[str] = []
    inbox.subscribe(String, "first", lambda message: heard.append(message.data), 10)
    first, second = (node.create_publisher(String, name, 10) for name in ("first", "second"))
    published: list[str] = []

    class Meanwhile(nullcontext):
        """A place between two topics: what is published when it is looked at."""

        msg_type = String

        @property
        def handle(self) -> Meanwhile:
            return self

        def __enter__(self) -> Meanwhile:
            return self

        def take_message(self, *_: object) -> None:
            for publisher in () if published else (first, second):
                publisher.publish(String(data=publisher.topic_name))
                published.append(publisher.topic_name)
                assert publisher.wait_for_all_acked(Duration(seconds=HANG))

    inbox._subscriptions.append(Meanwhile())
    inbox.subscribe(String, "second", lambda message: heard.append(message.data), 10)
    begun = time.monotonic()
    while not (first.get_subscription_count() and second.get_subscription_count()):
        assert time.monotonic() < begun + HANG
        time.sleep(0.01)
    assert inbox.take() == 2
    assert heard == published
