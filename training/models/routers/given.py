"""Routers that learn nothing: weights from the observation, or always the same."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from .base import Observations, Router


class GivenRouter(Router):
    """Weights from the group `mixing`: the base expert's share for legs and arm (the coalition stage)."""

    groups = ("mixing",)

    def __init__(self, num_experts: int = 2) -> None:
        if num_experts != 2:
            raise ValueError(f"given weights are the base expert's shares: they need two experts, not {num_experts}")
        super().__init__(num_experts, num_groups=2)

    def forward(self, obs: Observations) -> torch.Tensor:
        """Return the weights, (N, 2, 2)."""
        base = obs["mixing"]
        return torch.stack([base, 1.0 - base], dim=-1)


class ConstantRouter(Router):
    """The same weights whatever is observed.

    Args:
        weights: (G, E), each row at least 0 with the sum 1.
    """

    weights: torch.Tensor

    def __init__(self, weights: Sequence[Sequence[float]] | torch.Tensor) -> None:
        table = torch.as_tensor(weights, dtype=torch.float32)
        if table.ndim != 2 or (table < 0).any() or not torch.allclose(table.sum(-1), torch.ones(len(table))):
            raise ValueError(f"constant weights {table.tolist()} are not rows of shares that sum to 1")
        super().__init__(table.shape[1], table.shape[0])
        self.register_buffer("weights", table)

    def forward(self, obs: Observations) -> torch.Tensor:
        """Return the weights, (N, G, E)."""
        return self.weights.expand(obs["policy"].shape[0], -1, -1)
