"""ObsMoE: an MLP over the observation that gives each expert its weight."""

from __future__ import annotations

import torch
from rsl_rl.modules import MLP, EmpiricalNormalization
from torch import nn


class ObsMoE(nn.Module):
    """Observation (N, obs_dim) -> expert weights (N, groups, experts), a softmax over the experts.

    Starts near uniform weights: the last layer is scaled down, as a gate that starts elsewhere comes back slowly. With
    groups, `preference` is the logit by which group i starts out preferring expert i (legs base, arm arm).
    """

    def __init__(
        self,
        obs_dim: int,
        hidden_dims: tuple[int, ...] = (128, 64),
        num_experts: int = 2,
        num_groups: int = 1,
        preference: float = 0.0,
    ) -> None:
        super().__init__()
        if num_experts < 1 or num_groups < 1:
            raise ValueError(f"ObsMoE needs at least one expert and one group, got {num_experts} and {num_groups}")
        self.num_experts, self.num_groups = num_experts, num_groups
        self.normalizer = EmpiricalNormalization(obs_dim)
        self.mlp = MLP(obs_dim, num_groups * num_experts, list(hidden_dims), "elu")
        last = [module for module in self.mlp.modules() if isinstance(module, nn.Linear)][-1]
        with torch.no_grad():
            last.weight.mul_(0.1)
            last.bias.copy_(preference * torch.eye(num_groups, num_experts).flatten())

    def forward(self, observation: torch.Tensor) -> torch.Tensor:
        """Return the weights; they sum to 1 over the last axis."""
        logits = self.mlp(self.normalizer(observation))
        return torch.softmax(logits.reshape(-1, self.num_groups, self.num_experts), dim=-1)
