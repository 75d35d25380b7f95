"""The services of the bridge as operators call them; the emergency stop goes out at once, from any thread."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from std_srvs.srv import Trigger

if TYPE_CHECKING:
    from rclpy.client import Client
    from rclpy.node import Node

SERVICES = ("stand", "activate", "sit", "damp", "reset")
STOP = "estop"
PUSH = "push"
PATIENCE = 5.0
"""s for an answer."""
STOP_AGAIN = 0.1
"""s after which a stop that was not answered is sent again: the bridge may not have been discovered yet."""


class Calls:
    """Clients of the gate's services and of the simulation's push.

    Args:
        node: owner.
        tell: shows a line to people.
        spin: takes an answer that has come, if there is one.
        clock: s, monotonic.
    """

    def __init__(
        self,
        node: Node,
        tell: Callable[[str], None],
        spin: Callable[[], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._tell, self._spin, self._clock = tell, spin, clock
        self._clients: dict[str, Client] = {
            name: node.create_client(Trigger, f"safety/{name}") for name in (*SERVICES, STOP)
        }
        self._clients[PUSH] = node.create_client(Trigger, "sim/push")
        self._waiting: dict[str, tuple[Any, float]] = {}
        """Future and time of the call, by name; not the stop."""
        self._lock = threading.Lock()
        self._stops: list[Any] = []
        """Futures of the stop that is not answered yet."""
        self._stop_asked = self._stop_sent = -float("inf")

    @property
    def stopping(self) -> bool:
        """Whether a stop waits for its answer."""
        return bool(self._stops)

    @property
    def waiting(self) -> frozenset[str]:
        """Names of the other services that wait for theirs."""
        return frozenset(self._waiting)

    def offered(self, name: str) -> bool:
        """Return whether somebody answers to a service."""
        return bool(self._clients[name].service_is_ready())

    def stop(self) -> None:
        """Send the emergency stop; any thread, also while the node's loop is busy. `turn` repeats it."""
        with self._lock:
            if not self._stops:
                self._stop_asked = self._clock()
            self._send_stop()

    def _send_stop(self) -> None:
        if self._stops and self._clock() - self._stop_sent < STOP_AGAIN:
            return
        self._stop_sent = self._clock()
        self._stops.append(self._clients[STOP].call_async(Trigger.Request()))

    def call(self, name: str) -> None:
        """Call a service other than the stop, unless its answer is still awaited."""
        if name in self._waiting:
            return
        if not self.offered(name):
            self._tell(f"{name}: the bridge does not offer it (is it running?)")
            return
        self._waiting[name] = self._clients[name].call_async(Trigger.Request()), self._clock()

    def turn(self) -> None:
        """Take answers and tell them; repeat a stop that has none."""
        if not self._waiting and not self._stops:
            return
        self._spin()
        with self._lock:
            self._look_at_stops()
        for name, (future, since) in list(self._waiting.items()):
            if future.done():
                self._tell_answer(name, future.result())
            elif self._clock() - since > PATIENCE:
                self._clients[name].remove_pending_request(future)
                self._tell(f"{name}: no answer from the bridge")
            else:
                continue
            del self._waiting[name]

    def _look_at_stops(self) -> None:
        answered = next((future for future in self._stops if future.done()), None)
        late = self._clock() - self._stop_asked > PATIENCE
        if answered is None and not late:
            if self._stops:
                self._send_stop()
            return
        for future in self._stops:
            self._clients[STOP].remove_pending_request(future)
        self._stops.clear()
        if answered is not None:
            self._tell_answer("STOP", answered.result())
        else:
            self._tell("STOP: NO ANSWER FROM THE BRIDGE, stop the robot by its own remote control")

    def _tell_answer(self, name: str, answer: Trigger.Response) -> None:
        self._tell(f"{name}: {'ok' if answer.success else 'refused'}, {answer.message}")
