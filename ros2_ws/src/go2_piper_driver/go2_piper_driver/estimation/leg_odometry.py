"""Where the base is, from joints, IMU and foot contacts, over ground that is taken to be flat.

A foot on the ground does not slip; its round sole rolls. So each loaded foot tells how fast the base moves, and how
high it is. Between steps, and against noise, the accelerometer carries the velocity on. Heading is the IMU's; it
drifts, as does the position: nothing here knows the world.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from go2_piper_description.joints import LEGS
from go2_piper_description.links import FOOT_RADIUS
from numpy.typing import NDArray
from robot_bridge.types import BaseState

from .leg_kinematics import foot

Array = NDArray[np.float64]

_GRAVITY = np.array([0.0, 0.0, -9.81])
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
        self.position = np.zeros(3)
        self.velocity = np.zeros(3)
        """m/s in `odom`."""
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
        everything = np.concatenate([position, velocity, orientation, gyro, accel, force])
        if not np.isfinite(everything).all():
            return None
        dt = 0.0 if self._stamp is None else min(max(stamp - self._stamp, 0.0), _MAX_STEP)
        self._stamp = stamp
        rotation = _rotation(orientation)
        self.velocity = self.velocity + dt * (rotation @ accel + _GRAVITY)
        seen, heights, weights = self._from_feet(position.tolist(), velocity.tolist(), rotation, gyro, force)
        total = float(weights.sum())
        if total > 0.0:
            gain = min(dt / self.params.velocity_time, 1.0) * min(total, 1.0)
            self.velocity = self.velocity + gain * (weights @ seen / total - self.velocity)
        if not np.linalg.norm(self.velocity) < self.params.max_speed:
            self.velocity = np.zeros(3)
        first = dt == 0.0
        self.position = self.position + dt * self.velocity
        height = float(weights @ heights / total) if total > 0.0 else float(heights.max())
        if first and total == 0.0:
            self.position[2] = height  # lying, the feet in the air: the lowest foot is the best guess
        elif total > 0.0:
            share = 1.0 if first else min(dt / self.params.height_time, 1.0)
            self.position[2] += share * (height - self.position[2])
        return BaseState(self.position.copy(), orientation, rotation.T @ self.velocity, gyro)

    def _from_feet(
        self, q: list[float], dq: list[float], rotation: Array, gyro: Array, force: Array
    ) -> tuple[Array, Array, Array]:
        """Return for each foot the velocity of the base, its height, and how much it counts, if it stands."""
        places, speeds, turns = [], [], []
        for leg in range(len(LEGS)):
            row = slice(3 * leg, 3 * leg + 3)
            place, speed, turn = foot(leg, tuple(q[row]), tuple(dq[row]))  # type: ignore[arg-type]
            places.append(place)
            speeds.append(speed)
            turns.append(turn)
        centres = np.array(places)
        relative = (np.array(speeds) + np.cross(gyro, centres)) @ rotation.T
        spin = (np.array(turns) + gyro) @ rotation.T
        # a sole that rolls carries the foot's centre along: centre velocity = spin x (0, 0, radius)
        rolling = FOOT_RADIUS * np.column_stack([spin[:, 1], -spin[:, 0], np.zeros(len(LEGS))])
        heights = FOOT_RADIUS - (centres @ rotation.T)[:, 2]
        params = self.params
        weights = np.clip((force - params.contact_force) / (params.firm_force - params.contact_force), 0.0, 1.0)
        return rolling - relative, heights, weights


def _rotation(quaternion: Array) -> Array:
    x, y, z, w = (quaternion / np.linalg.norm(quaternion)).tolist()
    return np.array([
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ])  # fmt: skip
