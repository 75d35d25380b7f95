"""Losses and figures of expert weights (N, G, E); none depends on the size of the batch."""

from __future__ import annotations

import torch


def load_balance(weights: torch.Tensor) -> torch.Tensor:
    """Return the Switch loss E * sum_i f_i P_i: 1 where experts are used alike, E where one does everything.

    f_i is the share of samples whose largest weight is that of expert i (no gradient), P_i its mean weight. The joint
    groups are pooled: legs that prefer one expert and an arm that prefers the other use both alike.
    """
    pooled = weights.flatten(0, 1)
    experts = pooled.shape[-1]
    chosen = torch.nn.functional.one_hot(pooled.argmax(dim=-1), experts)
    return experts * (chosen.to(pooled.dtype).mean(dim=0) * pooled.mean(dim=0)).sum()


def pull_to_uniform(weights: torch.Tensor) -> torch.Tensor:
    """Return sum((mean_w - 1/E)^2) over the experts, joint groups pooled: 0 where the mean weights are uniform."""
    return ((weights.mean(dim=(0, 1)) - 1.0 / weights.shape[-1]) ** 2).sum()


def entropy(weights: torch.Tensor) -> torch.Tensor:
    """Return the entropy of the weights in nats, (N, G)."""
    return torch.special.entr(weights).sum(dim=-1)


def mean_entropy(weights: torch.Tensor) -> torch.Tensor:
    """Return the mean entropy, nats."""
    return entropy(weights).mean()
