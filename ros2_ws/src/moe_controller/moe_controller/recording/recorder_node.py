"""The recorder: everything that is published on the graph into one MCAP file.

A process of its own with a low priority. It takes serialised messages as they are; a thread writes them. Messages that
come while the disk does not keep up are dropped and counted. A full disk, the size limit or a signal end the recording;
nobody else notices.
"""

from __future__ import annotations

import importlib
import shutil
import sys
import time
from pathlib import Path
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from go2_piper_description.joints import JOINT_NAMES
from rcl_interfaces.msg import ParameterDescriptor
from rclpy.event_handler import SubscriptionEventCallbacks
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from robot_bridge.inbox import Polled
from robot_bridge.priority import WATCHER, give_way
from robot_bridge.run_node import run_node

from .background_writer import BackgroundWriter, Item
from .bag_writer import BagError, BagWriter
from .files import RECORDING_FILE
from .message_definitions import DefinitionError, full_definition

_PERIOD = 0.02
"""s between two looks at the subscriptions."""
_DEPTH = 1000
"""Of each queue: seconds of the fastest topics, for a machine that is busy."""
_LOOK_PERIOD = 0.2
"""s between two looks for new topics."""
_DIAGNOSTICS_PERIOD = 1.0
_DISK_PERIOD = 1.0
_MEGABYTE = 1_000_000


_STATES = {
    "joint_states": "sensor_msgs/msg/JointState",
    "imu/data": "sensor_msgs/msg/Imu",
    "odom": "nav_msgs/msg/Odometry",
    "joint_commands": "sensor_msgs/msg/JointState",
    "diagnostics": "diagnostic_msgs/msg/DiagnosticArray",
}
"""Subscribed to before anybody publishes: who looks for them first misses their beginning."""


class Topic:
    """A recorded topic."""

    def __init__(self, name: str, subscription: Any) -> None:
        self.name, self.subscription = name, subscription
        self.last_sequence: int | None = None
        self.publishers = 1
        self.lost = 0
        """Messages that were published and never arrived here."""


class RecorderNode(Node):
    """Records every topic whose type is installed."""

    def __init__(self) -> None:
        super().__init__("recorder", start_parameter_services=False)
        out = str(self._declare("out", "", "folder for the recording; empty for runs/<time>"))
        max_size = int(self._declare("max_size_mb", 2000, "of the file; recording ends there"))
        self._min_free = int(self._declare("min_free_mb", 200, "left on the disk; recording ends there")) * _MEGABYTE
        if max_size < 1 or self._min_free < 0:
            raise ValueError(f"max_size_mb is {max_size}, min_free_mb {self._min_free // _MEGABYTE}: above 0 is needed")
        folder = Path(out) if out else Path("runs") / time.strftime("%Y%m%d-%H%M%S")
        metadata = {
            "robot": "go2_piper",
            "joints": ",".join(JOINT_NAMES),
            "started": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        }
        self._bag = BagWriter(folder / RECORDING_FILE, max_size * _MEGABYTE, metadata)
        self._writer = BackgroundWriter(self._bag)
        self._topics: dict[str, Topic | None] = {}
        """None for those that cannot be recorded."""
        self._group = Polled()
        self._looked = self._diagnosed = self._disk_looked = 0.0
        self._ended = False
        self._diagnostics = self.create_publisher(DiagnosticArray, "diagnostics", 10)
        self._executor = SingleThreadedExecutor()

    def _declare(self, name: str, default: Any, description: str) -> Any:
        return self.declare_parameter(name, default, ParameterDescriptor(description=description)).value

    # -- the loop ------------------------------------------------------------------------------------------------------

    def start(self) -> bool:
        """Begin to record."""
        self._writer.start()
        for name, kind in _STATES.items():
            full_name = self.resolve_topic_name(name)
            self._topics[full_name] = self._subscribe(full_name, [kind])
        self.get_logger().info(f"recording to {self._bag.path}")
        return True

    def turn(self) -> None:
        """Take what has come, write and report."""
        time.sleep(_PERIOD)
        wall = time.monotonic()
        if self._ended:
            return
        if wall - self._looked > _LOOK_PERIOD:
            self._looked = wall
            self._look_for_topics()
        self._take()
        if wall - self._disk_looked > _DISK_PERIOD:
            self._disk_looked = wall
            self._look_at_disk()
        if wall - self._diagnosed > _DIAGNOSTICS_PERIOD:
            self._diagnosed = wall
            self._diagnose()
        if self._writer.problem:
            self._end(self._writer.problem)

    def close(self) -> None:
        """Take the last messages, close the file, say how it went."""
        if not self._ended:
            self._take()
            self._end("")
        self._executor.shutdown()
        self.destroy_node()

    def _end(self, problem: str) -> None:
        """Stop recording; a problem gets one line on the terminal."""
        self._ended = True
        self._writer.close()
        for topic in self._topics.values():
            if topic is not None:
                self.destroy_subscription(topic.subscription)
        problem = problem or self._writer.problem
        missing = self._missing()
        told = f"{self._writer.written} messages in {self._bag.path}"
        if missing:
            told += f", missing: {missing} (disk or machine too slow)"
        if problem:
            self.get_logger().error(f"recording ended: {problem}; {told}")
        elif missing:
            self.get_logger().warning(told)
        else:
            self.get_logger().info(told)

    # -- topics --------------------------------------------------------------------------------------------------------

    def _look_for_topics(self) -> None:
        for name, kinds in self.get_topic_names_and_types():
            if name not in self._topics:
                self._topics[name] = self._subscribe(name, kinds)
            topic = self._topics[name]
            if topic is not None:
                topic.publishers = self.count_publishers(name)

    def _subscribe(self, name: str, kinds: list[str]) -> Topic | None:
        try:
            if len(kinds) != 1:
                raise DefinitionError(f"it has the types {', '.join(kinds)}")
            kind, definition = _message_class(kinds[0]), full_definition(kinds[0])
        except DefinitionError as error:
            self.get_logger().warning(f"{name} is not recorded: {error}")
            return None
        offered = [info.qos_profile for info in self.get_publishers_info_by_topic(name)]
        latched = bool(offered) and all(q.durability == DurabilityPolicy.TRANSIENT_LOCAL for q in offered)
        reliable = all(q.reliability == ReliabilityPolicy.RELIABLE for q in offered)
        profile = QoSProfile(
            depth=_DEPTH,
            durability=DurabilityPolicy.TRANSIENT_LOCAL if latched else DurabilityPolicy.VOLATILE,
            reliability=ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT,
        )
        subscription = self.create_subscription(
            kind, name, lambda message: None, profile, callback_group=self._group, raw=True,
            event_callbacks=SubscriptionEventCallbacks(use_default_callbacks=False),
        )  # fmt: skip
        self._writer.add_topic(name, kinds[0], definition, _qos_text(latched, reliable))
        return Topic(name, subscription)

    def _take(self) -> None:
        taken = []
        for topic in self._topics.values():
            if topic is None:
                continue
            with topic.subscription.handle:
                take, kind = topic.subscription.handle.take_message, topic.subscription.msg_type
                while (got := take(kind, True)) is not None:
                    data, info = got
                    sequence = info["publication_sequence_number"] or 0
                    self._count_lost(topic, sequence)
                    taken.append(Item(topic.name, data, info["received_timestamp"], info["source_timestamp"], sequence))
        for item in sorted(taken, key=lambda item: item.received_ns):
            self._writer.put(item)

    @staticmethod
    def _count_lost(topic: Topic, sequence: int) -> None:
        last, topic.last_sequence = topic.last_sequence, sequence
        # publishers count each for themselves, and a new one begins anew
        if last is not None and topic.publishers == 1 and sequence > last + 1:
            topic.lost += sequence - last - 1

    # -- reports -------------------------------------------------------------------------------------------------------

    def _missing(self) -> str:
        """Return what the file lacks, "/imu/data 3, 2 for the disk"; empty where it lacks nothing."""
        parts = [f"{topic.name} {topic.lost}" for topic in self._topics.values() if topic is not None and topic.lost]
        if self._writer.dropped:
            parts.append(f"{self._writer.dropped} for the disk")
        return ", ".join(parts)

    def _look_at_disk(self) -> None:
        try:
            free = shutil.disk_usage(self._bag.path.parent).free
        except OSError:
            return
        if free < self._min_free:
            self._end(f"{free / 1e6:.0f} MB are left on the disk, min_free_mb is {self._min_free / 1e6:.0f}")

    def _diagnose(self) -> None:
        missing = self._missing()
        values = {
            "file": str(self._bag.path),
            "size_mb": f"{self._bag.size / 1e6:.1f}",
            "written": str(self._writer.written),
            "dropped": str(self._writer.dropped),
            "lost": str(sum(topic.lost for topic in self._topics.values() if topic is not None)),
            "topics": str(sum(topic is not None for topic in self._topics.values())),
        }
        status = DiagnosticStatus(
            level=DiagnosticStatus.WARN if missing else DiagnosticStatus.OK,
            name="recorder: recording",
            message=f"missing: {missing}" if missing else "recording",
            values=[KeyValue(key=key, value=value) for key, value in values.items()],
        )
        message = DiagnosticArray(status=[status])
        message.header.stamp = self.get_clock().now().to_msg()
        self._diagnostics.publish(message)


def _message_class(kind: str) -> Any:
    package, _, name = kind.split("/")
    try:
        return getattr(importlib.import_module(f"{package}.msg"), name)
    except (ImportError, AttributeError):
        raise DefinitionError(f"type {kind} is not installed") from None


def _qos_text(latched: bool, reliable: bool) -> str:
    """Return what rosbag2 needs to offer the topic again as it was."""
    forever = "    sec: 9223372036\n    nsec: 854775807\n"
    return (
        "- history: keep_last\n  depth: 10\n"
        f"  reliability: {'reliable' if reliable else 'best_effort'}\n"
        f"  durability: {'transient_local' if latched else 'volatile'}\n"
        f"  deadline:\n{forever}  lifespan:\n{forever}  liveliness: automatic\n"
        f"  liveliness_lease_duration:\n{forever}  avoid_ros_namespace_conventions: false\n"
    )


def main(args: list[str] | None = None) -> int:
    """Run the recorder until a signal. Returns the exit code: 0 after a signal, 1 where it could not start."""
    give_way(WATCHER)
    return run_node("recorder", RecorderNode, args, (BagError, ValueError))


if __name__ == "__main__":
    sys.exit(main())
