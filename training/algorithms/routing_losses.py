"""Losses and figures of expert weights (N, G, E); none depends on the size of the batch."""

from __future__ import annotations

import torch


def load_balance(weights: torch.Tensor) -> torch.Tensor:
    """Return the Switch loss E * sum_i f_i P_i, mean over the joint groups: 1 where experts are used alike.

    f_i is the share of samples whose largest weight is that of expert i (no gradient), P_i its mean weight.
    """
    experts = weights.shape[-1]
    chosen = torch.nn.functional.one_hot(weights.argmax(dim=-1), experts)
    return experts * (chosen.to(weights.dtype).mean(dim=0) * weights.mean(dim=0)).sum(dim=-1).mean()


def pull_to_uniform(weights: torch.Tensor) -> torch.Tensor:
    """Return sum((mean_w - 1/E)^2) over joint groups and experts: 0 where the mean weights are uniform."""
    return ((weights.mean(dim=0) - 1.0 / weights.shape[-1]) ** 2).sum()


def entropy(weights: torch.Tensor) -> torch.Tensor:
    """Return the entropy of the weights in nats, (N, G)."""
    return torch.special.entr(weights).sum(dim=-1)


def mean_entropy(weights: torch.Tensor) -> torch.Tensor:
    """Return the mean entropy, nats."""
    return entropy(weights).mean()
