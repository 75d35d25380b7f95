"""A problem in which the right expert is known: the sign of the forward command says whose action is rewarded.

Expert `base` always answers +1, expert `arm` always -1. With a positive command the legs should do what `base` says and
the arm what `arm` says, with a negative one the other way round. Episodes last one step.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from go2_piper_description.joints import ARM_SLICE, NUM_JOINTS
from moe_controller.observation import DEFAULT_TERMS, ROUTER_TERMS
from tensordict import TensorDict

from tests.training.models.fixtures import CARD, ROUTER_SIZE, SIZE
from training.algorithms.ppo_moe import PPOMoE
from training.checkpoint import save_checkpoint
from training.models.expert import Expert
from training.models.routers.columns import find_term


class TinyEnv:
    """As much of rsl_rl's VecEnv as the algorithm needs."""

    num_actions = NUM_JOINTS

    def __init__(self, num_envs: int = 32) -> None:
        self.num_envs = num_envs
        self._generator = torch.Generator().manual_seed(0)
        _, policy = find_term(DEFAULT_TERMS, "velocity_command")
        _, router = find_term(ROUTER_TERMS, "velocity_command")
        self._columns = (policy.start, slice(router.start, router.stop, 3))
        self._draw()

    def get_observations(self) -> TensorDict:
        """Return faint noise, with the command where it belongs."""
        n = self.num_envs
        policy = 0.003 * torch.randn(n, SIZE, generator=self._generator)
        router = 0.003 * torch.randn(n, ROUTER_SIZE, generator=self._generator)
        policy[:, self._columns[0]] = self.command
        router[:, self._columns[1]] = self.command[:, None]
        return TensorDict({"policy": policy, "router": router}, batch_size=[n])

    def step(self, actions: torch.Tensor) -> tuple[TensorDict, torch.Tensor, torch.Tensor, dict[str, Any]]:
        """Reward the right action and draw the next command."""
        wanted = self.command[:, None].sign().repeat(1, NUM_JOINTS)
        wanted[:, ARM_SLICE] *= -1.0
        reward = -((actions - wanted) ** 2).mean(dim=1)
        self._draw()
        return self.get_observations(), reward, torch.ones(self.num_envs, dtype=torch.long), {}

    def right_weights(self) -> torch.Tensor:
        """Return the weights that a perfect router gives to the present observations, (N, 2, 2)."""
        base = (self.command > 0).float()
        legs = torch.stack([base, 1.0 - base], dim=-1)
        return torch.stack([legs, 1.0 - legs], dim=1)

    def _draw(self) -> None:
        self.command = torch.randint(0, 2, (self.num_envs,), generator=self._generator) * 2.0 - 1.0


def write_constant_experts(folder: Path) -> list[str]:
    """Write the checkpoints of `base` (always +1) and `arm` (always -1)."""
    paths = []
    for name, value in (("base", 1.0), ("arm", -1.0)):
        expert = Expert(SIZE, NUM_JOINTS, (4,))
        with torch.no_grad():
            for parameter in expert.mlp[-1].parameters():
                parameter.zero_()
            expert.mlp[-1].bias.fill_(value)
        save_checkpoint(folder / f"{name}.safetensors", expert.state_dict(), CARD)
        paths.append(str(folder / f"{name}.safetensors"))
    return paths


def make_algorithm(env: TinyEnv, actor: dict[str, Any], **algorithm: Any) -> PPOMoE:
    """Return PPOMoE on the tiny problem."""
    torch.manual_seed(0)
    config = {
        "num_steps_per_env": 8,
        "multi_gpu": None,
        "obs_groups": {"actor": ["policy"], "critic": ["policy"]},
        "actor": {
            "class_name": "training.models.actor_critic_moe:ActorCriticMoE",
            "distribution_cfg": {
                "class_name": "GaussianDistribution", "init_std": 0.2, "std_type": "log", "learn_std": False,
            },
            **actor,
        },
        "critic": {"class_name": "MLPModel", "hidden_dims": [16], "activation": "elu"},
        "algorithm": {
            "class_name": "training.algorithms.ppo_moe:PPOMoE",
            "num_learning_epochs": 4, "num_mini_batches": 1, "learning_rate": 0.005, "schedule": "fixed",
            "entropy_coef": 0.0, **algorithm,
        },
    }  # fmt: skip
    made = PPOMoE.construct_algorithm(env.get_observations(), env, config, "cpu")
    made.train_mode()
    return made


def train(algorithm: PPOMoE, env: TinyEnv, iterations: int) -> list[dict[str, float]]:
    """Run the loop of a runner; return the losses of each iteration."""
    rows = []
    obs = env.get_observations()
    for _ in range(iterations):
        with torch.inference_mode():
            for _ in range(8):
                obs, reward, done, extras = env.step(algorithm.act(obs))
                algorithm.process_env_step(obs, reward, done, extras)
            algorithm.compute_returns(obs)
        rows.append(algorithm.update())
    return rows
