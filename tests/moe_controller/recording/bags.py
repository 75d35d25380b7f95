"""Recordings for tests, written through the project's writer."""

from __future__ import annotations

import random
from pathlib import Path

from moe_controller.recording.bag_writer import BagWriter
from moe_controller.recording.message_definitions import full_definition
from rclpy.serialization import serialize_message
from std_msgs.msg import String

KIND = "std_msgs/msg/String"
LARGE = 10_000_000


def open_bag(path: Path, max_size: int = LARGE) -> BagWriter:
    """Return an open recording with one topic."""
    bag = BagWriter(path, max_size, {"robot": "go2_piper"})
    bag.add_topic("/text", KIND, full_definition(KIND), "")
    return bag


def text(number: int, length: int = 1000) -> bytes:
    """Return a serialised message with a number in it; hardly compressible."""
    filler = random.Random(number).randbytes(length // 2).hex()
    return serialize_message(String(data=f"{number} {filler}"))


def fill(bag: BagWriter, count: int) -> None:
    """Add messages with rising numbers, 1 ms apart."""
    for number in range(count):
        bag.add("/text", text(number), 1_000_000 * (number + 1), 1_000_000 * (number + 1), number + 1)
