"""Writes a recording in a thread behind a bounded queue, so that a slow disk never makes anybody wait. ROS-free."""

from __future__ import annotations

import threading
import time
from collections import deque
from contextlib import suppress
from typing import NamedTuple

from .bag_writer import BagError, BagWriter

QUEUE_BYTES = 32_000_000
"""What waits for the disk at most; a minute of a whole graph."""
_PERIOD = 0.05
"""s between two looks at the queue."""
_SYNC_PERIOD = 2.0
"""s between two waits for the disk: what a loss of power may cost."""


class Item(NamedTuple):
    """One message on its way to the file; see `BagWriter.add`."""

    topic: str
    data: bytes
    received_ns: int
    published_ns: int
    sequence: int


class BackgroundWriter:
    """Takes messages without waiting and writes them in order.

    Args:
        bag: where they go; used by the thread only, from `start` to `close`.
        queue_bytes: size of the queue.
    """

    def __init__(self, bag: BagWriter, queue_bytes: int = QUEUE_BYTES) -> None:
        self._bag = bag
        self._capacity = queue_bytes
        self._queue: deque[Item | tuple[str, str, str, str]] = deque()
        self._waiting = 0
        self._lock = threading.Lock()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.problem = ""
        """Why writing has ended; empty while it goes on."""
        self.dropped = 0
        """Messages that found the queue full."""
        self.written = 0

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def add_topic(self, topic: str, kind: str, definition: str, qos: str) -> None:
        """As `BagWriter.add_topic`, in order with the messages."""
        self._queue.append((topic, kind, definition, qos))

    def put(self, item: Item) -> bool:
        """Hand over a message; False where it is dropped, as the queue is full. Never waits for the disk."""
        with self._lock:
            if self._waiting + len(item.data) > self._capacity:
                self.dropped += 1
                return False
            self._waiting += len(item.data)
        self._queue.append(item)
        return True

    def close(self, patience: float = 5.0) -> None:
        """Write what waits and close the file; after `patience`, s, give up on a disk that does not answer."""
        self._ending.set()
        self._thread.join(timeout=patience)
        if self._thread.is_alive():
            self.problem = self.problem or f"the disk did not take the end of {self._bag.path} within {patience:g} s"

    def _run(self) -> None:
        synced = time.monotonic()
        try:
            while True:
                ending = self._ending.wait(_PERIOD)  # looked at before the queue, so that nothing is left behind
                self._write_queue()
                if ending:
                    break
                if time.monotonic() - synced > _SYNC_PERIOD:
                    self._bag.sync()
                    synced = time.monotonic()
            self._bag.close()
        except BagError as error:
            self.problem = str(error)
            with suppress(BagError):
                self._bag.close()

    def _write_queue(self) -> None:
        while self._queue:
            entry = self._queue.popleft()
            if not isinstance(entry, Item):
                self._bag.add_topic(*entry)
                continue
            with self._lock:
                self._waiting -= len(entry.data)
            self._bag.add(*entry)
            self.written += 1
