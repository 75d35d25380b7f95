"""When may a simulation in lockstep take its next step? See docs/architecture.md, Lockstep."""

from __future__ import annotations

_EPSILON = 1e-6
"""s; message stamps are rounded to nanoseconds, so steps on the border count as reached."""


class Lockstep:
    """Makes simulation time wait for the controller's commands and, if asked to, for the scenario."""

    def __init__(self, control_period: float, wait_for_run_until: bool = False, patience: float = 2.0) -> None:
        """Set the rules.

        Args:
            control_period: s between the states that the controller uses.
            wait_for_run_until: also wait for `/sim/run_until`.
            patience: s of wall time to wait for a command before the controller counts as gone.
        """
        self._period = control_period
        self._patience = patience
        self._run_until: float | None = 0.0 if wait_for_run_until else None
        self._command_stamp: float | None = None
        self._waiting_since: float | None = None

    @property
    def controller_gone(self) -> bool:
        """Whether no command is being waited for, as none has come yet or the patience ran out."""
        return self._command_stamp is None

    def command_arrived(self, state_stamp: float, time: float) -> None:
        """Note that a command came, computed from the state of `state_stamp`; `time` is the simulation time, s."""
        self._command_stamp = min(state_stamp, time)
        self._waiting_since = None

    def run_until(self, time: float) -> None:
        """Note how far the scenario lets the simulation go, s. No effect unless it is waited for."""
        if self._run_until is not None:
            self._run_until = time

    def may_step(self, time: float, step: float, wall: float) -> bool:
        """Return whether the simulation may go from `time` to `time + step`, s; `wall` is the wall time, s."""
        if self._run_until is not None and time + step > self._run_until + _EPSILON:
            self._waiting_since = None  # the controller may well have nothing to do while the scenario waits
            return False
        if self._command_stamp is None or time < self._command_stamp + self._period - _EPSILON:
            self._waiting_since = None
            return True
        if self._waiting_since is None:
            self._waiting_since = wall
        if wall - self._waiting_since < self._patience:
            return False
        self._command_stamp = self._waiting_since = None
        return True
