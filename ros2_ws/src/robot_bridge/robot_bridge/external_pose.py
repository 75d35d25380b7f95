"""The base's pose from outside (motion capture, visual-inertial odometry) in the place of the plant's own. ROS-free.

A pose that stays away or jumps is worse than none: targets in `odom` would move with it. The robot then sits down.
"""

from __future__ import annotations

import math

import numpy as np

from .types import Array, BaseState

MAX_AGE = 0.2
"""s without a pose; UMI-on-Legs met delays of 0.14 s with a telephone as camera."""
MAX_JUMP = 0.15
"""m between two poses, beside `MAX_SPEED`. Assumed."""
MAX_SPEED = 3.0
"""m/s that a base may move; the Go2 is sold with 3.7 m/s, the policy walks at 0.8."""
MAX_TURN = 0.5
"""rad between two poses. Assumed."""
CALM_TIME = 1.0
"""s after a jump until poses are believed again."""
_SMOOTHING = 0.05
"""s over which the velocity is averaged."""


class ExternalPose:
    """Feed it poses as they arrive; times are s on one monotonic clock."""

    def __init__(self) -> None:
        self._arrived: float | None = None
        self._position = np.zeros(3)
        self._orientation = np.array([0.0, 0.0, 0.0, 1.0])
        self._velocity = np.zeros(3)
        self._jumped: tuple[float, str] | None = None

    def add(self, arrived: float, position: Array, orientation: Array) -> None:
        """Take in a pose of `base_link` in `odom`; one that is no pose counts as none.

        Args:
            arrived: s.
            position: m, shape (3,).
            orientation: quaternion x, y, z, w, shape (4,).
        """
        norm = float(np.linalg.norm(orientation))
        if not (np.isfinite(position).all() and 0.9 < norm < 1.1):  # also catches what is not a number
            return
        orientation = orientation / norm
        if self._arrived is not None:
            elapsed = max(arrived - self._arrived, 1e-6)
            self._look_for_jump(arrived, elapsed, position, orientation)
            share = min(elapsed / _SMOOTHING, 1.0)
            self._velocity = self._velocity + share * ((position - self._position) / elapsed - self._velocity)
        self._arrived, self._position, self._orientation = arrived, position, orientation

    def _look_for_jump(self, arrived: float, elapsed: float, position: Array, orientation: Array) -> None:
        moved = float(np.linalg.norm(position - self._position))
        turned = 2.0 * math.acos(min(abs(float(orientation @ self._orientation)), 1.0))
        if moved > MAX_JUMP + MAX_SPEED * elapsed:
            self._jumped = (arrived, f"external pose jumped by {moved:.2f} m")
        elif turned > MAX_TURN:
            self._jumped = (arrived, f"external pose turned by {turned:.2f} rad at once")
        if self._jumped is not None and self._jumped[0] == arrived:
            self._velocity = np.zeros(3)
            self._position = position

    def fault(self, now: float) -> str | None:
        """Return why the pose cannot be trusted, or None."""
        if self._arrived is None:
            return "no external pose yet"
        if not now - self._arrived <= MAX_AGE:
            return f"external pose is {now - self._arrived:.2f} s old (limit {MAX_AGE} s)"
        if self._jumped is not None and now - self._jumped[0] <= CALM_TIME:
            return self._jumped[1]
        return None

    def base(self, angular_velocity: Array) -> BaseState | None:
        """Return where the base is by the newest pose, None before the first.

        Args:
            angular_velocity: of the IMU, rad/s in `base_link`, shape (3,).
        """
        if self._arrived is None:
            return None
        x, y, z, w = self._orientation
        axis = np.array([x, y, z])
        v = self._velocity
        turned = v * (2.0 * w * w - 1.0) - 2.0 * w * np.cross(axis, v) + 2.0 * axis * float(axis @ v)
        return BaseState(self._position, self._orientation, turned, angular_velocity)
