"""Gradient norms of a model's parts, taken while the backward pass runs: an optimizer step comes after clipping."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import nn


class GradientNorms:
    """Root mean square norm of the gradient of each part, over the backward passes since the last reading.

    Args:
        parts: modules by name. Parts without trainable parameters are left out.
    """

    def __init__(self, parts: Mapping[str, nn.Module]) -> None:
        self._squares: dict[str, torch.Tensor] = {}
        for name, module in parts.items():
            for parameter in module.parameters():
                if parameter.requires_grad:
                    self._squares[name] = torch.zeros((), device=parameter.device)
                    parameter.register_post_accumulate_grad_hook(self._note(name))

    def take(self, passes: int) -> dict[str, float]:
        """Return `gradient_<part>` for this many backward passes, 0 for parts that none reached, and start again."""
        norms = {f"gradient_{name}": (square / passes).sqrt().item() for name, square in self._squares.items()}
        for square in self._squares.values():
            square.zero_()
        return norms

    def _note(self, name: str) -> Callable[[torch.Tensor], None]:
        def hook(parameter: torch.Tensor) -> None:
            if parameter.grad is not None:
                self._squares[name] += parameter.grad.square().sum()

        return hook
