"""The observation of the policy, built by one piece of code in training and on the robot.

Every function works on batches: leading dimensions are free, NumPy only, no ROS.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from go2_piper_description.joints import ARM_SLICE, NUM_JOINTS, joint_array
from go2_piper_description.kinematics import ArmKinematics
from numpy.typing import NDArray

from .contract import ContractError, ObservationTerm

Array = NDArray[np.float64]

POSE_SIZE = 9
"""Position and the first two rows of the rotation matrix (rot6D, as UMI-on-Legs has it)."""


@dataclass
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
    target_position: Array
    """Positions wanted for ee_link in base_link at the builder's preview times, m, (..., T, 3)."""
    target_rotation: Array
    """Orientations wanted, base_link <- ee_link, (..., T, 3, 3)."""
    last_action: Array
    """Limited raw action of the previous control step, (..., 18)."""
    arm: ArmKinematics

    @cached_property
    def ee(self) -> Array:
        """Pose of ee_link in base_link from the measured joints, (..., 4, 4)."""
        return self.arm.ee_transform(self.joint_position[..., ARM_SLICE])

    def relative_poses(self, index: NDArray[np.int64]) -> Array:
        """Return targets seen from the present ee_link: position and rot6D, (..., len(index), 9)."""
        rotation = self.ee[..., :3, :3]
        position = (self.target_position[..., index, :] - self.ee[..., None, :3, 3]) @ rotation
        turn = np.swapaxes(rotation, -1, -2)[..., None, :, :] @ self.target_rotation[..., index, :, :]
        return np.concatenate([position, turn[..., :2, :].reshape(*turn.shape[:-2], 6)], axis=-1)


def projected_gravity(orientation: Array) -> Array:
    """Return the unit vector of gravity in base_link: -(third row of the rotation matrix).

    Args:
        orientation: x, y, z, w, shape (..., 4), unit length.
    """
    x, y, z, w = (orientation[..., i] for i in range(4))
    return np.stack([2 * (w * y - x * z), -2 * (w * x + y * z), 2 * (x * x + y * y) - 1], axis=-1)


_DEFAULT_POSITION = joint_array("stand")
Indices = NDArray[np.int64]


def _flat(values: Array) -> Array:
    return values.reshape(*values.shape[:-2], -1)


def _arm_reference(inputs: ObservationInputs, index: Indices) -> Array:
    joints, _ = inputs.arm.inverse(inputs.target_position[..., index, :], inputs.target_rotation[..., index, :, :])
    return _flat(joints - _DEFAULT_POSITION[ARM_SLICE])


def _ee_error(inputs: ObservationInputs, index: Indices) -> Array:
    """Position and orientation (the vector part of the turn, sin(angle) * axis) still to go, (..., 6)."""
    turn = np.swapaxes(inputs.ee[..., :3, :3], -1, -2) @ inputs.target_rotation[..., index[0], :, :]
    skew = turn - np.swapaxes(turn, -1, -2)
    vector = 0.5 * np.stack([skew[..., 2, 1], skew[..., 0, 2], skew[..., 1, 0]], axis=-1)
    return np.concatenate([inputs.relative_poses(index[:1])[..., 0, :3], vector], axis=-1)


def _ee_path(inputs: ObservationInputs, index: Indices, times: Array) -> Array:
    poses = inputs.relative_poses(index)
    return _flat(np.concatenate([poses, np.broadcast_to(times[:, None], (*poses.shape[:-1], 1))], axis=-1))


_PLAIN: Mapping[str, tuple[int, Callable[[ObservationInputs], Array]]] = {
    "angular_velocity": (3, lambda inputs: inputs.angular_velocity),
    "projected_gravity": (3, lambda inputs: projected_gravity(inputs.orientation)),
    "velocity_command": (3, lambda inputs: inputs.velocity_command),
    "joint_position": (NUM_JOINTS, lambda inputs: inputs.joint_position - _DEFAULT_POSITION),
    "joint_velocity": (NUM_JOINTS, lambda inputs: inputs.joint_velocity),
    "last_action": (NUM_JOINTS, lambda inputs: inputs.last_action),
}
"""Terms that only look at now: size and function."""

_TARGET: Mapping[str, tuple[int, Callable[[ObservationInputs, Indices, Array], Array]]] = {
    "ee_target_position": (3, lambda inputs, index, times: _flat(inputs.target_position[..., index, :])),
    "arm_reference": (6, lambda inputs, index, times: _arm_reference(inputs, index)),
    "ee_preview": (POSE_SIZE, lambda inputs, index, times: _flat(inputs.relative_poses(index))),
    "ee_path": (POSE_SIZE + 1, _ee_path),
}
"""Terms that look at the end-effector's target at their times: size per time and function."""

_ERROR = "ee_error"
"""Looks at the first of its times only."""

PREVIEW_TIMES = (0.02, 0.04, 0.06, 1.0)
"""s, as UMI-on-Legs has them (systems.md 4)."""
PATH_TIMES = (0.1, 0.25, 0.5, 1.0, 2.0)
"""s ahead of now of the attention router's path tokens."""
HISTORY, HISTORY_STRIDE = 5, 4
"""The attention router's history tokens: five, 80 ms apart."""

DEFAULT_TERMS: tuple[ObservationTerm, ...] = (
    ObservationTerm("angular_velocity", 3, scale=0.25),
    ObservationTerm("projected_gravity", 3),
    ObservationTerm("velocity_command", 3),
    ObservationTerm("ee_target_position", 3, times=PREVIEW_TIMES[:1]),
    ObservationTerm("arm_reference", 6, times=PREVIEW_TIMES[:1]),
    ObservationTerm("ee_preview", POSE_SIZE * len(PREVIEW_TIMES), times=PREVIEW_TIMES),
    ObservationTerm("joint_position", NUM_JOINTS),
    ObservationTerm("joint_velocity", NUM_JOINTS, scale=0.05),
    ObservationTerm("last_action", NUM_JOINTS),
)
"""What the experts of the shipped policies see."""

ROUTER_TERMS: tuple[ObservationTerm, ...] = (
    ObservationTerm("angular_velocity", 3, scale=0.25, history=HISTORY, stride=HISTORY_STRIDE),
    ObservationTerm("projected_gravity", 3, history=HISTORY, stride=HISTORY_STRIDE),
    ObservationTerm("velocity_command", 3, history=HISTORY, stride=HISTORY_STRIDE),
    ObservationTerm("ee_error", 6, history=HISTORY, stride=HISTORY_STRIDE, times=PREVIEW_TIMES[:1]),
    ObservationTerm("ee_path", (POSE_SIZE + 1) * len(PATH_TIMES), times=PATH_TIMES),
)
"""What an attention router sees beside that: history tokens, then path tokens."""


def terms_size(terms: tuple[ObservationTerm, ...]) -> int:
    """Return the length of the vector that these terms make."""
    return sum(term.size * term.history for term in terms)


def preview_times(terms: tuple[ObservationTerm, ...]) -> tuple[float, ...]:
    """Return the times, s ahead of now, at which these terms need the target; 0 is always among them."""
    return tuple(sorted({0.0, *(time for term in terms for time in term.times)}))


class ObservationBuilder:
    """Concatenates the terms that a contract lists. Keeps the past of terms with a history.

    Raises:
        ContractError: unknown term or wrong size.
    """

    def __init__(self, terms: tuple[ObservationTerm, ...], arm: ArmKinematics | None = None) -> None:
        self.terms = terms
        self.size = terms_size(terms)
        self.arm = arm or ArmKinematics()
        self.times = preview_times(terms)
        """When the target is needed, s ahead of now: the order of T in `ObservationInputs`."""
        self._functions = [self._function(term) for term in terms]
        sizes = np.array([term.size * term.history for term in terms], dtype=np.int64)
        self._scale = np.repeat(np.array([term.scale for term in terms], dtype=np.float64), sizes)
        self._clip = np.repeat(np.array([term.clip for term in terms], dtype=np.float64), sizes)
        self._depth = {i: (term.history - 1) * term.stride + 1 for i, term in enumerate(terms) if term.history > 1}
        self._past: dict[int, Array] = {}

    def _function(self, term: ObservationTerm) -> Callable[[ObservationInputs], Array]:
        times = term.times or (0.0,)
        index = np.array([self.times.index(time) for time in times])
        if term.name in _PLAIN:
            size, plain = _PLAIN[term.name]
            function = plain
        elif term.name == _ERROR:
            size, function = 6, lambda inputs: _ee_error(inputs, index)
        elif term.name in _TARGET:
            one, target = _TARGET[term.name]
            ahead = np.array(times)
            size, function = one * len(times), lambda inputs: target(inputs, index, ahead)
        else:
            known = ", ".join((*_PLAIN, _ERROR, *_TARGET))
            raise ContractError(f"unknown observation term '{term.name}'; known: {known}")
        if term.size != size:
            raise ContractError(f"observation term '{term.name}' has size {term.size}, not {size}")
        return function

    def inputs(self, **values: Array) -> ObservationInputs:
        """Return the inputs with this builder's arm; arguments as the fields of `ObservationInputs`."""
        return ObservationInputs(arm=self.arm, **values)

    def reset(self, ids: NDArray[np.int64] | None = None) -> None:
        """Forget the past, of some rows of a batch only if given: the next `build` fills it with the present."""
        if ids is None:
            self._past.clear()
            return
        for past in self._past.values():
            past[ids] = np.nan

    def build(self, inputs: ObservationInputs, remember: bool = True) -> NDArray[np.float32]:
        """Return the observation, shape (..., size), before the policy's own normaliser.

        Args:
            inputs: of the present.
            remember: push it to the past; once per control step. Else it is one that only might be.
        """
        blocks = []
        for i, (term, function) in enumerate(zip(self.terms, self._functions, strict=True)):
            block = function(inputs)
            blocks.append(self._with_past(i, term, block, remember) if i in self._depth else block)
        scaled = np.concatenate(blocks, axis=-1) * self._scale
        return scaled.clip(-self._clip, self._clip).astype(np.float32)

    def _with_past(self, index: int, term: ObservationTerm, block: Array, remember: bool) -> Array:
        """Push the newest block, shape (..., size), and return the history, (..., history * size), oldest first."""
        past = self._past.get(index)
        if past is None:
            past = np.full((*block.shape[:-1], self._depth[index], term.size), np.nan)
        past = np.concatenate([past[..., 1:, :], block[..., None, :]], axis=-2)
        past = np.where(np.isnan(past), block[..., None, :], past)
        if remember:
            self._past[index] = past
        return _flat(past[..., :: term.stride, :])
