"""What a report shows, as arrays, from a recording or from the record of a run. ROS-free.

Times are s since the first state.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from go2_piper_description.joints import NUM_JOINTS
from numpy.typing import NDArray

from ..scenario.record import Record

Array = NDArray[np.float64]
Series = tuple[Array, Array]
"""Times, s, shape (n,), and values, shape (n, ...)."""


def no_series(*columns: int) -> Series:
    """Return a series without rows."""
    return np.empty(0), np.empty((0, *columns))


@dataclass
class RunData:
    """A run. Series that nobody recorded are empty."""

    source: str
    duration: float = 0.0
    """s"""
    problem: str = ""
    """What is wrong with the recording."""
    ee_error: Series = field(default_factory=no_series)
    """Distance of ee_link from its target, m; NaN where there is none."""
    weights: Series = field(default_factory=lambda: no_series(0, 0))
    """Shape (n, groups, experts)."""
    groups: tuple[str, ...] = ()
    experts: tuple[str, ...] = ()
    velocity: Series = field(default_factory=lambda: no_series(3))
    """vx, vy (m/s), wz (rad/s) in base_link."""
    velocity_command: Series = field(default_factory=lambda: no_series(3))
    torque: Series = field(default_factory=lambda: no_series(NUM_JOINTS))
    """N m, canonical order."""
    rates: Mapping[str, Series] = field(default_factory=dict)
    """Messages per s of wall time, by topic."""
    latency_ms: Array = field(default_factory=lambda: np.empty(0))
    """From publishing a state to publishing the command computed from it."""
    gate_events: tuple[tuple[float, str], ...] = ()
    """Time and "MODE: reason"."""
    diagnostics: Mapping[str, Series] = field(default_factory=dict)
    """Numbers of `/diagnostics`, by "status / key"."""

    @property
    def entropy(self) -> Series:
        """Entropy of the expert weights, nats, shape (n, groups)."""
        times, weights = self.weights
        safe = np.clip(weights, 1e-12, 1.0)
        return times, -np.sum(safe * np.log(safe), axis=-1)

    def matching(self, *words: str) -> dict[str, Series]:
        """Return the diagnostics whose name has one of these words."""
        return {name: series for name, series in self.diagnostics.items() if any(word in name for word in words)}


def from_record(record: Record, source: str) -> RunData:
    """Return what the record of an operator has."""
    start = float(record.time[0]) if len(record.time) else 0.0
    time = record.time - start
    motion = np.column_stack([record.base_linear_velocity[:, :2], record.base_angular_velocity[:, 2]])
    return RunData(
        source=source,
        duration=float(time[-1]) if len(time) else 0.0,
        ee_error=(time, record.ee_error()),
        weights=(record.weights_time - start, record.weights),
        groups=record.groups,
        experts=record.experts,
        velocity=(time, motion),
        velocity_command=(time, record.velocity_command()),
        gate_events=tuple((event.time - start, f"{event.mode}: {event.reason}") for event in record.gate_events),
    )
