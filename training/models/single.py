"""A single expert as an rsl_rl actor, for the stages that train specialists."""

from __future__ import annotations

import torch
from tensordict import TensorDict

from .actor import MeanActor
from .expert import Expert


class SingleExpertModel(MeanActor):
    """Gaussian policy around one `Expert`, whose normaliser learns with it."""

    def __init__(
        self,
        obs: TensorDict,
        obs_groups: dict[str, list[str]],
        obs_set: str,
        output_dim: int,
        distribution_cfg: dict | None = None,
    ) -> None:
        super().__init__(obs, obs_groups, obs_set, output_dim, distribution_cfg)
        self.expert = Expert(obs["policy"].shape[-1], output_dim)

    def mean_action(self, obs: TensorDict) -> torch.Tensor:
        """Return the expert's action."""
        return self.expert(obs["policy"])

    def update_normalization(self, obs: TensorDict) -> None:
        """Feed the expert's normaliser."""
        self.expert.normalizer.update(obs["policy"])
