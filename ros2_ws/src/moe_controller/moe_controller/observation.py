"""The observation of the policy, built by one piece of code in training and on the robot.

Every function works on batches: leading dimensions are free, NumPy only, no ROS.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from go2_piper_description.joints import NUM_JOINTS, joint_array
from numpy.typing import NDArray

from .contract import ContractError, ObservationTerm

Array = NDArray[np.float64]


@dataclass(frozen=True)
class ObservationInputs:
    """What the terms are computed from. Leading dimensions (...) are the same for all."""

    orientation: Array
    """x, y, z, w of base_link in a gravity-aligned frame, (..., 4)."""
    angular_velocity: Array
    """rad/s in base_link, (..., 3)."""
    joint_position: Array
    """rad, canonical order, (..., 18)."""
    joint_velocity: Array
    """rad/s, (..., 18)."""
    velocity_command: Array
    """vx, vy, wz in base_link, (..., 3)."""
    ee_target: Array
    """Position wanted for ee_link in base_link, m, (..., 3)."""
    last_action: Array
    """Limited raw action of the previous control step, (..., 18)."""


def projected_gravity(orientation: Array) -> Array:
    """Return the unit vector of gravity in base_link: -(third row of the rotation matrix).

    Args:
        orientation: x, y, z, w, shape (..., 4), unit length.
    """
    x, y, z, w = np.moveaxis(np.asarray(orientation), -1, 0)
    return np.stack([2 * (w * y - x * z), -2 * (w * x + y * z), 2 * (x * x + y * y) - 1], axis=-1)


_DEFAULT_POSITION = joint_array("stand")

_TERMS: Mapping[str, tuple[int, Callable[[ObservationInputs], Array]]] = {
    "angular_velocity": (3, lambda inputs: inputs.angular_velocity),
    "projected_gravity": (3, lambda inputs: projected_gravity(inputs.orientation)),
    "velocity_command": (3, lambda inputs: inputs.velocity_command),
    "ee_target_position": (3, lambda inputs: inputs.ee_target),
    "joint_position": (NUM_JOINTS, lambda inputs: inputs.joint_position - _DEFAULT_POSITION),
    "joint_velocity": (NUM_JOINTS, lambda inputs: inputs.joint_velocity),
    "last_action": (NUM_JOINTS, lambda inputs: inputs.last_action),
}

DEFAULT_TERMS: tuple[ObservationTerm, ...] = (
    ObservationTerm("angular_velocity", 3, scale=0.25),
    ObservationTerm("projected_gravity", 3),
    ObservationTerm("velocity_command", 3),
    ObservationTerm("ee_target_position", 3),
    ObservationTerm("joint_position", NUM_JOINTS),
    ObservationTerm("joint_velocity", NUM_JOINTS, scale=0.05),
    ObservationTerm("last_action", NUM_JOINTS),
)
"""The observation of the shipped policies, 66 numbers."""


class ObservationBuilder:
    """Concatenates the terms that a contract lists.

    Raises:
        ContractError: unknown term, wrong size, or a history that is not built here.
    """

    def __init__(self, terms: tuple[ObservationTerm, ...]) -> None:
        for term in terms:
            if term.name not in _TERMS:
                raise ContractError(f"unknown observation term '{term.name}'; known: {', '.join(_TERMS)}")
            if term.size != _TERMS[term.name][0]:
                raise ContractError(f"observation term '{term.name}' has size {term.size}, not {_TERMS[term.name][0]}")
            if term.history != 1:
                raise ContractError(f"observation term '{term.name}' wants history {term.history}; only 1 is supported")
        self.terms = terms
        self.size = sum(term.size for term in terms)

    def build(self, inputs: ObservationInputs) -> NDArray[np.float32]:
        """Return the observation, shape (..., size), before the policy's own normaliser."""
        blocks = [np.clip(_TERMS[term.name][1](inputs) * term.scale, -term.clip, term.clip) for term in self.terms]
        return np.concatenate(blocks, axis=-1).astype(np.float32)
