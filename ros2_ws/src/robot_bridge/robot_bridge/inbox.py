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

_PASSES = 5
"""Over the topics, at most, before what was found is handled."""


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
        taken: list[tuple[int, Callable[[Any], None], Any]] = []
        # A message may arrive after its topic was looked at and before one that was published later is found on
        # another topic: look again until nothing is new, within bounds.
        for _ in range(_PASSES):
            found = self._find()
            taken += found
            if not found:
                break
        for published_ns, callback, message in sorted(taken, key=itemgetter(0)):
            self.published_ns = published_ns
            callback(message)
        return len(taken)

    def _find(self) -> list[tuple[int, Callable[[Any], None], Any]]:
        """Take what is here, topic by topic: when it was published, who wants it, the message."""
        found = []
        for subscription in self._subscriptions:
            with subscription.handle:
                while (item := subscription.handle.take_message(subscription.msg_type, False)) is not None:
                    found.append((item[1]["source_timestamp"], subscription.callback, item[0]))
        return found

    def close(self) -> None:
        """Unsubscribe from everything."""
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)
        self._subscriptions.clear()
