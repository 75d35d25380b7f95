"""Samples of small mixtures without an environment: the forward command says walk (positive) or reach (zero)."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from moe_controller.observation import DEFAULT_TERMS

from tests.training.models.fixtures import fused, observations
from training.diagnosis.measures import NOISE
from training.diagnosis.samples import Samples
from training.models.fused import FusedPolicy
from training.models.routers.columns import find_term


def mixture(gain: float = 0.0, bias: float = 0.0, groups: int = 1, **router: Any) -> FusedPolicy:
    """Return a mixture whose gate's logit of the first expert is gain * command + bias, in every joint group."""
    made = fused({"kind": "obs_moe", "hidden_dims": [2], **router}, num_groups=groups)
    _, columns = find_term(DEFAULT_TERMS, "velocity_command")
    state = made.state_dict()
    state["router.normalizer.count"].fill_(1000)
    for key in [key for key in state if key.startswith("router.mlp")]:
        state[key].zero_()
    state["router.mlp.0.weight"][0, columns.start] = 1.0
    for group in range(groups):
        state["router.mlp.2.weight"][2 * group, 0] = gain
        state["router.mlp.2.bias"][2 * group] = bias
    return made


def samples_of(model: FusedPolicy, n: int = 400, seed: int = 0) -> Samples:
    """Return samples: half walking, half reaching; the advantage likes the first expert when walking."""
    obs = observations(n, seed)
    rng = np.random.default_rng(seed)
    mode = np.arange(n) % 2
    command = np.zeros((n, 3))
    command[mode == 0, 0] = rng.uniform(0.1, 1.0, n // 2)
    term, columns = find_term(DEFAULT_TERMS, "velocity_command")
    obs["policy"][:, columns] = torch.from_numpy(command).float() * term.scale
    with torch.no_grad():
        action, weights, experts = model(obs["policy"])
    generator = torch.Generator().manual_seed(seed)
    noise = NOISE * torch.randn(action.shape, generator=generator)
    wanted = torch.where(
        torch.from_numpy(mode == 0)[:, None], experts[:, 0] - experts[:, 1], experts[:, 1] - experts[:, 0]
    )
    advantages = (noise * wanted).sum(dim=-1)
    advantages = advantages / (advantages.std() + 1e-8)
    return Samples(
        obs, weights, experts, action + noise, advantages, mode, ("walk", "reach"), command, rng.uniform(0, 0.2, n)
    )
