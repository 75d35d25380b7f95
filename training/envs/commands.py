"""Random velocity commands and a random arm script for the environment."""

from __future__ import annotations

import numpy as np
from go2_piper_description.joints import ARM_SLICE, joint_array
from moe_controller.contract import VelocityLimits
from numpy.typing import NDArray

Array = NDArray[np.float64]


def sample_velocity_commands(rng: np.random.Generator, count: int, limits: VelocityLimits, slow_share: float) -> Array:
    """Draw (vx, vy, wz), m/s and rad/s, shape (count, 3).

    A share of them is scaled down at random, and components left out at random: uniform draws alone hold next to no
    slow commands, and a policy that is paid for standing still would then stand through them.
    """
    low, high = np.array([limits.vx, limits.vy, limits.wz]).T
    commands = rng.uniform(low, high, (count, 3))
    slow = rng.random(count) < slow_share
    commands[slow] *= rng.uniform(0.15, 1.0, (int(slow.sum()), 1))
    commands[slow] *= rng.random((int(slow.sum()), 3)) < 0.6
    return commands


class ArmScript:
    """Smooth random arm motion that disturbs the legs: joints glide between random poses at up to 1.5 rad/s."""

    def __init__(self, num_envs: int, rng: np.random.Generator) -> None:
        self._rng = rng
        self._low, self._high = joint_array("lower")[ARM_SLICE], joint_array("upper")[ARM_SLICE]
        home = joint_array("stand")[ARM_SLICE]
        self._position = np.tile(home, (num_envs, 1))
        self._goal = self._position.copy()
        self._home = home

    def reset(self, ids: NDArray[np.int64]) -> None:
        """Start again from the home pose."""
        self._position[ids] = self._home
        self._goal[ids] = self._home

    def step(self, period: float) -> Array:
        """Advance by `period` s; return joint targets in rad, shape (num_envs, 6)."""
        renew = self._rng.random(len(self._goal)) < period / 1.5
        # mostly about home: the corners of the joint space fold the arm into the trunk
        spread = np.array([1.2, 0.7, 0.7, 0.8, 0.8, 0.8])
        goals = self._home + self._rng.uniform(-1.0, 1.0, (int(renew.sum()), 6)) * spread
        self._goal[renew] = np.clip(goals, self._low, self._high)
        self._position += np.clip(self._goal - self._position, -1.5 * period, 1.5 * period)
        return self._position
