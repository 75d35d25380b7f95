"""ObsMoE: an MLP over the observation that gives each expert its weight."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from rsl_rl.modules import MLP, EmpiricalNormalization
from torch import nn

from .base import LearnedRouter, Observations, start_near_uniform
from .routing import RoutingOptions


class ObsMoE(LearnedRouter):
    """Observation (N, obs_dim), plain or as the group `policy` -> expert weights (N, groups, experts).

    Args:
        obs_dim: size of the observation.
        hidden_dims: of the MLP.
        num_experts: any number.
        num_groups: 1 (all joints) or 2 (legs, arm).
        preference: logit by which group i starts out preferring expert i.
        options: temperature, top-k, noise.
    """

    groups = ("policy",)

    def __init__(
        self,
        obs_dim: int,
        hidden_dims: Sequence[int] = (128, 64),
        num_experts: int = 2,
        num_groups: int = 1,
        preference: float = 0.0,
        options: RoutingOptions | None = None,
    ) -> None:
        super().__init__(num_experts, num_groups, options or RoutingOptions())
        self.normalizer = EmpiricalNormalization(obs_dim)
        self.mlp = MLP(obs_dim, num_groups * num_experts, list(hidden_dims), "elu")
        last = [module for module in self.mlp.modules() if isinstance(module, nn.Linear)][-1]
        start_near_uniform(last, num_experts, num_groups, preference)

    def logits(self, obs: Observations | torch.Tensor) -> torch.Tensor:
        """Return the logits, (N, G, E)."""
        logits = self.mlp(self.normalizer(policy_group(obs)))
        return logits.reshape(-1, self.num_groups, self.num_experts)

    def update_normalization(self, obs: Observations) -> None:
        """Feed the normaliser."""
        self.normalizer.update(policy_group(obs))


def policy_group(obs: Observations | torch.Tensor) -> torch.Tensor:
    """Return the observation that the experts see, (N, P)."""
    return obs if isinstance(obs, torch.Tensor) else obs["policy"]
