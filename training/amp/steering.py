"""The steering task: walk in a direction of the world at a speed; both change every few seconds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .features import MotionState

Array = NDArray[np.float64]
Range = tuple[float, float]
TURN_GAIN = 2.0
"""1/s: turn rate shown per heading error; with it the reference policy steers to 0.4 degrees (amp_recipe.md 1)."""


@dataclass(frozen=True)
class SteeringConfig:
    """What is asked for, and what it pays."""

    speed: Range = (0.2, 1.0)
    """m/s"""
    turn: float = 1.5708
    """rad, largest change of the direction."""
    interval: Range = (4.0, 8.0)
    """s between changes."""
    turn_rate: float = 0.8
    """rad/s, largest turn rate shown to the policy."""
    velocity_weight: float = 0.6
    """Part of the reward that velocity pays; heading pays the rest."""

    def __post_init__(self) -> None:
        if not 0.0 <= self.speed[0] <= self.speed[1]:
            raise ValueError(f"speed {self.speed}: wanted lowest and highest, not negative")
        if not 0.0 < self.interval[0] <= self.interval[1]:
            raise ValueError(f"interval {self.interval}: wanted shortest and longest, above 0")


class Steering:
    """Targets of N robots.

    Args:
        config: of the task.
        count: N.
        period: of control, s.
        rng: draws targets; the caller may restart it.
    """

    def __init__(self, config: SteeringConfig, count: int, period: float, rng: np.random.Generator) -> None:
        self.config, self._period, self._rng = config, period, rng
        self.direction, self.speed = np.zeros(count), np.zeros(count)
        """rad in the world; m/s."""
        self.age = np.zeros(count)
        """s since the last change."""
        self._left = np.zeros(count)

    def begin(self, ids: NDArray[np.int64], yaw: Array) -> None:
        """Draw first targets near the headings `yaw`, rad, (len(ids),)."""
        self.direction[ids] = yaw
        self._draw(ids)

    def step(self) -> None:
        """Let time pass; some targets change."""
        self.age += self._period
        self._left -= self._period
        self._draw(np.flatnonzero(self._left <= 0.0))

    def _draw(self, ids: NDArray[np.int64]) -> None:
        c, n = self.config, len(ids)
        self.direction[ids] += self._rng.uniform(-c.turn, c.turn, n)
        self.speed[ids] = self._rng.uniform(*c.speed, n)
        self._left[ids] = self._rng.uniform(*c.interval, n)
        self.age[ids] = 0.0

    def heading_error(self, yaw: Array) -> Array:
        """Return how far the direction is to the left of the headings, rad, -pi to pi, (N,)."""
        return heading_error(self.direction, yaw)

    def command(self, yaw: Array) -> Array:
        """Return the target as the velocity command (vx, vy, wz) that the stack's policies know, (N, 3).

        So the same network follows `/cmd_vel`. Far from the direction it is told to turn, near it to walk.
        """
        error = self.heading_error(yaw)
        rate = np.clip(TURN_GAIN * error, -self.config.turn_rate, self.config.turn_rate)
        return np.stack([self.speed * np.maximum(np.cos(error), 0.0), np.zeros_like(rate), rate], axis=1)

    def reward(self, state: MotionState) -> Array:
        """Return the task's reward, 0 to 1, (N,).

        Wide and sharp kernels together: without the wide one the target is never found, without the sharp ones slow
        targets are walked 0.06 m/s too fast, as fast as the reference likes to walk.
        """
        along = np.stack([np.cos(self.direction), np.sin(self.direction)], axis=1)
        velocity = (state.turn @ state.velocity[..., None])[:, :2, 0]
        squared = np.sum((velocity - self.speed[:, None] * along) ** 2, axis=1)
        error = self.heading_error(state.yaw)
        walking = 0.4 * np.exp(-squared / 0.25) + 0.3 * np.exp(-squared / 0.04) + 0.3 * np.exp(-squared / 0.01)
        facing = 0.25 * (1.0 + np.cos(error)) + 0.5 * np.exp(-((error / 0.25) ** 2))
        weight = self.config.velocity_weight
        return weight * walking + (1.0 - weight) * facing

    def errors(self, state: MotionState) -> tuple[Array, Array]:
        """Return speed along the direction minus target, m/s, and heading error, rad, (N,) each."""
        return tracking_errors(state, self.direction, self.speed)


def heading_error(direction: Array, yaw: Array) -> Array:
    """Return how far directions are to the left of headings, rad, -pi to pi, (N,)."""
    return (direction - yaw + np.pi) % (2.0 * np.pi) - np.pi


def tracking_errors(state: MotionState, direction: Array, speed: Array) -> tuple[Array, Array]:
    """Return speed along a direction minus target, m/s, and heading error, rad, (N,) each."""
    velocity = (state.turn @ state.velocity[..., None])[:, :2, 0]
    along = velocity[:, 0] * np.cos(direction) + velocity[:, 1] * np.sin(direction)
    return along - speed, heading_error(direction, state.yaw)
