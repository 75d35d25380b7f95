"""What people in the browser want, on its way from the web server's threads to the node's loop. ROS-free."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

HOLD_TIME = 0.4
"""s that a velocity lasts after its button was last reported held: the dead man's time. Browsers report at 10 Hz."""


class Wishes:
    """Latest wishes; later ones replace earlier ones of the same kind, services are kept in order.

    Args:
        clock: s, monotonic.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._services: deque[str] = deque()
        self._target: tuple[Array, Array] | None = None
        self._gripper: float | None = None
        self._velocity = np.zeros(3)
        self._held = -np.inf
        self._moving = False

    def call(self, service: str) -> None:
        """Want a service called; wanted twice is wanted once."""
        with self._lock:
            if service not in self._services:
                self._services.append(service)

    def stop(self) -> None:
        """Take back everything: somebody wants the robot stopped."""
        with self._lock:
            self._services.clear()
            self._velocity, self._held, self._target = np.zeros(3), -np.inf, None
            self._gripper = None

    def aim(self, position: Array, orientation: Array) -> None:
        """Want the end effector at a position, m, shape (3,), turned as x, y, z, w, shape (4,)."""
        with self._lock:
            self._target = (np.array(position, dtype=float), np.array(orientation, dtype=float))

    def grip(self, travel: float) -> None:
        """Want the fingers at a travel, m."""
        with self._lock:
            self._gripper = float(travel)

    def drive(self, velocity: Array) -> None:
        """Want vx, vy (m/s), wz (rad/s) while a button is held: to be repeated, else it ends after `HOLD_TIME`."""
        with self._lock:
            self._velocity, self._held = np.array(velocity, dtype=float), self._clock()

    def release(self) -> None:
        """Let go of everything that is being held: somebody left."""
        with self._lock:
            self._held = -np.inf

    def take_services(self) -> list[str]:
        """Return the services to call now."""
        with self._lock:
            services = list(self._services)
            self._services.clear()
        return services

    def take_target(self) -> tuple[Array, Array] | None:
        """Return the newest target that was not taken yet."""
        with self._lock:
            target, self._target = self._target, None
        return target

    def take_gripper(self) -> float | None:
        """Return the newest gripper travel that was not taken yet, m."""
        with self._lock:
            travel, self._gripper = self._gripper, None
        return travel

    def velocity(self) -> Array | None:
        """Return the velocity to send now; one zero at the end of a drive; None while nobody drives."""
        with self._lock:
            if self._clock() - self._held <= HOLD_TIME:
                self._moving = True
                return self._velocity.copy()
            if not self._moving:
                return None
            self._moving = False
            return np.zeros(3)
