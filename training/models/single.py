"""A single expert as an rsl_rl actor: the specialists and the monolithic baseline."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from tensordict import TensorDict

from .actor import MeanActor
from .expert import EXPERT_HIDDEN_DIMS, Expert


class SingleExpertModel(MeanActor):
    """Gaussian policy around one `Expert`, whose normaliser learns with it.

    Args:
        obs: an example of the observation groups.
        obs_groups: rsl_rl's groups by set.
        obs_set: the set of the actor.
        output_dim: number of actions.
        hidden_dims: of the expert; larger for a monolithic policy of a mixture's size.
        distribution_cfg: rsl_rl's distribution.
    """

    def __init__(
        self,
        obs: TensorDict,
        obs_groups: dict[str, list[str]],
        obs_set: str,
        output_dim: int,
        hidden_dims: Sequence[int] = EXPERT_HIDDEN_DIMS,
        distribution_cfg: dict | None = None,
    ) -> None:
        super().__init__(obs, obs_groups, obs_set, output_dim, distribution_cfg)
        self.expert = Expert(obs["policy"].shape[-1], output_dim, hidden_dims)

    def mean_action(self, obs: TensorDict) -> torch.Tensor:
        """Return the expert's action."""
        return self.expert(obs["policy"])

    def act_inference(self, obs: TensorDict) -> torch.Tensor:
        """Return the deterministic action, (N, 18)."""
        return self.mean_action(obs)

    def network(self) -> dict[str, object]:
        """Return what the checkpoint's card says about the network."""
        return {"hidden_dims": list(self.expert.hidden_dims)}

    def policy_state(self) -> dict[str, torch.Tensor]:
        """Return the tensors of the checkpoint: the policy without its exploration."""
        return self.expert.state_dict()

    def update_normalization(self, obs: TensorDict) -> None:
        """Feed the expert's normaliser."""
        self.expert.normalizer.update(obs["policy"])
