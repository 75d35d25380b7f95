"""The live status of a run: a panel on a terminal, one plain line per second elsewhere. ROS-free."""

from __future__ import annotations

import time
from dataclasses import dataclass
from types import TracebackType

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.live import Live
from rich.table import Table

from .player import Progress

PANEL_PERIOD = 0.2
LINE_PERIOD = 1.0
"""s of wall time between two updates."""


class Rate:
    """Counts events and gives their rate over the last second or so of wall time."""

    def __init__(self) -> None:
        self._since, self._count, self._rate = time.monotonic(), 0.0, 0.0

    def add(self, amount: float = 1.0) -> None:
        """Count an event, or something that adds up."""
        self._count += amount

    def value(self) -> float:
        """Return the rate per s of wall time."""
        passed = time.monotonic() - self._since
        if passed >= 1.0:
            self._rate, self._since, self._count = self._count / passed, time.monotonic(), 0.0
        return self._rate


@dataclass(frozen=True)
class Status:
    """What is shown."""

    progress: Progress
    time: float
    """s, stamp of the newest state."""
    speed: float
    """Simulated time as a multiple of wall time, lately."""
    mode: str
    reason: str
    state_rate: float
    """Hz of wall time, lately."""
    command_rate: float
    weights: NDArray[np.float64] | None
    """shape (groups, experts)"""
    groups: tuple[str, ...]
    experts: tuple[str, ...]


class LiveStatus:
    """Shows a status while the run goes on; a context manager."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console()
        self._live = Live(console=self._console, auto_refresh=False) if self._console.is_terminal else None
        self._next = 0.0

    def __enter__(self) -> LiveStatus:
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._live.stop()

    def due(self) -> bool:
        """Tell whether it is time for an update."""
        return time.monotonic() >= self._next

    def update(self, status: Status) -> None:
        """Show a status now."""
        self._next = time.monotonic() + (PANEL_PERIOD if self._live else LINE_PERIOD)
        if self._live:
            self._live.update(_panel(status), refresh=True)
        else:
            self._console.print(_line(status), highlight=False, soft_wrap=True)


def _goal_text(progress: Progress) -> str:
    return progress.phase if progress.goal is None else progress.goal.label


def _error_text(progress: Progress) -> str:
    return "-" if progress.ee_error is None else f"{100 * progress.ee_error:.1f} cm"


def _line(status: Status) -> str:
    weights = ""
    if status.weights is not None:
        rows = (
            f"{group} " + " ".join(f"{name} {value:.2f}" for name, value in zip(status.experts, row, strict=True))
            for group, row in zip(status.groups, status.weights, strict=True)
        )
        weights = " | " + ", ".join(rows)
    return (
        f"{status.time:7.2f} s | {status.mode or 'waiting':<11} | {_goal_text(status.progress):<14} | "
        f"EE error {_error_text(status.progress):>8} | states {status.state_rate:.0f} Hz, "
        f"commands {status.command_rate:.0f} Hz, x{status.speed:.2f}{weights}"
    )


def _bar(value: float, width: int = 24) -> str:
    full = round(min(max(value, 0.0), 1.0) * width)
    return f"[cyan]{'━' * full}[/][dim]{'━' * (width - full)}[/] {value:.2f}"


def _panel(status: Status) -> Table:
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_column(style="bold")
    table.add_column()
    color = {"ACTIVE": "green", "HOLD": "yellow", "DAMPING": "red", "ESTOP": "red"}.get(status.mode, "white")
    table.add_row("time", f"{status.time:.2f} s, x{status.speed:.2f} real time")
    table.add_row("gate", f"[{color}]{status.mode or 'waiting'}[/] {status.reason}")
    table.add_row("goal", _goal_text(status.progress))
    table.add_row("EE error", _error_text(status.progress))
    table.add_row("rates", f"states {status.state_rate:.0f} Hz, commands {status.command_rate:.0f} Hz")
    if status.weights is not None:
        for group, row in zip(status.groups, status.weights, strict=True):
            for expert, value in zip(status.experts, row, strict=True):
                table.add_row(f"{group}: {expert}", _bar(float(value)))
    table.add_row("falls", str(status.progress.falls))
    return table
