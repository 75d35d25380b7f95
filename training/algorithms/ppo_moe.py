"""PPO for a mixture of experts, hooked into rsl_rl 5.5.1 without copying its update."""

from __future__ import annotations

from typing import Any

import torch
from rsl_rl.algorithms import PPO
from tensordict import TensorDict

from ..models.actor_critic_moe import ActorCriticMoE
from ..models.blending import JOINT_GROUPS
from .gradients import GradientNorms
from .routing_losses import load_balance, mean_entropy, pull_to_uniform


class _RoutingLoss:
    """Takes the place of rsl_rl's symmetry extension, whose loss is the one that `PPO.update` adds."""

    use_mirror_loss = True
    mirror_loss_coeff = 1.0

    def __init__(self, uniform_weight: float, balance_weight: float) -> None:
        self.uniform_weight, self.balance_weight = uniform_weight, balance_weight
        self._rows: list[dict[str, torch.Tensor]] = []

    def augment_batch(self, batch: object, original_batch_size: int) -> None:
        """No augmentation."""

    def compute_loss(self, actor: ActorCriticMoE, batch: object, original_batch_size: int) -> torch.Tensor:
        """Return the weighted losses on the weights of the forward pass just made, and note all figures."""
        weights = actor.last_weights
        if weights is None:
            raise RuntimeError("the routing losses need a forward pass of the mixture first")
        balance, uniform = load_balance(weights), pull_to_uniform(weights)
        with torch.no_grad():
            usage = weights.mean(dim=0)
            self._rows.append(
                {
                    "load_balance": balance.detach(),
                    "moe_regularization": uniform.detach(),
                    "routing_entropy": mean_entropy(weights),
                    **{
                        f"usage_{group}_{expert}": usage[i, j]
                        for i, group in enumerate(JOINT_GROUPS[len(usage)])
                        for j, expert in enumerate(actor.experts)
                    },
                }
            )
        return self.balance_weight * balance + self.uniform_weight * uniform

    def take_figures(self) -> dict[str, float]:
        """Return the means over the minibatches since the last call."""
        rows, self._rows = self._rows, []
        return {key: torch.stack([row[key] for row in rows]).mean().item() for key in rows[0]}


class PPOMoE(PPO):
    """PPO for an `ActorCriticMoE`, with losses on its weights.

    Args:
        moe_weight_regularization: weight of the pull of the mean weights to uniform.
        load_balance: weight of the Switch load-balance loss.
        args: as rsl_rl's PPO, and so `kwargs`.
    """

    def __init__(
        self, *args: Any, moe_weight_regularization: float = 0.01, load_balance: float = 0.01, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        if not isinstance(self.actor, ActorCriticMoE):
            raise ValueError(f"PPOMoE trains an ActorCriticMoE, not a {type(self.actor).__name__}: use PPO for that")
        self._routing = _RoutingLoss(moe_weight_regularization, load_balance)
        self.symmetry = self._routing
        parts = {"router": self.actor.router, **{f"expert_{n}": module for n, module in self.actor.experts.items()}}
        self._gradients = GradientNorms(parts)
        self._rewards: list[torch.Tensor] = []

    def process_env_step(
        self, obs: TensorDict, rewards: torch.Tensor, dones: torch.Tensor, extras: dict[str, torch.Tensor]
    ) -> None:
        """Record one environment step, and its reward as the environment gave it."""
        self._rewards.append(rewards.mean())
        super().process_env_step(obs, rewards, dones, extras)

    def update(self) -> dict[str, float]:
        """Run the epochs and return the mean losses.

        Beside PPO's own: `load_balance` and `moe_regularization` (without their weights), `routing_entropy` (nats),
        `usage_<joint group>_<expert>` (mean weight), `gradient_<part>` (norm before clipping) and `routing`: what the
        router's training lowers, the negative mean reward per step plus the weighted losses on its weights.
        """
        losses = super().update()
        added = losses.pop("symmetry")
        reward = torch.stack(self._rewards).mean().item() if self._rewards else 0.0
        self._rewards.clear()
        losses["routing"] = added - reward
        passes = self.num_learning_epochs * self.num_mini_batches
        return {**losses, **self._routing.take_figures(), **self._gradients.take(passes)}
