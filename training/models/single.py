"""A single expert as an rsl_rl actor, for the stages that train specialists."""

from __future__ import annotations

import torch
from rsl_rl.models import MLPModel
from tensordict import TensorDict

from .expert import Expert


class SingleExpertModel(MLPModel):
    """Gaussian policy around one `Expert`, whose normaliser learns with it."""

    def __init__(
        self,
        obs: TensorDict,
        obs_groups: dict[str, list[str]],
        obs_set: str,
        output_dim: int,
        distribution_cfg: dict | None = None,
    ) -> None:
        super().__init__(obs, obs_groups, obs_set, output_dim, [1], "elu", False, distribution_cfg)
        del self.mlp  # the base class's network; the expert takes its place
        self.expert = Expert(obs["policy"].shape[-1], output_dim)

    def forward(
        self,
        obs: TensorDict,
        masks: torch.Tensor | None = None,
        hidden_state: object = None,
        stochastic_output: bool = False,
    ) -> torch.Tensor:
        """Return the action, sampled if asked for."""
        mean = self.expert(obs["policy"])
        if self.distribution is None or not stochastic_output:
            return mean
        self.distribution.update(mean)
        return self.distribution.sample()

    def update_normalization(self, obs: TensorDict) -> None:
        """Feed the expert's normaliser."""
        self.expert.normalizer.update(obs["policy"])
