"""How each coordinate follows its command: a second-order lag, x'' = w^2 (g u + d - x) - 2 z w x', decoupled.

x is the coordinate, u its command, d an offset (payload, weak gains), w the frequency, z the damping, g the gain.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from .coordinates import COORDINATES, NUM_COORDINATES

Array = NDArray[np.float64]

_FITTED: dict[str, tuple[float, float]] = {
    "x": (13.4, 0.73), "y": (37.7, 2.59), "z": (18.8, 0.43),
    "roll": (46.8, 2.15), "pitch": (33.3, 1.14), "yaw": (19.6, 0.62),
    "piper_joint1": (25.8, 0.90), "piper_joint2": (17.3, 0.67), "piper_joint3": (21.2, 0.63),
    "piper_joint4": (42.5, 3.3), "piper_joint5": (33.3, 2.6), "piper_joint6": (44.0, 3.5),
}  # fmt: skip
"""Frequency, rad/s, and damping ratio, fitted to steps in MuJoCo with posture feedback (trials of the reduced planner).
Closed loops hardly notice errors of a factor of 2 here."""


def _fitted(column: int) -> Array:
    return np.array([_FITTED[name][column] for name in COORDINATES])


@dataclass(frozen=True)
class LagStep:
    """A lag over one time step under a constant command, exact: [x, v] <- transition [x, v] + drive (g u + d)."""

    transition: Array
    """shape (12, 2, 2)."""
    drive: Array
    """shape (12, 2)."""

    def apply(self, position: Array, velocity: Array, target: Array) -> tuple[Array, Array]:
        """Return position and velocity after the step, each of shape (12,).

        Args:
            position: m and rad, shape (12,).
            velocity: m/s and rad/s, shape (12,).
            target: where it comes to rest, g u + d, shape (12,).
        """
        t, b = self.transition, self.drive
        return (
            t[:, 0, 0] * position + t[:, 0, 1] * velocity + b[:, 0] * target,
            t[:, 1, 0] * position + t[:, 1, 1] * velocity + b[:, 1] * target,
        )


@dataclass(frozen=True, eq=False)
class LagParameters:
    """Parameters of the lag of each coordinate. Raises ValueError, in one line, if one cannot be."""

    frequency: Array = field(default_factory=lambda: _fitted(0))
    """Natural frequency, rad/s, shape (12,)."""
    damping: Array = field(default_factory=lambda: _fitted(1))
    """Damping ratio, shape (12,)."""
    gain: Array = field(default_factory=lambda: np.ones(NUM_COORDINATES))
    """Of the command at rest, shape (12,). 1: gains fitted over 0.6 s (up to 1.13) are overshoot and creep, and cost
    1 mm in closed loop."""

    def __post_init__(self) -> None:
        for name in ("frequency", "damping", "gain"):
            value = np.asarray(getattr(self, name), dtype=np.float64)
            if value.shape != (NUM_COORDINATES,):
                raise ValueError(f"lag.{name} has shape {value.shape}: it must be ({NUM_COORDINATES},)")
            for coordinate, number in zip(COORDINATES, value, strict=True):
                if not (np.isfinite(number) and number > 0.0):
                    raise ValueError(f"lag.{name} of {coordinate} is {number}: it must be finite and above 0")
            object.__setattr__(self, name, value)

    def discrete(self, dt: float) -> LagStep:
        """Return the exact step over `dt`, the matrix exponential in closed form.

        Args:
            dt: s, 0 or more; counted in nanoseconds, so that steps which differ by rounding are computed once.
        """
        if not (np.isfinite(dt) and dt >= 0.0):
            raise ValueError(f"lag: a step of {dt} s is not possible")
        return _step(self, round(dt, 9))

    def target(self, command: Array, offset: Array) -> Array:
        """Return where the coordinates come to rest, m and rad, shape (12,).

        Args:
            command: shape (12,).
            offset: estimated, shape (12,).
        """
        return self.gain * command + offset


@lru_cache(maxsize=256)
def _step(lag: LagParameters, dt: float) -> LagStep:
    decay = lag.damping * lag.frequency
    root = lag.frequency * np.sqrt(lag.damping.astype(np.complex128) ** 2 - 1.0)
    slow, fast = np.exp((root - decay) * dt), np.exp((-root - decay) * dt)
    even = (0.5 * (slow + fast)).real
    # (slow - fast) / (2 root); at critical damping, where the root vanishes, its limit
    critical = np.abs(root * dt) < 1e-6
    quotient = ((slow - fast) / np.where(critical, 1.0, 2.0 * root)).real
    odd = np.where(critical, dt * np.exp(-decay * dt), quotient)
    square = lag.frequency**2
    transition = np.empty((NUM_COORDINATES, 2, 2))
    transition[:, 0, 0] = even + decay * odd
    transition[:, 0, 1] = odd
    transition[:, 1, 0] = -square * odd
    transition[:, 1, 1] = even - decay * odd
    drive = np.stack([1.0 - transition[:, 0, 0], square * odd], axis=1)
    return LagStep(transition, drive)
