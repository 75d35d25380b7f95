"""What our actors share: an rsl_rl model whose mean action comes from something else than its own MLP."""

from __future__ import annotations

import torch
from rsl_rl.models import MLPModel
from tensordict import TensorDict


class MeanActor(MLPModel):
    """Gaussian policy around `mean_action`, which subclasses give."""

    def __init__(
        self,
        obs: TensorDict,
        obs_groups: dict[str, list[str]],
        obs_set: str,
        output_dim: int,
        distribution_cfg: dict | None = None,
    ) -> None:
        super().__init__(obs, obs_groups, obs_set, output_dim, [1], "elu", False, distribution_cfg)
        del self.mlp  # the base class's network; the experts take its place

    def mean_action(self, obs: TensorDict) -> torch.Tensor:
        """Return the deterministic action, (N, 18)."""
        raise NotImplementedError

    def forward(
        self,
        obs: TensorDict,
        masks: torch.Tensor | None = None,
        hidden_state: object = None,
        stochastic_output: bool = False,
    ) -> torch.Tensor:
        """Return the action, sampled if asked for."""
        mean = self.mean_action(obs)
        if self.distribution is None or not stochastic_output:
            return mean
        self.distribution.update(mean)
        return self.distribution.sample()
