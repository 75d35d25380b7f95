"""From keys or sticks to a velocity and an end-effector target, with a dead man's time. ROS-free."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from go2_piper_description.joints import GRIPPER
from numpy.typing import NDArray

Array = NDArray[np.float64]

DEAD_MAN_TIME = 0.4
"""s that motion lasts without news: keyboards repeat a held key at 20 to 30 Hz after a pause of up to 0.5 s at first,
gamepads report at 10 Hz or more."""
WORKSPACE_LOW = np.array([-0.3, -0.7, -0.25])
WORKSPACE_HIGH = np.array([0.8, 0.7, 0.9])
"""m in base_link; targets are kept inside of it."""
START = np.array([0.4, 0.0, 0.35])
"""m in base_link: the first target."""


@dataclass
class Speeds:
    """What full deflection means."""

    forward: float = 0.4
    """m/s"""
    sideways: float = 0.2
    """m/s"""
    turn: float = 0.6
    """rad/s"""
    target: float = 0.15
    """m/s of the end-effector target."""
    gripper: float = 0.03
    """m/s of each finger."""


@dataclass
class Motion:
    """Integrates what is held. Deflections are -1 to 1.

    Args:
        clock: s, monotonic.
        speeds: of full deflection.
    """

    clock: Callable[[], float]
    speeds: Speeds = field(default_factory=Speeds)

    def __post_init__(self) -> None:
        self.target = START.copy()
        """m in base_link, shape (3,)."""
        self.gripper = 0.0
        """m of each finger."""
        self._base = np.zeros(3)
        self._arm = np.zeros(3)
        self._grip = 0.0
        self._heard = -np.inf
        self._stepped = self.clock()
        self._was_moving = False

    def hold(self, base: Array, arm: Array, grip: float = 0.0) -> None:
        """Take what is held now; repeat it, or it ends.

        Args:
            base: forward, left, turn left, shape (3,).
            arm: forward, left, up, shape (3,).
            grip: opening.
        """
        values = np.concatenate([base, arm, [grip]])
        if not np.all(np.isfinite(values)):
            self.release()
            return
        limited = np.clip(values, -1.0, 1.0)
        self._base, self._arm, self._grip = limited[:3], limited[3:6], float(limited[6])
        self._heard = self.clock()

    def release(self) -> None:
        """Let go."""
        self._heard = -np.inf

    @property
    def alive(self) -> bool:
        """Whether something has been held within the dead man's time."""
        return self.clock() - self._heard <= DEAD_MAN_TIME

    def step(self) -> tuple[Array | None, bool, bool]:
        """Let time pass.

        Returns:
            The velocity to send, one zero at the end of a motion, None while nothing is held; whether the target has
            changed; whether the gripper has.
        """
        now = self.clock()
        elapsed, self._stepped = min(now - self._stepped, 0.1), now
        if not self.alive:
            ended, self._was_moving = self._was_moving, False
            return (np.zeros(3) if ended else None), False, False
        target = np.clip(self.target + self.speeds.target * elapsed * self._arm, WORKSPACE_LOW, WORKSPACE_HIGH)
        gripper = float(
            np.clip(self.gripper + self.speeds.gripper * elapsed * self._grip, GRIPPER.lower, GRIPPER.upper)
        )
        moved, gripped = bool(np.any(target != self.target)), gripper != self.gripper
        self.target, self.gripper = target, gripper
        moving = bool(np.any(self._base))
        ended, self._was_moving = self._was_moving and not moving, moving
        scale = np.array([self.speeds.forward, self.speeds.sideways, self.speeds.turn])
        return (self._base * scale if moving or ended else None), moved, gripped
