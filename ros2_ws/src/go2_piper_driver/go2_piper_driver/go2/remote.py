"""The Go2's own remote control, which reaches us inside LowState, as requests to the safety gate.

Once the motors are released the robot's own reaction to L2+B is gone; this one takes its place. The stop acts as long
as its buttons are held (a fault of the plant) and as a request, the others once per press.
"""

from __future__ import annotations

from enum import IntFlag

from robot_bridge.modes import Request


class Button(IntFlag):
    """Bits of bytes 2 and 3, from unitree_ros2's WirelessController."""

    R1 = 1 << 0
    L1 = 1 << 1
    START = 1 << 2
    SELECT = 1 << 3
    R2 = 1 << 4
    L2 = 1 << 5
    A = 1 << 8
    B = 1 << 9
    X = 1 << 10
    Y = 1 << 11


STOP = Button.L2 | Button.B
MEANING: tuple[tuple[Button, Request], ...] = (
    (STOP, Request.ESTOP),
    (Button.L2 | Button.X, Request.DAMP),
    (Button.L2 | Button.A, Request.SIT),
    (Button.R2 | Button.A, Request.ACTIVATE),
    (Button.L1 | Button.START, Request.STAND),
    (Button.L1 | Button.SELECT, Request.RESET),
)
"""Two buttons each, so that nothing happens by a touch. The first that fits counts."""


def buttons(remote: bytes) -> Button:
    """Return the buttons that are held, given the 40 bytes of `wireless_remote`."""
    return Button(int.from_bytes(remote[2:4], "little") & int(~Button(0)))


class Remote:
    """Turns presses into numbered requests: who missed a state still sees the number change."""

    def __init__(self) -> None:
        self.request: tuple[int, str] | None = None
        """Number and name of the newest request, None before the first."""
        self.stops = False
        """Whether the stop is held now."""
        self._held: Request | None = None

    def step(self, remote: bytes) -> None:
        """Take in the newest bytes."""
        held = buttons(remote)
        self.stops = STOP in held
        meant = next((request for mask, request in MEANING if mask in held), None)
        if meant is not None and meant is not self._held:
            number = 0 if self.request is None else self.request[0]
            self.request = (number + 1, meant.value)
        self._held = meant
