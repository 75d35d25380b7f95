"""Where the base is, from joints, IMU and foot contacts, over ground that is taken to be flat.

A foot on the ground does not slip; its round sole rolls. So each loaded foot tells how fast the base moves, and how
high it is. Between steps, and against noise, the accelerometer carries the velocity on. Heading is the IMU's; it
drifts, as does the position: nothing here knows the world. In plain floats, which cost a quarter of NumPy here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from go2_piper_description.joints import LEGS
from go2_piper_description.links import FOOT_RADIUS
from numpy.typing import NDArray
from robot_bridge.types import BaseState

from .leg_kinematics import Vector, foot

Array = NDArray[np.float64]

Rows = tuple[tuple[float, ...], ...]
_GRAVITY = (0.0, 0.0, 9.81)
_MAX_STEP = 0.1
"""s; after a longer gap the estimate goes on from the old place with the new legs."""


@dataclass(frozen=True)
class OdometryParams:
    """Tuned in the emulation; forces of the real Go2's feet are raw and uncalibrated."""

    contact_force: float = 15.0
    """Above it a foot is on the ground."""
    firm_force: float = 40.0
    """From here on it counts in full."""
    velocity_time: float = 0.02
    """s in which the legs' word replaces the accelerometer's."""
    height_time: float = 0.1
    """s in which the height follows that of the feet."""
    max_speed: float = 5.0
    """m/s; faster is nonsense, and the estimate starts from rest."""


class LegOdometry:
    """Feed it every state, in order."""

    def __init__(self, params: OdometryParams | None = None) -> None:
        self.params = params or OdometryParams()
        self._position = [0.0, 0.0, 0.0]
        self._velocity = [0.0, 0.0, 0.0]
        self._stamp: float | None = None

    def step(
        self,
        stamp: float,
        position: Array,
        velocity: Array,
        orientation: Array,
        gyro: Array,
        accel: Array,
        force: Array,
    ) -> BaseState | None:
        """Take in one measurement.

        Args:
            stamp: s.
            position: of the leg joints, rad, shape (12,), canonical order.
            velocity: rad/s, shape (12,).
            orientation: x, y, z, w, shape (4,).
            gyro: rad/s in `base_link`, shape (3,).
            accel: specific force, m/s2 in `base_link`, shape (3,).
            force: of the feet FL, FR, RL, RR, shape (4,).

        Returns:
            The base in `odom`; None where the measurement is not finite.
        """
        numbers = (*position.tolist(), *velocity.tolist(), *orientation.tolist(), *gyro.tolist(), *accel.tolist(),
                   *force.tolist())  # fmt: skip
        if not math.isfinite(sum(numbers)):  # a sum is finite only if all numbers are
            return None
        dt = 0.0 if self._stamp is None else min(max(stamp - self._stamp, 0.0), _MAX_STEP)
        first, self._stamp = self._stamp is None, stamp
        rotation = _rotation(*numbers[24:28])
        velocities, heights, weights = self._from_feet(numbers, rotation)
        total = sum(weights)
        change = _rotate(rotation, numbers[31], numbers[32], numbers[33])
        gain = min(dt / self.params.velocity_time, 1.0) * min(total, 1.0)
        for axis in range(3):
            speed = self._velocity[axis] + dt * (change[axis] - _GRAVITY[axis])
            if total > 0.0:
                seen = sum(w * v[axis] for w, v in zip(weights, velocities, strict=True)) / total
                speed += gain * (seen - speed)
            self._velocity[axis] = speed
        if not math.hypot(*self._velocity) < self.params.max_speed:
            self._velocity = [0.0, 0.0, 0.0]
        for axis in range(3):
            self._position[axis] += dt * self._velocity[axis]
        if total > 0.0:
            height = sum(w * h for w, h in zip(weights, heights, strict=True)) / total
            share = 1.0 if first else min(dt / self.params.height_time, 1.0)
            self._position[2] += share * (height - self._position[2])
        elif first:
            self._position[2] = max(heights)  # lying, no foot loaded: the lowest foot is the best guess
        turned = tuple(zip(*rotation, strict=True))
        return BaseState(np.array(self._position), orientation, np.array(_rotate(turned, *self._velocity)), gyro)

    @property
    def velocity(self) -> Array:
        """m/s in `odom`, shape (3,)."""
        return np.array(self._velocity)

    def _from_feet(self, numbers: tuple[float, ...], rotation: Rows) -> tuple[list[Vector], list[float], list[float]]:
        """Return for each foot the velocity of the base, its height, and how much it counts, if it stands."""
        params, (wx, wy, wz) = self.params, numbers[28:31]
        velocities, heights, weights = [], [], []
        for leg in range(len(LEGS)):
            q, dq = 3 * leg, 12 + 3 * leg
            (px, py, pz), (vx, vy, vz), (tx, ty, tz) = foot(
                leg, (numbers[q], numbers[q + 1], numbers[q + 2]), (numbers[dq], numbers[dq + 1], numbers[dq + 2])
            )
            moves = _rotate(rotation, vx + wy * pz - wz * py, vy + wz * px - wx * pz, vz + wx * py - wy * px)
            spin = _rotate(rotation, tx + wx, ty + wy, tz + wz)
            # a sole that rolls carries the foot's centre along: its velocity is spin x (0, 0, radius)
            velocities.append((FOOT_RADIUS * spin[1] - moves[0], -FOOT_RADIUS * spin[0] - moves[1], -moves[2]))
            heights.append(FOOT_RADIUS - _rotate(rotation, px, py, pz)[2])
            weight = (numbers[34 + leg] - params.contact_force) / (params.firm_force - params.contact_force)
            weights.append(min(max(weight, 0.0), 1.0))
        return velocities, heights, weights


def _rotation(x: float, y: float, z: float, w: float) -> Rows:
    norm = math.sqrt(x * x + y * y + z * z + w * w) or 1.0
    x, y, z, w = x / norm, y / norm, z / norm, w / norm
    return (
        (1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)),
        (2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)),
        (2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)),
    )


def _rotate(rotation: Rows, x: float, y: float, z: float) -> Vector:
    a, b, c = rotation
    return (a[0] * x + a[1] * y + a[2] * z, b[0] * x + b[1] * y + b[2] * z, c[0] * x + c[1] * y + c[2] * z)
