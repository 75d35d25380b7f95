"""Subscriptions that a control loop empties itself, without an executor.

An rclpy executor builds a wait set over everything a node has for each message that it handles: at 200 states per
second on three topics that costs more than half a core. A loop that runs at a fixed rate anyway only has to look
whether messages are there. Services and parameters stay with an executor, which the loop turns at leisure.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from operator import itemgetter
from typing import Any

from rclpy.callback_groups import CallbackGroup
from rclpy.event_handler import SubscriptionEventCallbacks
from rclpy.impl.implementation_singleton import rclpy_implementation as _rclpy
from rclpy.node import Node
from rclpy.qos import QoSProfile


class Polled(CallbackGroup):
    """Keeps its subscriptions away from executors."""

    def can_execute(self, entity: object) -> bool:
        return False

    def beginning_execution(self, entity: object) -> bool:
        return False

    def ending_execution(self, entity: object) -> None:
        pass


class Inbox:
    """The polled subscriptions of one node."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._group = Polled()
        self._subscriptions: list[Any] = []
        self.published_ns = 0
        """When the message that is being handled was published, wall time of its publisher, ns."""

    def subscribe(
        self, kind: Any, topic: str, callback: Callable[[Any], None], qos: QoSProfile | int, *, warn: bool = False
    ) -> Any:
        """Subscribe; `callback` runs inside `take`.

        Args:
            kind: message class.
            topic: name.
            callback: gets each message.
            qos: profile or depth.
            warn: let the node's executor warn about publishers of an incompatible quality of service, for topics that
                people publish.
        """
        subscription: Any = self._node.create_subscription(
            kind, topic, callback, qos, callback_group=self._group,
            event_callbacks=SubscriptionEventCallbacks(use_default_callbacks=warn),
        )  # fmt: skip
        for handler in subscription.event_handlers:
            handler.callback_group = self._node.default_callback_group
            self._node.default_callback_group.add_entity(handler)
        self._subscriptions.append(subscription)
        return subscription

    def wait(self, timeout: float) -> None:
        """Wait until a message is here, at most `timeout` s: for loops that go on when somebody else has spoken."""
        if not self._subscriptions:  # a wait set may not be empty
            time.sleep(timeout)
            return
        wait_set = _rclpy.WaitSet(len(self._subscriptions), 0, 0, 0, 0, 0, self._node.context.handle)
        for subscription in self._subscriptions:
            wait_set.add_subscription(subscription.handle)
        wait_set.wait(int(1e9 * timeout))

    def take(self) -> int:
        """Handle all messages that are here, in the order of publication across topics; return how many."""
        count = 0
        # a message that arrives during a pass may belong to one that was taken in it: look again, within bounds
        for _ in range(3):
            taken = []
            for subscription in self._subscriptions:
                with subscription.handle:
                    while (item := subscription.handle.take_message(subscription.msg_type, False)) is not None:
                        taken.append((item[1]["source_timestamp"], subscription.callback, item[0]))
            for published_ns, callback, message in sorted(taken, key=itemgetter(0)):
                self.published_ns = published_ns
                callback(message)
            count += len(taken)
            if not taken:
                break
        return count

    def close(self) -> None:
        """Unsubscribe from everything."""
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)
        self._subscriptions.clear()
