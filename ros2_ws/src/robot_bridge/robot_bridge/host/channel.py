"""A connection that carries packets between a process and its child. Runs on Python 3.6.

It is a pair of Unix sockets of which each process holds one: nobody else can join or listen, and the kernel tells each
side at once when the other has died.
"""

import select
import socket
from typing import List

_MAX_PACKET = 65536
_SEND_BUFFER = 16384


class Closed(Exception):
    """The other side has ended."""


class Channel:
    """One end. Sending never waits."""

    def __init__(self, end: socket.socket) -> None:
        end.setblocking(False)
        # what a slow reader finds must not be old: about ten states
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
        self._end = end
        self.dropped = 0
        """Packets that the other side was too slow to take."""

    def send(self, packet: bytes) -> bool:
        """Send a packet; False where the other side does not take any. Raises Closed."""
        try:
            self._end.send(packet)
        except (BlockingIOError, InterruptedError):
            self.dropped += 1
            return False
        except OSError:
            raise Closed() from None
        return True

    def receive(self) -> List[bytes]:
        """Return the packets that are there. Raises Closed once there are none and the other side has ended."""
        packets = []  # type: List[bytes]
        while True:
            try:
                packet = self._end.recv(_MAX_PACKET)
            except (BlockingIOError, InterruptedError):
                return packets
            except OSError:
                packet = b""
            if not packet:
                if packets:
                    return packets
                raise Closed()
            packets.append(packet)

    def wait(self, seconds: float) -> bool:
        """Wait until a packet is there or the other side has ended; False after the given time."""
        return bool(select.select([self._end], [], [], max(seconds, 0.0))[0])

    def close(self) -> None:
        """Close this end."""
        self._end.close()


def make_pair() -> "tuple[socket.socket, socket.socket]":
    """Return two connected ends that keep packets apart."""
    first, second = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    return first, second
