"""Sensor noise and pushes for simulated robots, from a seed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from robot_bridge.types import Array, RobotState

POSITION_NOISE = 0.01
"""rad, uniform +- at scale 1. legged_gym and UMI-on-Legs."""
VELOCITY_NOISE = 0.5
"""rad/s. legged_gym has 1.5, which suits the Go1's encoders; the Go2's report far less. Assumed."""
GYRO_NOISE = 0.2
"""rad/s. legged_gym."""
ORIENTATION_NOISE = 0.05
"""rad about each axis, the size of legged_gym's 0.05 on the gravity vector."""
ACCELERATION_NOISE = 0.2
"""m/s2. Assumed."""


class SensorNoise:
    """Adds uniform noise to joints and IMU. The base's true pose and velocity stay true."""

    def __init__(self, scale: float, seed: int) -> None:
        self._scale = scale
        self._random = np.random.default_rng([seed, 1])

    def apply(self, state: RobotState) -> RobotState:
        """Return the state as noisy sensors would report it."""
        if self._scale == 0.0:
            return state
        return replace(
            state,
            position=state.position + self._uniform(state.position, POSITION_NOISE),
            velocity=state.velocity + self._uniform(state.velocity, VELOCITY_NOISE),
            orientation=_turned(state.orientation, self._uniform(np.zeros(3), ORIENTATION_NOISE)),
            angular_velocity=state.angular_velocity + self._uniform(state.angular_velocity, GYRO_NOISE),
            linear_acceleration=state.linear_acceleration + self._uniform(np.zeros(3), ACCELERATION_NOISE),
        )

    def _uniform(self, like: Array, size: float) -> Array:
        return self._scale * size * self._random.uniform(-1.0, 1.0, like.shape)


class Pushes:
    """Sudden changes of the base's horizontal velocity, evenly spaced in time, random in direction and size."""

    def __init__(self, interval: float, velocity: float, start: float, seed: int) -> None:
        self._interval, self._velocity, self._start = interval, velocity, start
        self._random = np.random.default_rng([seed, 2])

    def kick(self, now: float, period: float) -> Array | None:
        """Return the change of velocity, m/s in the world, shape (2,), due in [now, now + period); None if none is."""
        if self._interval == 0.0 or now < self._start:
            return None
        since = now - self._start
        if since > period / 2 and (since + period / 2) // self._interval == (since - period / 2) // self._interval:
            return None
        angle, size = self._random.uniform(0.0, 2.0 * np.pi), self._random.uniform(0.5, 1.0) * self._velocity
        return size * np.array([np.cos(angle), np.sin(angle)])


def _turned(quaternion: Array, vector: Array) -> Array:
    """Return a quaternion x, y, z, w turned by a small rotation vector in its own frame."""
    small = np.append(0.5 * vector, 1.0)
    xyz, w = quaternion[:3], quaternion[3]
    turned = np.append(w * small[:3] + small[3] * xyz + np.cross(xyz, small[:3]), w * small[3] - xyz @ small[:3])
    return turned / np.linalg.norm(turned)
