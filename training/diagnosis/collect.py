"""Run a mixture in its environment, with exploration noise, through walking, reaching and both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from tensordict import TensorDict

from ..checkpoint import CheckpointError
from ..configuration import one_line
from ..envs.config import EnvConfig, Mode
from ..envs.go2_piper_env import Go2PiperEnv
from ..models.policy import TorchPolicy
from ..structured import ConfigError, from_dict
from .measures import NOISE
from .samples import Samples

MODES = {
    "walk": Mode(1.0, walk=True, arm_neutral=True, home_target=1.0, zero_command=0.0),
    "reach": Mode(1.0, walk=True, reach=True, zero_command=1.0),
    "both": Mode(1.0, walk=True, reach=True, zero_command=0.0),
}
DISCOUNT, HORIZON = 0.97, 50
"""Of the advantages: rewards of the following second count."""
WARM_UP = 50
"""Steps that are left out: the robots start in the same pose."""


def env_config(policy: TorchPolicy, overrides: Sequence[str] = ()) -> EnvConfig:
    """Return the environment that a checkpoint was trained in, with the modes walk, reach and both.

    Args:
        policy: the checkpoint.
        overrides: `field=value`, dotted, as on the command line of the training.

    Raises:
        CheckpointError: the card has no environment.
        ConfigError: unknown fields or values of the wrong kind.
    """
    settings = policy.card.config.get("env")
    if not isinstance(settings, Mapping):
        raise CheckpointError(f"{policy.name}: its card has no environment (env) to run it in")
    values: dict[str, Any] = {**settings, "num_envs": 96, "phases": False}
    values.pop("modes", None)
    try:
        merged = OmegaConf.merge(OmegaConf.create(values), OmegaConf.from_dotlist(list(overrides)))
        config = from_dict(EnvConfig, OmegaConf.to_container(merged), "env")
    except OmegaConfBaseException as error:
        raise ConfigError(f"--env: {one_line(error)}") from error
    modes = config.modes if any(override.startswith("modes.") for override in overrides) else MODES
    card = policy.card
    return replace(config, modes=modes, observation=card.observation, router_observation=card.router_observation)


def collect(policy: TorchPolicy, config: EnvConfig, steps: int) -> Samples:
    """Run the policy with exploration noise for some control steps.

    Args:
        policy: a mixture.
        config: of the environment.
        steps: that are kept; some more come first and some after, for the advantages.
    """
    env = Go2PiperEnv(config)
    generator = torch.Generator().manual_seed(config.seed)
    rows: list[tuple[Any, ...]] = []
    rewards, dones = [], []
    obs = env.get_observations()
    with torch.no_grad():
        for _ in range(WARM_UP + steps + HORIZON):
            outputs = policy.run(obs)
            actions = outputs.action + NOISE * torch.randn(outputs.action.shape, generator=generator)
            mode, command = env.mode.copy(), env.command.copy()
            following, reward, done, _ = env.step(actions)
            rows.append((obs, outputs.weights, outputs.expert_actions, actions, mode, command,
                         env.ee_error.copy()))  # fmt: skip
            rewards.append(reward)
            dones.append(done)
            obs = following
        kept = slice(WARM_UP, WARM_UP + steps)
        modes = torch.from_numpy(np.stack([row[4] for row in rows]))
        advantage = advantages(torch.stack(rewards), torch.stack(dones), modes)[kept].flatten()
        obs_rows, weights, experts, taken, mode_rows, commands, errors = zip(*rows[kept], strict=True)
        return Samples(
            TensorDict.cat(list(obs_rows)), torch.cat(weights), torch.cat(experts), torch.cat(taken), advantage,
            np.concatenate(mode_rows), tuple(env.mode_names), np.concatenate(commands), np.concatenate(errors),
        )  # fmt: skip


def advantages(rewards: torch.Tensor, dones: torch.Tensor, modes: torch.Tensor) -> torch.Tensor:
    """Return discounted rewards to go within HORIZON, less the mean over the robots in the same mode, scaled to std 1.

    Args:
        rewards: (T, N).
        dones: (T, N), 1 where an episode ended with the step.
        modes: (T, N), whole numbers.
    """
    total, alive, factor = torch.zeros_like(rewards), torch.ones_like(rewards), 1.0
    for ahead in range(min(HORIZON, len(rewards))):
        rest = len(rewards) - ahead
        total[:rest] += factor * alive[:rest] * rewards[ahead:]
        alive[:rest] *= 1.0 - dones[ahead:].to(rewards.dtype)
        factor *= DISCOUNT
    for mode in modes.unique():  # modes are paid differently; what counts is who did well in the same one
        same = (modes == mode).to(rewards.dtype)
        mean = (total * same).sum(dim=1, keepdim=True) / same.sum(dim=1, keepdim=True).clamp(min=1.0)
        total = total - same * mean
    return total / (total.std() + 1e-8)
