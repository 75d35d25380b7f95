"""A CAN bus on one machine: python-can interface `loopcan`, UDP datagrams between sockets on 127.0.0.1.

For machines without kernel CAN; no root is needed. A channel is a folder that only its user can read. Each end of the
bus has a file there, locked as long as the end lives, whose name tells its port, bit rate and node. A node is what
shares one CAN controller: what is sent with `local_loopback=False` (as piper_sdk does) is not heard by its own node, as
with socketcan. As on a wire, who has another bit rate hears nothing, sending fails where nobody acknowledges, and a
receiver that does not keep up loses frames.
"""

from __future__ import annotations

import contextlib
import fcntl
import math
import os
import re
import secrets
import socket
import struct
import tempfile
import time
from collections import deque
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any

import can

Frame = tuple[int, bytes]
"""Standard id and payload."""

MAX_FRAMES = 64
"""In one datagram."""
MAX_ENDS = 32
"""On one channel."""
_TOKEN_SIZE = 8
_FRAME = struct.Struct(">HB8s")
_NAME = re.compile(r"(\d+)-(\d+)-(\w+)")
_CHANNEL = re.compile(r"[A-Za-z0-9_.-]{1,32}")
_LOOK_PERIOD = 0.005
"""s between two looks at who is there; the folder's time stamp tells whether that changed."""
_REREAD_PERIOD = 0.25
_SLICE = 0.02


class LoopcanError(can.CanError):
    """The channel cannot be used; one line."""


def channel_folder(channel: str) -> Path:
    """Return the folder of a channel, which exists afterwards.

    Raises:
        LoopcanError: the name is no good or the folder belongs to somebody else.
    """
    if not _CHANNEL.fullmatch(channel) or channel in (".", ".."):
        raise LoopcanError(f'loopcan channel "{channel}": use up to 32 letters, digits, "_", "-" or "."')
    root = Path(tempfile.gettempdir()) / f"go2_piper_can_{os.getuid()}"
    folder = root / channel
    try:
        for path in (root, folder):
            path.mkdir(mode=0o700, exist_ok=True)
            found = path.lstat()
            if found.st_uid != os.getuid() or found.st_mode & 0o077 or path.is_symlink():
                raise LoopcanError(f"loopcan: {path} is not a private folder of this user; remove it")
    except OSError as error:
        raise LoopcanError(f"loopcan: cannot make {folder} ({error.strerror})") from error
    return folder


def set_channel_down(channel: str, down: bool) -> None:
    """Take a channel down, or up again: while it is down, sending and receiving fail."""
    marker = channel_folder(channel) / "down"
    if down:
        marker.touch(mode=0o600)
    else:
        marker.unlink(missing_ok=True)


class LoopcanEnd:
    """One end of the bus: sends and receives bundles of frames."""

    def __init__(self, channel: str, bitrate: int = 1_000_000, node: str = "host", local_loopback: bool = True) -> None:
        self._folder = channel_folder(channel)
        self._bitrate, self._node, self._local_loopback = int(bitrate), node, local_loopback
        self._token = self._channel_token()
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._port: int = self._socket.getsockname()[1]
        self._peers: list[tuple[str, int]] = []
        self._acknowledged = self._down = False
        self._stamp, self._read_at, self._looked_at = 0, -math.inf, -math.inf
        self.malformed = 0
        """Datagrams that were no frames of this channel."""
        try:
            self._file = self._register()
        except BaseException:
            self._socket.close()
            raise

    def _channel_token(self) -> bytes:
        path = self._folder / "token"
        for _ in range(10):
            with contextlib.suppress(FileNotFoundError):
                token = path.read_bytes()
                if len(token) == _TOKEN_SIZE:
                    return token
            draft = self._folder / f".token-{os.getpid()}-{secrets.token_hex(4)}"
            draft.write_bytes(secrets.token_bytes(_TOKEN_SIZE))
            with contextlib.suppress(FileExistsError):
                os.link(draft, path)  # fails where another end was faster
            draft.unlink()
        raise LoopcanError(f"loopcan: {path} is damaged; remove it")

    def _register(self) -> IO[bytes]:
        """Make the file that tells others of this end; the lock goes when the process does."""
        if len(list(self._folder.iterdir())) > MAX_ENDS + 2:
            raise LoopcanError(f"loopcan: channel {self._folder.name} has {MAX_ENDS} ends already")
        draft = self._folder / f".end-{os.getpid()}-{self._port}"
        file = draft.open("wb")
        fcntl.flock(file, fcntl.LOCK_EX)
        self._path = self._folder / f"{self._port}-{self._bitrate}-{self._node}"
        draft.rename(self._path)
        self._read_folder()
        return file

    def _look(self) -> None:
        """Learn who is on the channel and whether it is up, where that may have changed."""
        now = time.monotonic()
        if now - self._looked_at < _LOOK_PERIOD:
            return
        self._looked_at = now
        stamp = os.stat(self._folder).st_mtime_ns
        young = time.time_ns() - stamp < 50_000_000  # a second change may carry the same stamp
        if young or stamp != self._stamp or now - self._read_at > _REREAD_PERIOD:
            self._stamp, self._read_at = stamp, now
            self._read_folder()

    def _read_folder(self) -> None:
        peers, acknowledged = [], False
        entries = os.listdir(self._folder)
        for entry in entries:
            match = _NAME.fullmatch(entry)
            if match is None or self._gone(self._folder / entry):
                continue
            port, bitrate, node = int(match[1]), int(match[2]), match[3]
            if port == self._port or bitrate != self._bitrate:
                continue
            acknowledged |= node != self._node
            if self._local_loopback or node != self._node:
                peers.append(("127.0.0.1", port))
        self._peers, self._acknowledged, self._down = peers, acknowledged, "down" in entries

    def _check_up(self) -> None:
        self._look()
        if self._down:
            raise can.CanOperationError(f"loopcan: channel {self._folder.name} is down")

    @staticmethod
    def _gone(path: Path) -> bool:
        """Whether the end that made the file has died; its file is removed."""
        try:
            with path.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.unlink(missing_ok=True)
        except FileNotFoundError:
            return True
        except OSError:
            return False
        return True

    def acknowledged(self) -> bool:
        """Whether another node is on the bus at this bit rate."""
        self._look()
        return self._acknowledged

    def send(self, frames: Iterable[Frame]) -> None:
        """Send frames to all who hear this end.

        Raises:
            can.CanOperationError: the channel is down, or nobody is there to acknowledge.
        """
        self._check_up()
        if not self._acknowledged:
            raise can.CanOperationError(f"loopcan: nobody acknowledges on channel {self._folder.name}")
        bundle = [_FRAME.pack(can_id, len(data), data) for can_id, data in frames]
        for start in range(0, len(bundle), MAX_FRAMES):
            datagram = self._token + b"".join(bundle[start : start + MAX_FRAMES])
            for peer in self._peers:
                with contextlib.suppress(OSError):  # its buffer is full: the frame is lost, as on a busy controller
                    self._socket.sendto(datagram, peer)

    def receive(self, timeout: float | None) -> list[Frame]:
        """Return the frames of the next datagram, none after the timeout (s, None waits for ever).

        Raises:
            can.CanOperationError: the channel is down.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            self._look()
            if self._down:
                self._drop_pending()
            self._check_up()
            left = _SLICE if deadline is None else deadline - time.monotonic()
            try:
                self._socket.settimeout(min(max(left, 0.0), _SLICE))
                datagram = self._socket.recv(_TOKEN_SIZE + MAX_FRAMES * _FRAME.size)
            except (BlockingIOError, TimeoutError):
                if deadline is not None and time.monotonic() >= deadline:
                    return []
                continue
            except OSError as error:
                raise can.CanOperationError(f"loopcan: {error.strerror}") from error
            frames = self._parse(datagram)
            if frames:
                return frames

    def _drop_pending(self) -> None:
        """Forget what came while the channel was down."""
        self._socket.settimeout(0.0)
        with contextlib.suppress(OSError):
            while self._socket.recv(1):
                pass

    def _parse(self, datagram: bytes) -> list[Frame]:
        body = datagram[_TOKEN_SIZE:]
        if datagram[:_TOKEN_SIZE] != self._token or len(body) % _FRAME.size:
            self.malformed += 1
            return []
        return [
            (can_id, data[:size]) for can_id, size, data in _FRAME.iter_unpack(body) if size <= 8 and can_id < 0x800
        ]

    def close(self) -> None:
        """Leave the bus; may be called twice."""
        self._path.unlink(missing_ok=True)
        self._file.close()
        self._socket.close()


class LoopcanBus(can.BusABC):
    """python-can's view of one end: `can.Bus(channel, interface="loopcan")`."""

    def __init__(
        self,
        channel: str,
        bitrate: int = 1_000_000,
        node: str = "host",
        local_loopback: bool = True,
        receive_own_messages: bool = False,
        can_filters: Any = None,
        **kwargs: object,
    ) -> None:
        if receive_own_messages:
            raise can.CanInitializationError("loopcan cannot receive its own messages")
        self._end = LoopcanEnd(channel, bitrate, node, local_loopback)
        self._pending: deque[Frame] = deque()
        self.channel_info = f"loopcan channel {channel}"
        super().__init__(channel, can_filters=can_filters, **kwargs)

    def send(self, msg: can.Message, timeout: float | None = None) -> None:
        """Send one frame. Raises can.CanOperationError."""
        if msg.is_extended_id or msg.is_remote_frame or msg.is_error_frame or msg.is_fd:
            raise can.CanOperationError("loopcan carries standard data frames only")
        self._end.send([(msg.arbitration_id, bytes(msg.data))])

    def _recv_internal(self, timeout: float | None) -> tuple[can.Message | None, bool]:
        if not self._pending:
            self._pending.extend(self._end.receive(timeout))
        if not self._pending:
            return None, False
        can_id, data = self._pending.popleft()
        return can.Message(timestamp=time.time(), arbitration_id=can_id, is_extended_id=False, data=data), False

    def shutdown(self) -> None:
        """Leave the bus."""
        super().shutdown()
        self._end.close()
