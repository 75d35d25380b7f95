"""Experts and router in one module over one flat observation, as checkpoints hold and ONNX files compute them."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from .blending import blend
from .expert import Expert
from .routers import Router


class FusedPolicy(nn.Module):
    """Observation -> (action, expert weights, expert actions).

    The observation is what the experts see (`policy`), followed by the router's own columns (`router`) where its kind
    reads them. The state is that of a mixture's checkpoint: `experts.<name>.*`, `router.*`.

    Args:
        experts: by name, in the order of the weights.
        router: gives the weights.
        policy_size: columns that the experts see.
    """

    def __init__(self, experts: Mapping[str, Expert], router: Router, policy_size: int) -> None:
        super().__init__()
        self.experts = nn.ModuleDict(experts)
        self.router = router
        self.policy_size = policy_size

    def forward(self, observation: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return (N, 18), (N, G, E), (N, E, 18)."""
        policy = observation[:, : self.policy_size]
        weights = self.router({"policy": policy, "router": observation[:, self.policy_size :]})
        actions = torch.stack([expert(policy) for expert in self.experts.values()], dim=1)
        return blend(weights, actions), weights, actions
