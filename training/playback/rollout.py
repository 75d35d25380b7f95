"""One policy in one environment for some steps, and everything that happened."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from ..envs.go2_piper_env import Go2PiperEnv
from ..envs.goals import Goals
from ..envs.trajectory_goals import TrajectoryGoals
from ..models.policy import Policy
from .errors import PlayError
from .mobile_goals import NOW, MobileGoals

Array = NDArray[np.float32]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Step:
    """N robots at one control step: state before the action, the action, and what came of it. SI units."""

    base_position: Array
    """In the world, (N, 3)."""
    base_orientation: Array
    """x, y, z, w in the world, (N, 4)."""
    base_linear_velocity: Array
    """In base_link, (N, 3)."""
    base_angular_velocity: Array
    """In base_link, (N, 3)."""
    joint_position: Array
    """Canonical order, (N, 18)."""
    joint_velocity: Array
    """(N, 18)"""
    joint_torque: Array
    """(N, 18)"""
    ee_position: Array
    """In base_link, (N, 3)."""
    ee_orientation: Array
    """x, y, z, w in base_link, (N, 4)."""
    target_position: Array
    """Wanted for ee_link, in base_link, (N, 3)."""
    target_orientation: Array
    """x, y, z, w in base_link, (N, 4)."""
    command: Array
    """vx, vy, wz, (N, 3)."""
    mode: NDArray[np.int64]
    """Index of the environment's mode, (N,)."""
    walks: Flags
    """Whether the velocity error counts, (N,)."""
    reaches: Flags
    """Whether the end-effector error counts, (N,)."""
    weights: Array
    """(N, G, E)"""
    action: Array
    """Raw, before clip and scale, (N, 18)."""
    expert_actions: Array
    """What each expert alone would do, (N, E, 18)."""
    reward: Array
    """(N,)"""
    fell: Flags
    """Whether this step ended in a fall; the next one is of a new episode, (N,)."""


Watch = Callable[[int, Step], bool]
"""Called after each step with its number; false ends the rollout."""


@dataclass(frozen=True)
class Rollout:
    """All steps of a rollout, and the names that its axes carry."""

    steps: Step
    """With time as a further first axis: (T, N, ...)."""
    period: float
    """s between steps."""
    policy: str
    experts: tuple[str, ...]
    groups: tuple[str, ...]
    modes: tuple[str, ...]

    @property
    def time(self) -> NDArray:
        """s from the start, (T,)."""
        return np.arange(len(self.steps.reward)) * self.period

    @property
    def ee_error(self) -> Array:
        """Distance of ee_link from where it should be, m, (T, N)."""
        return np.linalg.norm(self.steps.ee_position - self.steps.target_position, axis=-1)

    @property
    def ee_angle(self) -> Array:
        """Angle between the orientations of ee_link and its target, rad, (T, N)."""
        dot = np.abs(np.sum(self.steps.ee_orientation * self.steps.target_orientation, axis=-1))
        return 2.0 * np.arccos(np.clip(dot, 0.0, 1.0))

    @property
    def linear_error(self) -> Array:
        """Difference of velocity and command, m/s, (T, N)."""
        return np.linalg.norm(self.steps.base_linear_velocity[..., :2] - self.steps.command[..., :2], axis=-1)

    @property
    def yaw_error(self) -> Array:
        """Difference of turn rate and command, rad/s, (T, N)."""
        return np.abs(self.steps.base_angular_velocity[..., 2] - self.steps.command[..., 2])

    @property
    def speed(self) -> Array:
        """Horizontal speed of the base, m/s, (T, N)."""
        return np.linalg.norm(self.steps.base_linear_velocity[..., :2], axis=-1)


def roll_out(policy: Policy, env: Go2PiperEnv, steps: int, watch: Watch | None = None) -> Rollout:
    """Run a policy without exploration.

    Args:
        policy: fits the environment, see `session.build_env`.
        env: as it stands; falls start new episodes in it.
        steps: control steps.
        watch: see `Watch`.

    Raises:
        PlayError: the policy does not fit the environment, or gives numbers that are not finite.
    """
    rows = []
    observation = env.get_observations()
    for index in range(steps):
        before = _state(env)
        with torch.inference_mode():
            try:
                outputs = policy.run(observation)
            except ValueError as error:
                raise PlayError(f"{policy.name}: {error}") from error
        if not torch.isfinite(outputs.action).all():
            raise PlayError(f"{policy.name} gives an action that is not finite at step {index}: do not use it")
        observation, reward, done, extras = env.step(outputs.action)
        fell = done.numpy().astype(bool) & ~extras["time_outs"].numpy()
        row = Step(
            **before,
            weights=outputs.weights.numpy(),
            action=outputs.action.numpy(),
            expert_actions=outputs.expert_actions.numpy(),
            reward=reward.numpy(),
            fell=fell,
        )
        rows.append(row)
        if watch is not None and not watch(index, row):
            break
    stacked = {field.name: np.stack([getattr(row, field.name) for row in rows]) for field in fields(Step)}
    period = env.config.control_period
    return Rollout(Step(**stacked), period, policy.name, policy.experts, policy.groups, tuple(env.mode_names))


def _state(env: Go2PiperEnv) -> dict[str, NDArray]:
    """Return the fields of a step that are known before its action."""
    wanted = _wanted(env.goals)
    position, rotation = (values[:, 0] for values in wanted.targets(NOW, env))
    running = wanted.running if isinstance(wanted, TrajectoryGoals) else np.ones(env.num_envs, dtype=bool)
    values = {
        "base_position": env.base_position,
        "base_orientation": env.base_orientation,
        "base_linear_velocity": env.base_linear_velocity,
        "base_angular_velocity": env.base_angular_velocity,
        "joint_position": env.joint_position,
        "joint_velocity": env.joint_velocity,
        "joint_torque": env.torque,
        "ee_position": env.ee_position,
        "ee_orientation": Rotation.from_matrix(env.ee_rotation).as_quat(),
        "target_position": position,
        "target_orientation": Rotation.from_matrix(rotation).as_quat(),
        "command": env.command,
    }
    flags = {"mode": env.mode.copy(), "walks": env.flag("walk").copy(), "reaches": env.flag("reach") & running}
    return {name: value.astype(np.float32) for name, value in values.items()} | flags


def _wanted(goals: Goals) -> Goals:
    """Return goals as the operator means them, not as they are shown to the policy."""
    return goals.wanted if isinstance(goals, MobileGoals) else goals
