"""Checkpoints and ONNX files as policies; checkpoints as experts for a new mixture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from go2_piper_description.joints import NUM_JOINTS
from moe_controller.contract import ObservationTerm
from moe_controller.observation import terms_size

from ..checkpoint import Card, CheckpointError, check_layout, fit_state, load_checkpoint
from .expert import Expert, expert_from_state
from .fused import FusedPolicy
from .onnx_file import OnnxFile
from .policy import Policy, TorchPolicy
from .routers import ConstantRouter, RouterInputs, build_router


def load_policy(path: Path | str, name: str | None = None) -> Policy:
    """Read a trained policy: `.safetensors` (an expert or a mixture) or `.onnx`.

    Args:
        path: the file.
        name: for tables and plots, instead of the file's own.

    Raises:
        CheckpointError: missing, damaged or foreign file; one line.
    """
    path = Path(path)
    if path.suffix == ".onnx":
        return OnnxFile(path, name)
    return load_torch_policy(path, name)


def load_torch_policy(path: Path, name: str | None = None) -> TorchPolicy:
    """Read a checkpoint, an expert or a mixture. Raises CheckpointError."""
    state, card = load_checkpoint(path)
    experts = _experts(state, card, path)
    size = terms_size(card.observation)
    try:
        if card.kind == "expert":
            return TorchPolicy(FusedPolicy(experts, ConstantRouter([[1.0]]), size), card, name)
        inputs = RouterInputs(
            card.observation, card.router_observation, len(experts), card.network.get("num_groups", 1)
        )
        fused = FusedPolicy(experts, build_router(card.network.get("router", {}), inputs), size)
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{path}: its card describes no network ({error})") from error
    if "mixing" in fused.router.groups:
        raise CheckpointError(f"{path} has given weights and no router of its own: train the router stage on it first")
    fit_state(fused, state, path)
    return TorchPolicy(fused, card, name)


def load_experts(
    paths: Sequence[Path], names: tuple[str, ...], terms: tuple[ObservationTerm, ...]
) -> dict[str, Expert]:
    """Read the experts of a new mixture.

    Args:
        paths: checkpoints of experts, or of mixtures, which give all of their experts.
        names: what the experts are called in the new mixture, in order.
        terms: observation terms that they must have been trained on.

    Raises:
        CheckpointError: missing or foreign files, another layout, another number of experts than names.
    """
    found: list[Expert] = []
    scales: dict[tuple[float, ...], Path] = {}
    for path in paths:
        state, card = load_checkpoint(path)
        check_layout(card, terms, path)
        scales.setdefault(card.action_scale, path)
        found += _experts(state, card, path).values()
    if len(scales) > 1:
        raise CheckpointError(f"experts with different action scales: {', '.join(map(str, scales.values()))}")
    if len(found) != len(names):
        raise CheckpointError(
            f"{len(found)} experts in {', '.join(map(str, paths))}, but {len(names)} names: {', '.join(names)}"
        )
    return dict(zip(names, found, strict=True))


def _experts(state: Mapping[str, torch.Tensor], card: Card, path: Path) -> dict[str, Expert]:
    """Return the experts that a checkpoint holds, by name."""
    if card.kind == "expert":
        experts = {card.name: expert_from_state(state, path)}
    else:
        names = card.network.get("experts")
        if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
            raise CheckpointError(f"{path}: its card names no experts")
        experts = {name: expert_from_state(_below(state, f"experts.{name}."), f"{path} ({name})") for name in names}
    size = terms_size(card.observation)
    for name, expert in experts.items():
        shape = (expert.mlp[0].in_features, expert.mlp[-1].out_features)
        if shape != (size, NUM_JOINTS):
            raise CheckpointError(
                f"{path}: expert {name} maps {shape[0]} numbers to {shape[1]} actions, its card says {size} and "
                f"{NUM_JOINTS}"
            )
    return experts


def _below(state: Mapping[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    return {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}
