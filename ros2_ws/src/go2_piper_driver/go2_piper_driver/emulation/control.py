"""A channel on which tests set faults and ask for the truth: lines of JSON over a Unix socket of its user's own."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

Handler = Callable[[dict[str, Any]], dict[str, Any]]

_LINE_LIMIT = 65536


class ControlServer:
    """Answers each line with one line. `poll` never waits."""

    def __init__(self, path: Path, handler: Handler) -> None:
        """Listen on a socket file; its folder must exist. Raises OSError."""
        self._path, self._handler = path, handler
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        mask = os.umask(0o177)
        try:
            self._listener.bind(str(path))
        finally:
            os.umask(mask)
        self._listener.listen(4)
        self._listener.setblocking(False)
        self._peers: dict[socket.socket, bytes] = {}

    def poll(self) -> None:
        """Answer what has been asked."""
        with contextlib.suppress(BlockingIOError):
            peer, _ = self._listener.accept()
            peer.setblocking(False)
            self._peers[peer] = b""
        for peer in list(self._peers):
            try:
                data = peer.recv(4096)
            except BlockingIOError:
                continue
            except OSError:
                data = b""
            self._peers[peer] += data
            if not data or len(self._peers[peer]) > _LINE_LIMIT:
                del self._peers[peer]
                peer.close()
                continue
            *lines, self._peers[peer] = self._peers[peer].split(b"\n")
            for line in lines:
                with contextlib.suppress(OSError):
                    peer.sendall(json.dumps(self._answer(line)).encode() + b"\n")

    def _answer(self, line: bytes) -> dict[str, Any]:
        try:
            request = json.loads(line)
            if not isinstance(request, dict):
                raise ValueError("a request is a JSON object")
            return {"ok": True, **self._handler(request)}
        except (ValueError, KeyError, TypeError) as error:
            return {"ok": False, "error": str(error)}

    def close(self) -> None:
        """Close and remove the socket."""
        for peer in self._peers:
            peer.close()
        self._listener.close()
        with contextlib.suppress(FileNotFoundError):
            self._path.unlink()


class ControlClient:
    """The other end, for tests."""

    def __init__(self, path: Path, patience: float = 30.0) -> None:
        """Connect, waiting for the server to appear. Raises TimeoutError."""
        deadline = time.monotonic() + patience
        while True:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                self._socket.connect(str(path))
                break
            except OSError:
                self._socket.close()
                if time.monotonic() > deadline:
                    raise TimeoutError(f"nobody listens on {path}") from None
                time.sleep(0.05)
        self._socket.settimeout(patience)
        self._file = self._socket.makefile("rb")

    def ask(self, **request: Any) -> dict[str, Any]:
        """Send a request and return the answer. Raises ValueError where the server refuses."""
        self._socket.sendall(json.dumps(request).encode() + b"\n")
        answer = json.loads(self._file.readline())
        if not answer.pop("ok"):
            raise ValueError(answer["error"])
        return dict(answer)

    def close(self) -> None:
        """Hang up."""
        self._file.close()
        self._socket.close()
