"""An environment and settings that are small enough to train in milliseconds, with the interface of the real one."""

from __future__ import annotations

from typing import Any

import torch
from tensordict import TensorDict

from training.runner_config import RunnerConfig

ACTIONS = 2


class TinyEnv:
    """Points on a plane that are paid for standing at the origin; two numbers seen, two actions."""

    def __init__(self, num_envs: int = 4) -> None:
        self.num_envs, self.num_actions, self.max_episode_length, self.device = num_envs, ACTIONS, 50, "cpu"
        self.cfg: dict[str, Any] = {}
        self.episode_length_buf = torch.zeros(num_envs, dtype=torch.long)
        self.progress: list[float] = []
        self.seeds: list[tuple[int, int]] = []
        self.steps = 0
        self.reseed(0, 0)

    def reseed(self, seed: int, iteration: int) -> None:
        self.seeds.append((seed, iteration))
        self._generator = torch.Generator().manual_seed(1000 * seed + iteration)
        self._position = torch.randn(self.num_envs, 2, generator=self._generator)

    def set_progress(self, fraction: float) -> None:
        self.progress.append(fraction)

    def get_observations(self) -> TensorDict:
        return TensorDict({"policy": self._position.clone()}, batch_size=[self.num_envs])

    def step(self, actions: torch.Tensor) -> tuple[TensorDict, torch.Tensor, torch.Tensor, dict[str, Any]]:
        self.steps += 1
        noise = torch.randn(self._position.shape, generator=self._generator)
        self._position = self._position + 0.1 * actions + 0.01 * noise
        distance = self._position.norm(dim=1)
        done = torch.zeros(self.num_envs, dtype=torch.long)
        extras = {"time_outs": done.bool(), "log": {"/distance": distance.mean().item()}}
        return self.get_observations(), -distance, done, extras


def tiny_config(**changes: Any) -> RunnerConfig:
    """Return settings of a loop for `TinyEnv`."""
    settings: dict[str, Any] = {
        "obs_groups": {"actor": ["policy"], "critic": ["policy"]},
        "actor": {
            "class_name": "MLPModel",
            "hidden_dims": [8],
            "obs_normalization": True,
            "distribution_cfg": {"class_name": "GaussianDistribution", "init_std": 0.5, "std_type": "log"},
        },
        "critic": {"class_name": "MLPModel", "hidden_dims": [8], "obs_normalization": True},
        "algorithm": {"class_name": "PPO", "num_learning_epochs": 2, "num_mini_batches": 2},
        "learning_rate": (1e-3, 1e-4),
        "num_steps_per_env": 8,
        "save_every": 2,
    }
    return RunnerConfig(**{**settings, **changes})


def fixed_std(actor: dict[str, Any]) -> dict[str, Any]:
    """Return the actor's settings with a standard deviation that is not learned."""
    return {**actor, "distribution_cfg": {**actor["distribution_cfg"], "learn_std": False}}
