"""The mixture of experts as an rsl_rl actor: a = sum_i w_i a_i, with given or learned weights."""

from __future__ import annotations

import torch
from tensordict import TensorDict
from torch import nn

from .actor import MeanActor
from .blending import blend
from .expert import Expert
from .routers import ObsMoE


class MixtureModel(MeanActor):
    """Gaussian policy whose mean is a mixture of experts.

    With `router="given"` the base expert's shares for legs and arm come from the observation group `mixing` (two
    experts only; the coalition stage). With `router="obs_moe"` a learned ObsMoE gives them.
    """

    def __init__(
        self,
        obs: TensorDict,
        obs_groups: dict[str, list[str]],
        obs_set: str,
        output_dim: int,
        num_experts: int = 2,
        num_groups: int = 1,
        router: str = "given",
        freeze_experts: bool = False,
        gate_hidden_dims: tuple[int, ...] = (128, 64),
        gate_preference: float = 0.0,
        distribution_cfg: dict | None = None,
    ) -> None:
        super().__init__(obs, obs_groups, obs_set, output_dim, distribution_cfg)
        size = obs["policy"].shape[-1]
        self.router = router
        self.freeze_experts = freeze_experts
        self.experts = nn.ModuleList(Expert(size, output_dim) for _ in range(num_experts))
        self.experts.requires_grad_(not freeze_experts)
        self.gate = None
        if router == "obs_moe":
            self.gate = ObsMoE(size, gate_hidden_dims, num_experts, num_groups, gate_preference)
        self.last_weights: torch.Tensor | None = None
        """Weights of the newest forward pass, (N, G, E): the load-balance loss reads them."""

    def get_moe_weights(self, obs: TensorDict) -> torch.Tensor:
        """Return expert weights, (N, G, E)."""
        if self.gate is not None:
            return self.gate(obs["policy"])
        base = obs["mixing"]
        return torch.stack([base, 1.0 - base], dim=-1)

    def act_inference(self, obs: TensorDict) -> torch.Tensor:
        """Return the deterministic action, (N, 18)."""
        return self.forward(obs)

    def mean_action(self, obs: TensorDict) -> torch.Tensor:
        """Return the blended action."""
        policy = obs["policy"]
        self.last_weights = self.get_moe_weights(obs)
        return blend(self.last_weights, torch.stack([expert(policy) for expert in self.experts], dim=1))

    def update_normalization(self, obs: TensorDict) -> None:
        """Feed the gate's normaliser. The experts' are frozen with the stage that made them."""
        if self.gate is not None:
            self.gate.normalizer.update(obs["policy"])
