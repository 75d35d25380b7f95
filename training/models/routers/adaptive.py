"""A gate that picks or blends depending on how well the robot tracks its commands just now."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from moe_controller.contract import ObservationTerm
from torch import nn

from .base import Observations
from .columns import find_term
from .obs_moe import ObsMoE, policy_group
from .routing import route

LOWEST_TEMPERATURE = 0.05
"""Below it the softmax is a step, and no gradient is left."""

POSITION_UNIT, TURN_UNIT, YAW_UNIT = 0.1, 0.5, 0.4
"""Errors that count as difficulty 1: m, chordal distance of rot6D (0.5 is about 20 degrees), rad/s."""


class TrackingDifficulty(nn.Module):
    """Observation (N, P) -> tracking errors (N, 3): end-effector position, its orientation, yaw rate; 1 is hard.

    The errors are read from the observation's terms: `ee_preview` (the nearest target seen from the end effector) and
    the yaw rate of `velocity_command` and `angular_velocity`.

    Raises:
        ValueError: one of these terms is missing.
    """

    identity: torch.Tensor

    def __init__(self, terms: Sequence[ObservationTerm]) -> None:
        super().__init__()
        preview, columns = find_term(terms, "ee_preview")
        command, command_columns = find_term(terms, "velocity_command")
        rate, rate_columns = find_term(terms, "angular_velocity")
        self._position = slice(columns.start, columns.start + 3)
        self._turn = slice(columns.start + 3, columns.start + 9)
        self._yaw_command, self._yaw_rate = command_columns.start + 2, rate_columns.start + 2
        self._scales = (preview.scale, command.scale, rate.scale)
        # two rows of the unit matrix; a constant, so no part of checkpoints
        self.register_buffer("identity", torch.tensor([1.0, 0, 0, 0, 1, 0]) * preview.scale, persistent=False)

    def forward(self, observation: torch.Tensor) -> torch.Tensor:
        """Return the difficulties."""
        preview, command, rate = self._scales
        position = observation[:, self._position].norm(dim=-1) / (preview * POSITION_UNIT)
        turn = (observation[:, self._turn] - self.identity).norm(dim=-1) / (preview * TURN_UNIT)
        yaw = observation[:, self._yaw_command] / command - observation[:, self._yaw_rate] / rate
        return torch.stack([position, turn, yaw.abs() / YAW_UNIT], dim=-1)


class AdaptiveObsMoE(ObsMoE):
    """ObsMoE whose temperature is softplus(a + b * difficulty), with learned a and b; it starts at 1 everywhere.

    Args:
        obs_dim: size of the observation.
        terms: terms of the observation.
        options: as `ObsMoE` has them; `options.temperature` is a factor.
    """

    def __init__(self, obs_dim: int, terms: Sequence[ObservationTerm], **options: Any) -> None:
        super().__init__(obs_dim, **options)
        self.difficulty = TrackingDifficulty(terms)
        self.offset = nn.Parameter(torch.tensor(math.log(math.e - 1.0)))  # softplus of it is 1
        self.slope = nn.Parameter(torch.zeros(3))

    def temperature(self, obs: Observations | torch.Tensor) -> torch.Tensor:
        """Return the temperatures, (N,)."""
        difficulty = self.difficulty(policy_group(obs)).clamp(max=5.0)  # a far target is not harder than far
        return nn.functional.softplus(self.offset + difficulty @ self.slope).clamp(min=LOWEST_TEMPERATURE)

    def forward(self, obs: Observations | torch.Tensor) -> torch.Tensor:
        """Return the weights."""
        return route(self.logits(obs), self.options, self.training, self.temperature(obs)[:, None, None])
