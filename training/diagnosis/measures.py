"""Figures of a mixture: how weights react, how far experts are apart, what gradients reach."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from moe_controller.contract import ObservationTerm
from torch import nn

from ..algorithms.routing_losses import load_balance, pull_to_uniform
from ..models.fused import FusedPolicy
from ..models.policy import flat_observation
from ..models.routers import LearnedRouter
from .samples import Samples, situations

NOISE = 0.12
"""Standard deviation of the exploration noise, raw action units, as the router stage has it."""
SURE = 0.99
"""A weight above this is a choice: the softmax is saturated, and little gradient passes."""


@dataclass(frozen=True)
class Measures:
    """Everything that the findings are drawn from."""

    spread: float
    """Standard deviation of the weights over the samples, of the joint group and expert where it is largest."""
    spread_between: float
    """The same between the means of the situations."""
    num_situations: int
    usage: Mapping[str, tuple[float, ...]]
    """Mean weight of each expert, by joint group."""
    sure: Mapping[str, float]
    """Share of samples whose largest weight is above SURE, by joint group."""
    expert_distance: float
    """Root mean square difference per joint between the two experts that are closest on average, raw action units."""
    action_size: float
    """Root mean square of the experts' actions per joint, raw action units."""
    sensitivity: Mapping[str, float]
    """Mean change of the weights when a term is shuffled between the samples, by term."""
    gradients: Mapping[str, float]
    """Norm of the gradient of a PPO surrogate, by part."""
    balance_gradient: float
    """Norm on the router of the gradient of the losses on the weights, as weighted in training."""
    router_samples: int | None
    """What the router's normaliser has seen in training; None if it has none."""
    temperature: float
    top_k: int | None


def measure(
    fused: FusedPolicy,
    samples: Samples,
    terms: Sequence[ObservationTerm],
    groups: Sequence[str],
    balance_weights: tuple[float, float] = (0.01, 0.01),
) -> Measures:
    """Take all figures.

    Args:
        fused: the mixture, with a learned router.
        samples: of it.
        terms: of all columns that it reads, those of the experts first.
        groups: names of the joint groups.
        balance_weights: of the pull to uniform and of the load-balance loss in its training.
    """
    router = fused.router
    assert isinstance(router, LearnedRouter)
    few = samples.subset(2048)
    masks = situations(samples)
    means = torch.stack([samples.weights[torch.from_numpy(mask)].mean(dim=0) for mask in masks.values()])
    surrogate, balance = gradient_norms(fused, few, terms, balance_weights)
    count = router.state_dict().get("normalizer.count")
    usage, largest = samples.weights.mean(dim=0), samples.weights.amax(dim=-1)
    return Measures(
        spread=float(samples.weights.std(dim=0, correction=0).max()),
        spread_between=float(means.std(dim=0, correction=0).max()),
        num_situations=len(masks),
        usage={group: tuple(usage[i].tolist()) for i, group in enumerate(groups)},
        sure={group: float((largest[:, i] > SURE).float().mean()) for i, group in enumerate(groups)},
        expert_distance=expert_distance(samples.expert_actions),
        action_size=float(samples.expert_actions.square().mean().sqrt()),
        sensitivity=sensitivity(fused, few, terms),
        gradients=surrogate,
        balance_gradient=balance,
        router_samples=None if count is None else int(count),
        temperature=router.options.temperature,
        top_k=router.options.top_k,
    )


def expert_distance(actions: torch.Tensor) -> float:
    """Return the root mean square difference of the closest pair of experts; actions (M, E, 18)."""
    count = actions.shape[1]
    pairs = [(i, j) for i in range(count) for j in range(i)]
    return min(float((actions[:, i] - actions[:, j]).square().mean().sqrt()) for i, j in pairs) if pairs else 0.0


def sensitivity(
    fused: FusedPolicy, samples: Samples, terms: Sequence[ObservationTerm], seed: int = 0
) -> dict[str, float]:
    """Return how much the weights change, mean over samples and the largest over weights, when a term is shuffled.

    Terms of the router's own columns are called `router.<name>`; terms that the router does not read give 0.
    """
    observation = flat_observation(samples.obs, terms)
    order = torch.from_numpy(np.random.default_rng(seed).permutation(len(observation)))
    changes: dict[str, float] = {}
    start = 0
    with torch.inference_mode():
        before = fused(observation)[1]
        for term in terms:
            end = start + term.size * term.history
            shuffled = observation.clone()
            shuffled[:, start:end] = observation[order, start:end]
            name = term.name if start < fused.policy_size else f"router.{term.name}"
            changes[name] = float((fused(shuffled)[1] - before).abs().mean(dim=0).max())
            start = end
    return changes


def gradient_norms(
    fused: FusedPolicy, samples: Samples, terms: Sequence[ObservationTerm], balance_weights: tuple[float, float]
) -> tuple[dict[str, float], float]:
    """Return the norms of a PPO surrogate's gradient by part (`router`, each expert) and of the losses on the weights.

    All parts count as trainable here, whether or not the training froze them.
    """
    model = copy.deepcopy(fused).requires_grad_(True).train()
    assert isinstance(model.router, LearnedRouter)
    model.router.options = replace(model.router.options, noise=0.0)
    observation = flat_observation(samples.obs, terms)
    parts: dict[str, nn.Module] = {"router": model.router, **dict(model.experts.items())}

    action, weights, _ = model(observation)
    log_prob = -0.5 * ((samples.actions - action) / NOISE).square().sum(dim=-1)
    ratio = torch.exp(log_prob - log_prob.detach())
    (-(samples.advantages * ratio).mean()).backward(retain_graph=True)
    surrogate = {name: _norm(part) for name, part in parts.items()}
    model.zero_grad()
    uniform, balance = balance_weights
    (uniform * pull_to_uniform(weights) + balance * load_balance(weights)).backward()
    return surrogate, _norm(model.router)


def _norm(part: nn.Module) -> float:
    gradients = [parameter.grad for parameter in part.parameters() if parameter.grad is not None]
    return float(torch.stack([gradient.norm() for gradient in gradients]).norm()) if gradients else 0.0
