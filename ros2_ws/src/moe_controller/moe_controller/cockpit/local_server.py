"""The web server of the cockpit: for the pages that it serves itself, and for nobody beyond this machine."""

from __future__ import annotations

import re
import socket
import threading
from functools import partial

import viser
import websockets.asyncio.server

LOOPBACK = "127.0.0.1"
_NAMES = (LOOPBACK, "localhost", "[::1]")
"""Under which a browser of this machine, or at the end of a tunnel, reaches the loopback address."""
_MAKING = threading.Lock()


class PortError(ValueError):
    """The page cannot be served there; one line."""


class LocalServer(viser.ViserServer):
    """A viser server that takes no orders from other people's pages and is never shared.

    Browsers let any page open a connection to the loopback address, so who connects has to say that it comes from this
    server's own page (its `Origin`); programs that are no browsers say nothing there and are let in.

    Args:
        host: address to listen on.
        port: exactly this one.

    Raises:
        PortError: the port is taken or no port.
    """

    def __init__(self, host: str, port: int) -> None:
        _check_port(host, port)
        own = re.compile(rf"https?://({'|'.join(re.escape(name) for name in (*_NAMES, host))})(:\d+)?")
        serve = websockets.asyncio.server.serve
        with _MAKING:  # viser has no argument for it
            websockets.asyncio.server.serve = partial(serve, origins=[None, own])  # type: ignore[assignment, misc]
            try:
                super().__init__(host=host, port=port, label="Go2 + Piper", verbose=False)
            finally:
                websockets.asyncio.server.serve = serve  # type: ignore[misc]

    def request_share_url(self, verbose: bool = True) -> str | None:
        """Refuse what any browser could ask for: a tunnel that opens the robot to the internet."""
        return None


def _check_port(host: str, port: int) -> None:
    """Refuse a port that cannot be served: viser would take another one and people would look at somebody else's."""
    if not 0 < port < 65536:
        raise PortError(f"port {port} is not from 1 to 65535")
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except OSError as error:
        reason = error.strerror or str(error)
        raise PortError(f"{host}:{port} cannot be served ({reason}): choose another cockpit_port") from None
