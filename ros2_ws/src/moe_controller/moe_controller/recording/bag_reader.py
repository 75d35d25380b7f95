"""Reads recordings, also those that were cut off. Decodes messages as the nodes do; needs no running ROS."""

from __future__ import annotations

import importlib
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import zstandard
from mcap.exceptions import McapError
from mcap.records import Channel, Message, Metadata, Schema
from mcap.stream_reader import StreamReader

from .files import recording_in

KINDS = {
    "joint_states": "sensor_msgs/msg/JointState",
    "imu/data": "sensor_msgs/msg/Imu",
    "odom": "nav_msgs/msg/Odometry",
    "joint_commands": "sensor_msgs/msg/JointState",
    "control_inputs": "std_msgs/msg/Int64MultiArray",
    "ee_target": "geometry_msgs/msg/PoseStamped",
    "ee_trajectory": "trajectory_msgs/msg/MultiDOFJointTrajectory",
    "cmd_vel": "geometry_msgs/msg/Twist",
    "moe/expert_weights": "std_msgs/msg/Float64MultiArray",
    "safety/state": "std_msgs/msg/String",
    "diagnostics": "diagnostic_msgs/msg/DiagnosticArray",
}
"""What is read here, by topic without namespace."""
_CUT = (McapError, struct.error, zstandard.ZstdError, EOFError, ValueError, KeyError, IndexError, OverflowError)
"""What broken bytes lead to in the libraries."""


class BagReadError(ValueError):
    """A recording cannot be used; one line: which file, what is wrong, what to do."""


class Received(NamedTuple):
    """A message as it was recorded."""

    received_ns: int
    published_ns: int
    data: bytes


@dataclass
class Bag:
    """The messages of a recording by topic, without namespace, in the order of arrival."""

    path: Path
    topics: dict[str, list[Received]] = field(default_factory=dict)
    metadata: dict[str, str] = field(default_factory=dict)
    problem: str = ""
    """Where the file is cut off or broken; empty for a whole one."""

    def __getitem__(self, topic: str) -> list[Received]:
        return self.topics.get(topic, [])

    def decoded(self, topic: str) -> Iterator[tuple[Received, Any]]:
        """Return the messages of a topic with their ROS messages. Raises BagReadError."""
        from rclpy.serialization import deserialize_message

        package, _, name = KINDS[topic].split("/")
        kind = getattr(importlib.import_module(f"{package}.msg"), name)
        for item in self[topic]:
            try:
                message = deserialize_message(item.data, kind)
            except Exception as error:  # rclpy raises bare exceptions here
                raise BagReadError(f"{self.path}: a message of /{topic} is damaged ({error})") from None
            yield item, message

    def require(self, topics: Sequence[str], purpose: str) -> None:
        """Raise BagReadError where one of these topics has no messages."""
        missing = [f"/{topic}" for topic in topics if not self[topic]]
        if missing:
            has = (
                ", ".join(f"/{topic}" for topic, items in self.topics.items() if items) or "nothing that is known here"
            )
            raise BagReadError(f"{self.path} has no {', '.join(missing)}, which {purpose} needs; it has {has}")


def read_bag(path: Path, topics: Sequence[str] = tuple(KINDS)) -> Bag:
    """Read a recording.

    Args:
        path: MCAP file, or the folder of a run with one in it.
        topics: keys of `KINDS`; others are skipped.

    Raises:
        BagReadError: no such file, no MCAP file, topics of several robots, or of other types.
    """
    path = recording_in(path)
    bag = Bag(path)
    found: dict[int, tuple[str, str]] = {}
    schemas: dict[int, str] = {}
    messages: dict[str, list[Received]] = {}
    with _opened(path) as stream:
        try:
            for record in StreamReader(stream, validate_crcs=True, record_size_limit=path.stat().st_size).records:
                if isinstance(record, Schema):
                    schemas[record.id] = record.name
                elif isinstance(record, Channel):
                    found[record.id] = record.topic, schemas.get(record.schema_id, "")
                elif isinstance(record, Metadata):
                    bag.metadata.update(record.metadata)
                elif isinstance(record, Message):
                    topic = found[record.channel_id][0]
                    if _known(topic, topics):
                        item = Received(record.log_time, record.publish_time, record.data)
                        messages.setdefault(topic, []).append(item)
        except _CUT as error:
            bag.problem = f"cut off or damaged ({' '.join(str(error).split())[:80] or type(error).__name__})"
    if bag.problem and not found:
        raise BagReadError(f"{path}: nothing can be read, it is {bag.problem}")
    namespace = _namespace(path, messages)
    types = dict(found.values())
    for full, items in messages.items():
        topic = _known(full, topics)
        if full != f"{namespace}/{topic}":
            continue
        if types[full] != KINDS[topic]:
            raise BagReadError(f"{path}: {full} has the type {types[full]}, not {KINDS[topic]}: of another stack?")
        bag.topics[topic] = sorted(items, key=lambda item: item.received_ns)
    return bag


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    try:
        with path.open("rb") as stream:
            yield stream
    except OSError as error:
        raise BagReadError(
            f"{path} cannot be read ({error.strerror}): give a recording or the folder of a run"
        ) from None


def _known(topic: str, topics: Sequence[str]) -> str:
    """Return the topic without namespace if it is one of these, else nothing."""
    return next((name for name in topics if topic.endswith(f"/{name}")), "")


def _namespace(path: Path, messages: dict[str, list[Received]]) -> str:
    spaces = sorted({topic[: -len("/joint_states")] for topic in messages if topic.endswith("/joint_states")})
    if len(spaces) > 1:
        raise BagReadError(f"{path} has several robots ({', '.join(spaces)}): record them one by one")
    return spaces[0] if spaces else ""
