"""Tiny policies, environments and rollouts for the tests of this folder."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from go2_piper_description.joints import NUM_JOINTS
from moe_controller.observation import DEFAULT_TERMS

from training.envs.config import EnvConfig, Mode, Randomization
from training.models.policy import Policy, PolicyOutputs
from training.models.routers import Observations
from training.playback.rollout import Rollout, Step

WALK, REACH = Mode(0.5, walk=True, zero_command=0.0), Mode(0.5, walk=False, reach=True, stand=True)
CONFIG = EnvConfig(
    num_envs=3, modes={"walk": WALK, "reach": REACH}, randomization=Randomization.none(), episode_length=2.0
)


class Constant(Policy):
    """Always the same action and weights."""

    def __init__(self, action: float = 0.0, weights: tuple[tuple[float, ...], ...] = ((0.7, 0.3), (0.2, 0.8))) -> None:
        self.name, self.experts, self.groups = "constant", ("base", "arm"), ("legs", "arm")
        self.observation = DEFAULT_TERMS
        self._action, self._weights = action, torch.tensor(weights)

    def run(self, obs: Observations) -> PolicyOutputs:
        """Return the constants for each robot."""
        n = len(obs["policy"])
        actions = torch.full((n, NUM_JOINTS), self._action)
        return PolicyOutputs(actions, self._weights.expand(n, -1, -1), actions[:, None].expand(-1, 2, -1))


def made_up(weights: np.ndarray, change: Callable[[dict[str, np.ndarray]], None] = lambda values: None) -> Rollout:
    """Return a rollout of standing robots with these weights, (T, N, G, E); `change` may alter its other columns."""
    t, n = weights.shape[:2]
    turn = np.tile(np.array([0.0, 0.0, 0.0, 1.0], np.float32), (t, n, 1))
    sizes = {
        "base_position": 3, "base_linear_velocity": 3, "base_angular_velocity": 3, "joint_position": NUM_JOINTS,
        "joint_velocity": NUM_JOINTS, "joint_torque": NUM_JOINTS, "ee_position": 3, "target_position": 3, "command": 3,
        "action": NUM_JOINTS,
    }  # fmt: skip
    values: dict[str, np.ndarray] = {name: np.zeros((t, n, size), np.float32) for name, size in sizes.items()}
    values |= {name: turn.copy() for name in ("base_orientation", "ee_orientation", "target_orientation")}
    values |= {name: np.ones((t, n), bool) for name in ("walks", "reaches")}
    values |= {"fell": np.zeros((t, n), bool), "mode": np.zeros((t, n), np.int64), "weights": weights}
    values |= {"reward": np.ones((t, n), np.float32), "expert_actions": np.zeros((t, n, 2, NUM_JOINTS), np.float32)}
    change(values)
    groups = ("legs", "arm")[: weights.shape[2]]
    return Rollout(Step(**values), 0.02, "made up", ("base", "arm"), groups, ("walk", "reach"))
