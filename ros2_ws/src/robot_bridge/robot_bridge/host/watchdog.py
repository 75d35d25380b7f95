"""When a plant host carries out targets and when it damps instead: a pure state machine. Runs on Python 3.6.

It begins latched. While latched the host damps; what releases it is a fresh set of targets that asks for no more than
damping. So nothing goes on by itself after a fault, whoever comes back: the gate has to leave its standing modes first,
and only an operator brings those back.
"""

from typing import NamedTuple, Optional


class Limits(NamedTuple):
    """Ages that latch, s."""

    silence: float = 0.1
    """Of the last targets; they come every 5 ms."""
    state: float = 0.08
    """Of the last state; they come every 2 ms. Linux keeps real-time processes from running for 50 ms where they use a
    processor fully, which must not look like a lost robot."""


class Watchdog:
    """Ask `damps` once per turn of the loop."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.reason = "no targets yet"  # type: Optional[str]
        """Why the host damps; None while it carries out targets."""
        self.trips = 0
        """How often it latched."""

    def trip(self, reason: str) -> None:
        """Latch."""
        if self.reason is None:
            self.trips += 1
        self.reason = reason

    def damps(self, target_age: Optional[float], holds_legs: bool, state_age: Optional[float]) -> bool:
        """Return whether to damp in this turn.

        Args:
            target_age: s since the newest targets were received, None before the first.
            holds_legs: whether they ask for more than damping of the legs.
            state_age: s since the newest state was measured, None before the first.
        """
        fault = None
        if target_age is None:
            fault = "no targets yet"
        elif not 0.0 <= target_age <= self.limits.silence:
            fault = "the bridge was silent for {:.3f} s (limit {} s)".format(target_age, self.limits.silence)
        elif state_age is None:
            fault = "no robot state yet"
        elif not 0.0 <= state_age <= self.limits.state:
            fault = "the robot state was {:.3f} s old (limit {} s)".format(state_age, self.limits.state)
        if fault is not None:
            self.trip(fault)
        elif self.reason is not None and not holds_legs:
            self.reason = None
        return self.reason is not None
