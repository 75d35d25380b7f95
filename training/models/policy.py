"""Trained policies behind one interface, for playing, evaluating and comparing them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import NamedTuple

import torch
from moe_controller.contract import ObservationTerm

from ..checkpoint import Card
from .blending import JOINT_GROUPS, blend
from .fused import FusedPolicy
from .routers import ConstantRouter, Observations


class PolicyOutputs(NamedTuple):
    """What a policy gives for a batch of observations."""

    action: torch.Tensor
    """(N, 18), raw, before clip and scale."""
    weights: torch.Tensor
    """(N, G, E); they sum to 1 over the experts."""
    expert_actions: torch.Tensor
    """(N, E, 18), what each expert alone would do."""


class Policy(ABC):
    """A deterministic policy over the environment's observation groups."""

    name: str
    """For tables and plots."""
    experts: tuple[str, ...]
    groups: tuple[str, ...]
    """Joint groups with weights of their own: ("all",) or ("legs", "arm")."""
    observation: tuple[ObservationTerm, ...]
    """Terms of all columns that it reads, in order: those of `policy`, then, if it reads them, those of `router`."""

    @abstractmethod
    def run(self, obs: Observations) -> PolicyOutputs:
        """Return action, weights and expert actions for observation groups of shape (N, size) each."""

    def act_inference(self, obs: Observations) -> torch.Tensor:
        """Return the action, (N, 18)."""
        return self.run(obs).action

    def get_moe_weights(self, obs: Observations) -> torch.Tensor:
        """Return the expert weights, (N, G, E)."""
        return self.run(obs).weights

    def expert_actions(self, obs: Observations) -> torch.Tensor:
        """Return what each expert alone would do, (N, E, 18)."""
        return self.run(obs).expert_actions


class TorchPolicy(Policy):
    """A checkpoint in torch.

    Args:
        fused: experts and router.
        card: of the checkpoint.
        name: instead of the card's.
    """

    def __init__(self, fused: FusedPolicy, card: Card, name: str | None = None) -> None:
        self.fused = fused.eval().requires_grad_(False)
        self.card = card
        self.name = name or card.name
        self.experts = tuple(fused.experts)
        self.groups = JOINT_GROUPS[fused.router.num_groups]
        self.reads_router = "router" in fused.router.groups
        self.observation = card.observation + (card.router_observation if self.reads_router else ())

    def run(self, obs: Observations) -> PolicyOutputs:
        """Return action, weights and expert actions."""
        return PolicyOutputs(*self.fused(flat_observation(obs, self.observation)))


class FixedWeights(Policy):
    """The experts of another policy under weights that never change: what a learned router must beat.

    Args:
        policy: whose experts are blended.
        weights: (G, E).
        name: for tables and plots.
    """

    def __init__(self, policy: Policy, weights: Sequence[Sequence[float]], name: str) -> None:
        self.policy, self.name = policy, name
        self.router = ConstantRouter(weights)
        if self.router.num_experts != len(policy.experts):
            raise ValueError(f"weights {weights} are not for the {len(policy.experts)} experts of {policy.name}")
        self.experts, self.observation = policy.experts, policy.observation
        self.groups = JOINT_GROUPS[self.router.num_groups]

    def run(self, obs: Observations) -> PolicyOutputs:
        """Return action, weights and expert actions."""
        actions = self.policy.run(obs).expert_actions
        weights = self.router(obs)
        return PolicyOutputs(blend(weights, actions), weights, actions)


def flat_observation(obs: Observations, terms: Sequence[ObservationTerm]) -> torch.Tensor:
    """Return the columns that these terms take, (N, size): of `policy`, then of `router` if there are more.

    Raises:
        ValueError: the groups have other sizes.
    """
    size = sum(term.size * term.history for term in terms)
    columns = obs["policy"]
    if columns.shape[-1] != size:
        router = obs["router"] if "router" in obs.keys() else None  # noqa: SIM118  (no mapping)
        if router is None or columns.shape[-1] + router.shape[-1] != size:
            have = f"{columns.shape[-1]}" if router is None else f"{columns.shape[-1]} + {router.shape[-1]}"
            raise ValueError(f"the policy reads {size} observation columns, the environment gives {have}")
        columns = torch.cat([columns, router], dim=-1)
    return columns
