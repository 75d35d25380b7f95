"""Modes of the safety gate and the requests that an operator can make."""

from __future__ import annotations

from enum import Enum


class Mode(str, Enum):
    """What the gate does with the robot."""

    DISCONNECTED = "DISCONNECTED"
    """No trustworthy state has been seen: nothing is sent."""
    PASSIVE = "PASSIVE"
    """The robot lies; light damping."""
    STANDING_UP = "STANDING_UP"
    """Ramp from the measured pose to the stand pose."""
    HOLD = "HOLD"
    """Stands and ignores commands."""
    ACTIVE = "ACTIVE"
    """Executes checked commands."""
    SITTING = "SITTING"
    """Ramp to the rest pose, then PASSIVE."""
    DAMPING = "DAMPING"
    """Legs damp, the arm holds; until `reset` or `stand`."""
    ESTOP = "ESTOP"
    """As DAMPING, latched until `reset`."""

    def __str__(self) -> str:
        return self.value


class Request(str, Enum):
    """What an operator can ask for; each is a service `/safety/<name>` of the bridge."""

    STAND = "stand"
    ACTIVATE = "activate"
    DAMP = "damp"
    SIT = "sit"
    RESET = "reset"
    ESTOP = "estop"

    def __str__(self) -> str:
        return self.value


STANDING_MODES = frozenset({Mode.STANDING_UP, Mode.HOLD, Mode.ACTIVE, Mode.SITTING})
"""Modes with full gains, in which every fault of the robot's state must act."""
