"""Multi-head attention and a residual block around it, in operations that every ONNX runtime has."""

from __future__ import annotations

import torch
from torch import nn


class Attention(nn.Module):
    """Multi-head attention from queries (N, L, width) to a context (N, T, width)."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        if width % heads:
            raise ValueError(f"width {width} cannot be shared by {heads} heads")
        self.heads = heads
        self.query, self.key_value = nn.Linear(width, width), nn.Linear(width, 2 * width)
        self.out = nn.Linear(width, width)

    def forward(self, query: torch.Tensor, context: torch.Tensor) -> torch.Tensor:
        """Return (N, L, width)."""
        key, value = self.key_value(context).chunk(2, dim=-1)
        mixed = nn.functional.scaled_dot_product_attention(
            self._split(self.query(query)), self._split(key), self._split(value)
        )
        return self.out(mixed.transpose(1, 2).flatten(2))

    def _split(self, values: torch.Tensor) -> torch.Tensor:
        return values.unflatten(-1, (self.heads, -1)).transpose(1, 2)


class AttentionBlock(nn.Module):
    """Attention and a feed-forward layer, each with a norm before and a residual around it."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm, self.context_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = Attention(width, heads)
        self.feed_forward = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, 2 * width), nn.ELU(), nn.Linear(2 * width, width)
        )

    def forward(self, query: torch.Tensor, context: torch.Tensor) -> torch.Tensor:
        """Return (N, L, width)."""
        query = query + self.attention(self.norm(query), self.context_norm(context))
        return query + self.feed_forward(query)
