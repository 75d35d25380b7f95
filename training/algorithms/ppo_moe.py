"""PPO with a load-balance loss on the expert weights, hooked into rsl_rl 5.5.1 without copying its update."""

from __future__ import annotations

import torch
from rsl_rl.algorithms import PPO

from ..models.mixture import MixtureModel


class _LoadBalance:
    """Takes the place of rsl_rl's symmetry extension, whose loss is the one that `PPO.update` adds."""

    use_mirror_loss = True
    mirror_loss_coeff = 1.0

    def __init__(self, weight: float) -> None:
        self.weight = weight

    def augment_batch(self, batch: object, original_batch_size: int) -> None:
        """No augmentation."""

    def compute_loss(self, actor: MixtureModel, batch: object, original_batch_size: int) -> torch.Tensor:
        """Return weight * sum((mean_w - 1/E)^2) over groups and experts, of the forward pass just made."""
        if actor.last_weights is None:
            raise RuntimeError("the load-balance loss needs a forward pass of the mixture first")
        mean = actor.last_weights.mean(dim=0)
        return self.weight * ((mean - 1.0 / mean.shape[-1]) ** 2).sum()


class PPOMoE(PPO):
    """PPO for a `MixtureModel` with a learned gate."""

    def __init__(self, *args: object, moe_weight_regularization: float = 0.01, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self.symmetry = _LoadBalance(moe_weight_regularization)

    def update(self) -> dict[str, float]:
        """Run the epochs; the added loss is reported as `load_balance`."""
        losses = super().update()
        losses["load_balance"] = losses.pop("symmetry")
        return losses
