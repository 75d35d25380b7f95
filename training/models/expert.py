"""One expert: observation normaliser and MLP, from the observation to the raw action."""

from __future__ import annotations

import hashlib
from pathlib import Path

import torch
from rsl_rl.modules import MLP, EmpiricalNormalization
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

EXPERT_HIDDEN_DIMS = (256, 128, 64)


class CheckpointError(ValueError):
    """A checkpoint is missing, damaged or of another layout; one line."""


class Expert(nn.Module):
    """Deterministic policy (N, observation) -> (N, actions), raw actions before clipping."""

    def __init__(
        self, observation_size: int, num_actions: int, hidden_dims: tuple[int, ...] = EXPERT_HIDDEN_DIMS
    ) -> None:
        super().__init__()
        self.normalizer = EmpiricalNormalization(observation_size)
        self.mlp = MLP(observation_size, num_actions, list(hidden_dims), "elu")

    def forward(self, observation: torch.Tensor) -> torch.Tensor:
        """Return raw actions."""
        return self.mlp(self.normalizer(observation))


def save_expert(expert: Expert, path: Path) -> None:
    """Write the expert's weights and normaliser as safetensors."""
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({key: value.contiguous() for key, value in expert.state_dict().items()}, path)


def load_expert(path: Path, observation_size: int, num_actions: int) -> Expert:
    """Read an expert back.

    Raises:
        CheckpointError: missing or unreadable file, or tensors of other shapes (named).
    """
    if not path.is_file():
        raise CheckpointError(f"no expert checkpoint at {path}: train it first or give its path")
    try:
        state = load_file(path)
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path} is not a readable safetensors file ({error})") from error
    expert = Expert(observation_size, num_actions)
    wanted = expert.state_dict()
    differ = [
        f"{key}: {tuple(state[key].shape) if key in state else 'missing'} instead of {tuple(value.shape)}"
        for key, value in wanted.items()
        if key not in state or state[key].shape != value.shape
    ]
    if differ or set(state) - set(wanted):
        differ += [f"{key}: unknown" for key in sorted(set(state) - set(wanted))]
        raise CheckpointError(f"{path} holds another network: {'; '.join(differ)}")
    expert.load_state_dict(state)
    return expert


def file_sha256(path: Path) -> str:
    """Return the hex digest of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
