"""One expert: observation normaliser and MLP, from the observation to the raw action."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from itertools import count, takewhile
from pathlib import Path

import torch
from rsl_rl.modules import MLP, EmpiricalNormalization
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from ..checkpoint import CheckpointError, fit_state

__all__ = ["EXPERT_HIDDEN_DIMS", "CheckpointError", "Expert", "expert_from_state"]

EXPERT_HIDDEN_DIMS = (256, 128, 64)


class Expert(nn.Module):
    """Deterministic policy (N, observation) -> (N, actions), raw actions before clipping."""

    def __init__(
        self, observation_size: int, num_actions: int, hidden_dims: Sequence[int] = EXPERT_HIDDEN_DIMS
    ) -> None:
        super().__init__()
        self.hidden_dims = tuple(hidden_dims)
        self.normalizer = EmpiricalNormalization(observation_size)
        self.mlp = MLP(observation_size, num_actions, list(hidden_dims), "elu")

    def forward(self, observation: torch.Tensor) -> torch.Tensor:
        """Return raw actions."""
        return self.mlp(self.normalizer(observation))


def expert_from_state(state: Mapping[str, torch.Tensor], source: object) -> Expert:
    """Build an expert of the size that its tensors have.

    Args:
        state: `normalizer.*` and `mlp.*`.
        source: the file's path, for the message.

    Raises:
        CheckpointError: these are not the tensors of an expert.
    """
    keys = takewhile(state.__contains__, (f"mlp.{index}.weight" for index in count(step=2)))  # ELUs have the odd ones
    layers = [state[key].shape for key in keys]
    if len(layers) < 2 or any(len(shape) != 2 for shape in layers):
        raise CheckpointError(f"{source} holds no expert: its layers mlp.0.weight, mlp.2.weight, ... are missing")
    expert = Expert(layers[0][1], layers[-1][0], [shape[0] for shape in layers[:-1]])
    fit_state(expert, state, source)
    return expert


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
    fit_state(expert, state, path)
    return expert


def file_sha256(path: Path) -> str:
    """Return the hex digest of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
