"""Small experts, observations and checkpoints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from go2_piper_description.joints import NUM_JOINTS
from moe_controller.observation import DEFAULT_TERMS, ROUTER_TERMS, terms_size
from tensordict import TensorDict

from training.checkpoint import Card, save_checkpoint
from training.models.expert import Expert
from training.models.fused import FusedPolicy
from training.models.routers import RouterInputs, build_router

SIZE, ROUTER_SIZE = terms_size(DEFAULT_TERMS), terms_size(ROUTER_TERMS)
HIDDEN = (16, 8)
CARD = Card("expert", "base", DEFAULT_TERMS, (0.25,) * NUM_JOINTS, {"hidden_dims": list(HIDDEN)})


def observations(n: int = 4, seed: int = 0) -> TensorDict:
    """Return random observation groups."""
    generator = torch.Generator().manual_seed(seed)
    groups = {
        "policy": torch.randn(n, SIZE, generator=generator),
        "router": torch.randn(n, ROUTER_SIZE, generator=generator),
        "mixing": torch.rand(n, 2, generator=generator),
    }
    return TensorDict(groups, batch_size=[n])


def expert(seed: int = 0, hidden_dims: Sequence[int] = HIDDEN) -> Expert:
    """Return an expert whose normaliser does something."""
    torch.manual_seed(seed)
    made = Expert(SIZE, NUM_JOINTS, hidden_dims)
    made.normalizer._mean.normal_()
    made.normalizer._std.uniform_(0.5, 2.0)
    return made


def write_expert(path: Path, seed: int = 0, **card: Any) -> Path:
    """Write the checkpoint of an expert."""
    save_checkpoint(path, expert(seed).state_dict(), replace(CARD, **{"name": path.stem, **card}))
    return path


def fused(router: Mapping[str, Any], names: Sequence[str] = ("base", "arm"), num_groups: int = 2) -> FusedPolicy:
    """Return a mixture of small experts."""
    experts = {name: expert(seed) for seed, name in enumerate(names)}
    inputs = RouterInputs(DEFAULT_TERMS, ROUTER_TERMS, len(names), num_groups)
    return FusedPolicy(experts, build_router(router, inputs), SIZE).eval()


def write_moe(
    path: Path, router: Mapping[str, Any], names: Sequence[str] = ("base", "arm"), num_groups: int = 2, **card: Any
) -> FusedPolicy:
    """Write the checkpoint of a mixture and return it."""
    made = fused(router, names, num_groups)
    network = {"experts": list(names), "num_groups": num_groups, "router": dict(router)}
    settings = {"kind": "moe", "name": path.stem, "network": network, "router_observation": ROUTER_TERMS, **card}
    save_checkpoint(path, made.state_dict(), replace(CARD, **settings))
    return made
