"""ActorCriticMoE: experts and a router as the actor that rsl_rl trains."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from moe_controller.contract import ObservationTerm
from moe_controller.observation import DEFAULT_TERMS, ROUTER_TERMS, terms_size
from tensordict import TensorDict
from torch import nn

from ..checkpoint import CheckpointError
from .actor import MeanActor
from .blending import blend
from .expert import EXPERT_HIDDEN_DIMS, Expert
from .loading import load_experts
from .routers import Observations, RouterInputs, build_router


class ActorCriticMoE(MeanActor):
    """Gaussian policy whose mean is a mixture of experts: a = sum_i w_i a_i, weights by a router.

    rsl_rl keeps the critic as a model of its own beside this one; the name is the one under which this network is
    known. With `freeze_experts` only the router (and the exploration noise) learns; without, all of it learns together:
    the coalition stage, which makes experts blendable before they are frozen.

    Args:
        obs: an example of the observation groups.
        obs_groups: rsl_rl's groups by set.
        obs_set: the set of the actor.
        output_dim: number of actions.
        router: settings of the router, see `build_router`.
        experts: their names, in the order of the weights.
        num_groups: joint groups with weights of their own: 1 (all) or 2 (legs, arm).
        hidden_dims: of experts that start from nothing.
        freeze_experts: whether the experts, normalisers included, stay as they were loaded.
        base_ckpt_path: checkpoint of the first expert; with `arm_ckpt_path`.
        arm_ckpt_path: checkpoint of the second expert.
        expert_ckpt_paths: checkpoints of any number of experts instead; a mixture's checkpoint gives all of its own.
        policy_terms: observation terms of the group `policy`.
        router_terms: observation terms of the group `router`.
        distribution_cfg: rsl_rl's distribution.

    Raises:
        CheckpointError: checkpoints missing, of another layout or of another number than the experts.
        ValueError: router settings that do not exist or do not fit.
    """

    def __init__(
        self,
        obs: TensorDict,
        obs_groups: dict[str, list[str]],
        obs_set: str,
        output_dim: int,
        router: Mapping[str, Any] | None = None,
        experts: Sequence[str] = ("base", "arm"),
        num_groups: int = 1,
        hidden_dims: Sequence[int] = EXPERT_HIDDEN_DIMS,
        freeze_experts: bool = True,
        base_ckpt_path: str | None = None,
        arm_ckpt_path: str | None = None,
        expert_ckpt_paths: Sequence[str] | None = None,
        policy_terms: Sequence[ObservationTerm] = DEFAULT_TERMS,
        router_terms: Sequence[ObservationTerm] = ROUTER_TERMS,
        distribution_cfg: dict | None = None,
    ) -> None:
        super().__init__(obs, obs_groups, obs_set, output_dim, distribution_cfg)
        paths = _checkpoint_paths(base_ckpt_path, arm_ckpt_path, expert_ckpt_paths)
        if freeze_experts and not paths:
            raise CheckpointError("frozen experts need checkpoints: give base_ckpt_path and arm_ckpt_path, or a list")
        size = obs["policy"].shape[-1]
        if size != terms_size(tuple(policy_terms)):
            raise ValueError(f"the policy's terms have {terms_size(tuple(policy_terms))} columns, `policy` has {size}")
        if paths:
            loaded = load_experts(paths, tuple(experts), tuple(policy_terms))
        else:
            loaded = {name: Expert(size, output_dim, hidden_dims) for name in experts}
        self.experts = nn.ModuleDict(loaded)
        self.experts.requires_grad_(not freeze_experts)
        self.freeze_experts = freeze_experts
        self.expert_hidden_dims = [list(expert.hidden_dims) for expert in loaded.values()]
        self.router_settings = dict(router or {"kind": "obs_moe"})
        self.router = build_router(
            self.router_settings, RouterInputs(policy_terms, router_terms, len(self.experts), num_groups)
        )
        _check_groups(self.router.groups, obs)
        # loaded experts keep the normalisers of the stage that made them: their weights belong to these
        self._learns_normalizers = not freeze_experts and not paths
        self.last_weights: torch.Tensor | None = None
        """Weights of the newest forward pass, (N, G, E): the load-balance loss reads them."""

    def get_moe_weights(self, obs: Observations) -> torch.Tensor:
        """Return expert weights, (N, G, E)."""
        return self.router(obs)

    def act_inference(self, obs: Observations) -> torch.Tensor:
        """Return the deterministic action, (N, 18)."""
        return self.mean_action(obs)

    def mean_action(self, obs: Observations) -> torch.Tensor:
        """Return the blended action."""
        policy = obs["policy"]
        self.last_weights = self.router(obs)
        return blend(self.last_weights, torch.stack([expert(policy) for expert in self.experts.values()], dim=1))

    def network(self) -> dict[str, object]:
        """Return what the checkpoint's card says about the network."""
        return {
            "experts": list(self.experts),
            "hidden_dims": self.expert_hidden_dims,
            "num_groups": self.router.num_groups,
            "router": self.router_settings,
        }

    def policy_state(self) -> dict[str, torch.Tensor]:
        """Return the tensors of the checkpoint: the policy without its exploration."""
        return {key: value for key, value in self.state_dict().items() if key.startswith(("experts.", "router."))}

    def update_normalization(self, obs: TensorDict) -> None:
        """Feed the router's normaliser, and those of experts that start from nothing."""
        self.router.update_normalization(obs)
        if self._learns_normalizers:
            for expert in self.experts.values():
                assert isinstance(expert, Expert)  # ModuleDict forgets the type
                expert.normalizer.update(obs["policy"])


def _checkpoint_paths(base: str | None, arm: str | None, paths: Sequence[str] | None) -> list[Path]:
    if paths and (base or arm):
        raise CheckpointError("give base_ckpt_path and arm_ckpt_path or expert_ckpt_paths, not both")
    if bool(base) != bool(arm):
        missing = "arm_ckpt_path" if base else "base_ckpt_path"
        raise CheckpointError(f"{missing} is missing: a mixture needs the checkpoints of all of its experts")
    return [Path(path) for path in (paths or [path for path in (base, arm) if path])]


def _check_groups(groups: Sequence[str], obs: TensorDict) -> None:
    missing = [group for group in groups if group not in obs.keys()]  # noqa: SIM118  (no mapping)
    if missing:
        raise ValueError(f"the router reads the observation groups {list(groups)}; the environment lacks {missing}")
