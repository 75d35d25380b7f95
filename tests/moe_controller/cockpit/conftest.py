"""A scene without browsers."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from .scenes import Remembered


@pytest.fixture
def scene() -> Iterator[Remembered]:
    """The scene of a real viser server."""
    pytest.importorskip("viser")
    from moe_controller.cockpit.local_server import LocalServer

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = LocalServer("127.0.0.1", port)
    yield Remembered(server.scene)
    server.stop()
