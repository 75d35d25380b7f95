"""Writes one MCAP file. ROS-free: messages are bytes.

Messages are written in small chunks, each flushed when it is complete, so that a file whose writer was killed can be
read up to its last chunk. A write that fails (full disk) cuts the file back to its last complete chunk.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from mcap.writer import CompressionType, Writer

CHUNK_SIZE = 128 * 1024
"""bytes before compression: what a crash may lose, a quarter of a second of a whole graph."""
INDEX_SHARE = 0.02
"""Part of the size limit that is kept for the summary at the end of the file."""


class BagError(RuntimeError):
    """Nothing more can be written; one line that says why. What was written stays readable."""


class _Output:
    """A file that knows its size and hands everything to the system at once."""

    def __init__(self, path: Path) -> None:
        self._file: BinaryIO = path.open("xb")
        self.size = 0

    def write(self, data: bytes) -> int:
        self._file.write(data)
        self._file.flush()
        self.size += len(data)
        return len(data)

    def tell(self) -> int:
        return self.size

    def flush(self) -> None:
        pass

    def sync(self) -> None:
        os.fdatasync(self._file.fileno())

    def cut(self) -> None:
        """Drop what was written in part."""
        with suppress(OSError):
            os.ftruncate(self._file.fileno(), self.size)

    def close(self) -> None:
        with suppress(OSError):  # what is left in Python's buffer is the part that did not fit
            self._file.close()


class BagWriter:
    """An open recording.

    Args:
        path: file to make; its folder is made too.
        max_size: bytes that the file may have.
        metadata: names and texts about the whole recording.

    Raises:
        BagError: the file cannot be made.
    """

    def __init__(self, path: Path, max_size: int, metadata: Mapping[str, str] | None = None) -> None:
        self.path = path
        self._limit = int(max_size * (1.0 - INDEX_SHARE))
        self._max_size = max_size
        self._channels: dict[str, int] = {}
        self._pending = 0
        self.messages = 0
        try:
            os.makedirs(path.parent, exist_ok=True)
        except OSError as error:
            raise BagError(f"folder {path.parent} cannot be made ({error.strerror})") from None
        try:
            self._output: _Output | None = _Output(path)
        except FileExistsError:
            raise BagError(f"{path} exists already: move it away or name another folder") from None
        except OSError as error:
            raise BagError(f"{path} cannot be made ({error.strerror})") from None
        self._writer = Writer(self._output, chunk_size=CHUNK_SIZE, compression=CompressionType.ZSTD)  # type: ignore[arg-type]
        with self._guarded():
            self._writer.start(profile="ros2", library="go2-piper-stack")
            if metadata:
                self._writer.add_metadata("recording", dict(metadata))

    @property
    def size(self) -> int:
        """Bytes in the file."""
        return self._output.size if self._output is not None else self.path.stat().st_size

    def add_topic(self, topic: str, kind: str, definition: str, qos: str) -> None:
        """Make a topic known before its first message.

        Args:
            topic: full name.
            kind: type, such as "sensor_msgs/msg/Imu".
            definition: of `full_definition`.
            qos: offered quality of service, as the yaml that rosbag2 writes.
        """
        with self._guarded():
            schema = self._writer.register_schema(name=kind, encoding="ros2msg", data=definition.encode())
            self._channels[topic] = self._writer.register_channel(
                topic=topic, message_encoding="cdr", schema_id=schema, metadata={"offered_qos_profiles": qos}
            )

    def add(self, topic: str, data: bytes, received_ns: int, published_ns: int, sequence: int) -> None:
        """Write a message.

        Args:
            topic: made known before.
            data: CDR.
            received_ns: wall time of its arrival: what readers order by.
            published_ns: wall time at which its publisher sent it.
            sequence: counted by the publisher.

        Raises:
            BagError: the file has its largest size, or cannot be written.
        """
        if self.size + self._pending + len(data) > self._limit:
            raise BagError(f"{self.path} has reached its limit of {self._max_size / 1e6:g} MB")
        before = self.size
        with self._guarded():
            self._writer.add_message(self._channels[topic], received_ns, data, published_ns, sequence)
        self.messages += 1
        self._pending = 0 if self.size > before else self._pending + len(data)

    def sync(self) -> None:
        """Wait until what was written is on the disk. Raises BagError."""
        with self._guarded():
            if self._output is not None:
                self._output.sync()

    def close(self) -> None:
        """Write the index and close the file; harmless after an error and when called twice. Raises BagError."""
        if self._output is None:
            return
        with self._guarded():
            self._writer.finish()
            self._output.close()
            self._output = None

    def _guarded(self) -> _Guard:
        return _Guard(self)

    def abandon(self) -> None:
        """Close the file at its last complete chunk, without an index."""
        if self._output is not None:
            self._output.cut()
            self._output.close()
            self._output = None


class _Guard:
    """Turns errors of the system into a BagError and abandons the file."""

    def __init__(self, bag: BagWriter) -> None:
        self._bag = bag

    def __enter__(self) -> None:
        if self._bag._output is None:
            raise BagError(f"{self._bag.path} is closed")

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, OSError):
            self._bag.abandon()
            raise BagError(f"{self._bag.path} cannot be written any more ({error.strerror})") from None
