"""The policy to play."""

from __future__ import annotations

from pathlib import Path

from ..models.loading import load_experts, load_policy, load_torch_policy
from ..models.policy import Policy
from .errors import PlayError

BASE, ARM = "base", "arm"


def load_mixture(moe: Path, base: Path | None = None, arm: Path | None = None) -> Policy:
    """Read a policy; other checkpoints may stand in for its experts.

    Args:
        moe: `.safetensors` or `.onnx`.
        base: checkpoint instead of the mixture's expert `base`; None leaves it.
        arm: the same for `arm`.

    Raises:
        CheckpointError: a file is missing, damaged, foreign or of another layout.
        PlayError: the policy has no such expert, or is a finished ONNX file.
    """
    others = {name: path for name, path in ((BASE, base), (ARM, arm)) if path is not None}
    if not others:
        return load_policy(moe)
    if moe.suffix == ".onnx":
        raise PlayError(f"{moe} has its experts inside; give the mixture's .safetensors to exchange some")
    policy = load_torch_policy(moe)
    for name, path in others.items():
        if name not in policy.experts:
            raise PlayError(f"{moe} has no expert '{name}' to exchange, it has {', '.join(policy.experts)}")
        expert = load_experts([path], (name,), policy.card.observation)[name]
        policy.fused.experts[name] = expert.eval().requires_grad_(False)
    return policy
