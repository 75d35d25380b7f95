"""From logits to weights: temperature, noise and top-k, the same for every learned router."""

from __future__ import annotations

from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class RoutingOptions:
    """How logits become weights."""

    temperature: float = 1.0
    """Logits are divided by it: high blends, low picks."""
    top_k: int | None = None
    """Number of experts with a weight in each joint group; the others get exactly 0. None for all."""
    noise: float = 0.0
    """Standard deviation of the noise on the logits while training. PPO draws it anew in its update: keep it small."""

    def __post_init__(self) -> None:
        """Check the ranges. Raises ValueError."""
        if not self.temperature > 0:
            raise ValueError(f"router temperature {self.temperature} is not positive")
        if self.top_k is not None and self.top_k < 1:
            raise ValueError(f"router top_k {self.top_k} is less than one expert")
        if not self.noise >= 0:
            raise ValueError(f"router noise {self.noise} is negative")


def route(
    logits: torch.Tensor, options: RoutingOptions, training: bool, temperature: torch.Tensor | None = None
) -> torch.Tensor:
    """Return weights that sum to 1 over the last axis.

    Args:
        logits: (N, G, E).
        options: temperature, top-k, noise.
        training: whether noise is added and dropped experts pass a gradient.
        temperature: (N, 1, 1), a factor on the options' temperature.
    """
    if training and options.noise > 0:
        logits = logits + options.noise * torch.randn_like(logits)
    logits = logits / options.temperature
    if temperature is not None:
        logits = logits / temperature
    weights = torch.softmax(logits, dim=-1)
    if options.top_k is None or options.top_k >= logits.shape[-1]:
        return weights
    kept, index = torch.topk(logits, options.top_k, dim=-1)
    sparse = torch.zeros_like(weights).scatter(-1, index, torch.softmax(kept, dim=-1))
    if not training:
        return sparse
    # straight through: all experts are evaluated anyway, so what a dropped one would have brought is known, and with
    # one expert left its weight is the constant 1. The sum is exactly 0 where `sparse` is.
    return weights + (sparse - weights).detach()
