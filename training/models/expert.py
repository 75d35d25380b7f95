"""One expert: observation normaliser and MLP, from the observation to the raw action."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import count, takewhile

import torch
from rsl_rl.modules import MLP, EmpiricalNormalization
from torch import nn

from ..checkpoint import CheckpointError, fit_state

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
