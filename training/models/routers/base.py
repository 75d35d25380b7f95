"""What every router offers: weights of the experts from the observation groups."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import torch
from tensordict import TensorDict
from torch import nn

from .routing import RoutingOptions, route

Observations: TypeAlias = Mapping[str, torch.Tensor] | TensorDict
"""Observation groups by name, each (N, size)."""


class Router(nn.Module):
    """Observation groups -> expert weights (N, joint groups, experts), which sum to 1 over the experts."""

    groups: tuple[str, ...] = ()
    """Names of the observation groups that it reads."""

    def __init__(self, num_experts: int, num_groups: int) -> None:
        super().__init__()
        if num_experts < 1 or num_groups not in (1, 2):
            raise ValueError(
                f"a router needs at least one expert and one (all) or two (legs, arm) joint groups, "
                f"got {num_experts} and {num_groups}"
            )
        self.num_experts, self.num_groups = num_experts, num_groups

    def forward(self, obs: Observations) -> torch.Tensor:
        """Return the weights."""
        raise NotImplementedError

    def update_normalization(self, obs: Observations) -> None:
        """Feed the normaliser, if the router has one."""


class LearnedRouter(Router):
    """A router whose logits are learned."""

    def __init__(self, num_experts: int, num_groups: int, options: RoutingOptions) -> None:
        super().__init__(num_experts, num_groups)
        if options.top_k is not None and options.top_k > num_experts:
            raise ValueError(f"router top_k {options.top_k} is more than the {num_experts} experts")
        self.options = options

    def logits(self, obs: Observations) -> torch.Tensor:
        """Return the logits, (N, G, E)."""
        raise NotImplementedError

    def forward(self, obs: Observations) -> torch.Tensor:
        """Return the weights."""
        return route(self.logits(obs), self.options, self.training)


def start_near_uniform(layer: nn.Linear, num_experts: int, num_groups: int, preference: float) -> None:
    """Scale down the last layer, as a router that starts away from uniform weights comes back slowly.

    Args:
        layer: the layer that gives the logits, group after group.
        num_experts: E.
        num_groups: G.
        preference: the logit by which joint group i starts out preferring expert i (legs base, arm arm).
    """
    with torch.no_grad():
        layer.weight.mul_(0.1)
        layer.bias.copy_(preference * torch.eye(num_groups, num_experts).flatten())
