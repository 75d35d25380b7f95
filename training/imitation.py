"""A warm start: the actor first learns by heart what plain kinematics would do.

That is a trot for the legs and inverse kinematics for the arm. Reinforcement learning then only has to add what they do
not know: balance, sag, lag, a moving base. From nothing that takes millions of steps more.
"""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import torch
from go2_piper_description.joints import ARM_SLICE, LEG_SLICE, NUM_JOINTS, joint_array
from tensordict import TensorDict

from .envs.go2_piper_env import Go2PiperEnv
from .gait import Trot


class KinematicTeacher:
    """What the episode's mode asks for, by kinematics alone: walk or stand, reach or keep the arm at rest."""

    def __init__(self, env: Go2PiperEnv, trot: Trot | None = None) -> None:
        self.env, self.trot = env, trot or Trot()
        self._phase = np.zeros(env.num_envs)
        self._default = joint_array("stand")

    def action(self) -> torch.Tensor:
        """Return the raw action for the state and goals that the last observation showed, (N, 18). Once per step."""
        env = self.env
        command = np.where(env.flag("stand")[:, None], 0.0, env.command)
        moving = np.linalg.norm(command, axis=1) > 0.05
        self._phase = np.where(moving & (env.episode_length_buf.numpy() > 0), self._phase, 0.0)
        target = np.tile(self._default, (env.num_envs, 1))
        target[:, LEG_SLICE] = self.trot.joints(command, self._phase)
        self._phase = (self._phase + env.config.control_period * self.trot.frequency) % 1.0
        joints, _ = env.arm.inverse(env.target_position[:, 0], env.target_rotation[:, 0])
        target[:, ARM_SLICE] = np.where(env.flag("reach")[:, None], joints, self._default[ARM_SLICE])
        clip = env.config.action_clip
        return torch.from_numpy(np.clip((target - self._default) / env.action_scale, -clip, clip).astype(np.float32))


def clone_kinematics(
    env: Go2PiperEnv, actor: Any, steps: int, noise: float = 0.15, updates: int = 8, learning_rate: float = 2e-3
) -> float:
    """Regress the actor's mean action to the teacher's, on states that the teacher's noisy actions visit.

    The noise shows the actor states off the teacher's path, with the way back.

    Args:
        env: its episodes go on.
        actor: with `mean_action(obs)`, as the models of this package; trained in place.
        steps: control steps of all environments; the actor's normaliser learns in the first quarter, before the rest.
        noise: standard deviation of what is added to the teacher's raw action.
        updates: gradient steps per control step.
        learning_rate: at the start; falls to a twentieth.

    Returns:
        mean squared error of the raw action over the last tenth.
    """
    teacher = KinematicTeacher(env)
    optimizer = torch.optim.Adam(actor.parameters(), lr=learning_rate)
    obs = env.get_observations()
    kept: list[tuple[TensorDict, torch.Tensor]] = []
    errors: list[float] = []
    first = steps // 4
    for step in range(steps):
        wanted = teacher.action()
        kept.append((obs, wanted))
        if step < first:
            actor.update_normalization(obs)
        obs, *_ = env.step(wanted + noise * torch.randn(env.num_envs, NUM_JOINTS))
        for group in optimizer.param_groups:
            group["lr"] = learning_rate * 0.05 ** (max(step - first, 0) / (steps - first))
        for _ in range(updates if step >= first else 0):
            one, other = (kept[int(i)] for i in torch.randint(len(kept), (2,)))
            seen = cast(TensorDict, torch.cat([one[0], other[0]]))
            loss = torch.nn.functional.mse_loss(actor.mean_action(seen), torch.cat([one[1], other[1]]))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            errors.append(loss.item())
    return float(np.mean(errors[-max(1, len(errors) // 10) :]))
