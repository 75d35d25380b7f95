"""A browser without a picture: speaks with the cockpit's page as a browser does. For tests and benchmarks."""

from __future__ import annotations

import time
from typing import Any

import msgspec.msgpack
import viser
import zstandard
from websockets.sync.client import ClientConnection, connect

PATIENCE = 60.0
"""s to wait for what the page shows at its start."""


class PageClient:
    """An open page.

    Args:
        port: of the cockpit on this machine.
        origin: of the page that the browser shows; None for a program that is no browser.

    Raises:
        websockets.exceptions.InvalidStatus: refused.
        TimeoutError: the page shows no STOP.
    """

    def __init__(self, port: int, origin: str | None = None) -> None:
        self._socket: ClientConnection = connect(
            f"ws://127.0.0.1:{port}",
            subprotocols=[f"viser-v{viser.__version__}"],  # type: ignore[list-item]
            origin=origin,  # type: ignore[arg-type]
            max_size=None,
            max_queue=None,  # a browser takes what it is sent, also when nobody here reads it
        )
        self.buttons: dict[str, str] = {}
        """Identities by label."""
        self._read_buttons()
        self._send("ViewerCameraMessage", wxyz=(1, 0, 0, 0), position=(1, 1, 1), fov=1.0, near=0.1, far=100.0,
                   image_height=100, image_width=100, look_at=(0, 0, 0), up_direction=(0, 0, 1))  # fmt: skip

    def _read_buttons(self) -> None:
        give_up = time.monotonic() + PATIENCE
        while True:
            data = self._socket.recv(timeout=max(give_up - time.monotonic(), 0.0))
            assert isinstance(data, bytes)
            size = int.from_bytes(data[8:16], "little")
            content: Any = msgspec.msgpack.decode(zstandard.ZstdDecompressor().decompress(data[16 : 16 + size]))
            for message in content["messages"]:
                if message["type"] == "GuiButtonMessage":
                    self.buttons[message["props"]["label"]] = message["uuid"]
                elif message["type"] == "ReplayDoneMessage":
                    return

    def _send(self, kind: str, **fields: Any) -> None:
        self._socket.send(msgspec.msgpack.encode({"type": kind, **fields}))

    def click(self, label: str) -> None:
        """Press a button."""
        self._send("GuiUpdateMessage", uuid=self.buttons[label], updates={"value": True})

    def hold(self, label: str) -> None:
        """Report a button as held."""
        self._send("GuiButtonHoldMessage", uuid=self.buttons[label], frequency=10.0)

    def drag(self, position: tuple[float, float, float]) -> None:
        """Move the gizmo of the target, m in the scene's frame."""
        self._send("TransformControlsUpdateMessage", name="/target", wxyz=(1, 0, 0, 0), position=position, owner="")

    def close(self) -> None:
        """Leave."""
        self._socket.close()
