"""TrajAttentionRouter: weights from the recent past and the end-effector path to come, by attention."""

from __future__ import annotations

import torch
from rsl_rl.modules import EmpiricalNormalization
from torch import nn

from .attention import AttentionBlock
from .base import LearnedRouter, Observations, start_near_uniform
from .columns import TokenLayout
from .routing import RoutingOptions

LARGEST_INPUT = 5.0
"""Standard deviations; a column that hardly varied in training must not become a huge number later."""


class TrajAttentionRouter(LearnedRouter):
    """The group `router` (history tokens, then path tokens, flat) -> expert weights.

    A few learned latents, biased by the newest history token, read all tokens by cross attention (Perceiver), look at
    each other once, and their mean goes through the routing head. Cost grows with tokens x latents, not tokens squared.

    Args:
        layout: of the group's columns.
        num_experts: any number.
        num_groups: 1 (all joints) or 2 (legs, arm).
        width: of tokens and latents.
        latents: their number.
        heads: of the attention.
        preference: logit by which group i starts out preferring expert i.
        options: temperature, top-k, noise.
    """

    groups = ("router",)

    def __init__(
        self,
        layout: TokenLayout,
        num_experts: int = 2,
        num_groups: int = 1,
        width: int = 32,
        latents: int = 4,
        heads: int = 4,
        preference: float = 0.0,
        options: RoutingOptions | None = None,
    ) -> None:
        super().__init__(num_experts, num_groups, options or RoutingOptions())
        self.layout = layout
        self.normalizer = EmpiricalNormalization(layout.size)
        self.history_embedding = nn.Sequential(nn.Linear(layout.history_size, width), nn.LayerNorm(width))
        self.path_embedding = nn.Sequential(nn.Linear(layout.path_size, width), nn.LayerNorm(width))
        self.time = nn.Parameter(0.1 * torch.randn(layout.history + layout.path, width))
        self.latents = nn.Parameter(0.1 * torch.randn(latents, width))
        self.now = nn.Linear(width, width)
        self.cross, self.inner = AttentionBlock(width, heads), AttentionBlock(width, heads)
        last = nn.Linear(width, num_groups * num_experts)
        self.head = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, width), nn.ELU(), last)
        start_near_uniform(last, num_experts, num_groups, preference)

    def logits(self, obs: Observations) -> torch.Tensor:
        """Return the logits, (N, G, E)."""
        values = self.normalizer(obs["router"]).clamp(-LARGEST_INPUT, LARGEST_INPUT)
        history, path = self.tokens(values)
        past = self.history_embedding(history)
        tokens = torch.cat([past, self.path_embedding(path)], dim=1) + self.time
        query = self.latents + self.now(past[:, -1:])
        query = self.cross(query, tokens)
        query = self.inner(query, query)
        return self.head(query.mean(dim=1)).reshape(-1, self.num_groups, self.num_experts)

    def tokens(self, values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Cut flat columns, (N, size), into history tokens (N, H, h), oldest first, and path tokens (N, F, f)."""
        layout = self.layout
        blocks = [layout.history * size for size in layout.history_sizes]
        *terms, path = values.split([*blocks, layout.path * layout.path_size], dim=-1)
        history = [term.unflatten(-1, (layout.history, -1)) for term in terms]
        return torch.cat(history, dim=-1), path.unflatten(-1, (layout.path, -1))

    def update_normalization(self, obs: Observations) -> None:
        """Feed the normaliser."""
        self.normalizer.update(obs["router"])
