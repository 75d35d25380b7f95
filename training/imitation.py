"""A warm start for reaching: the actor first learns by heart what the closed-form inverse kinematics would do.

Reinforcement learning then only has to add what kinematics does not know: sag, lag, a moving base. From nothing it
needs more than a million steps to find the same map.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from go2_piper_description.joints import ARM_SLICE, NUM_JOINTS, joint_array

from .envs.go2_piper_env import Go2PiperEnv


def kinematic_action(env: Go2PiperEnv) -> torch.Tensor:
    """Return the raw action that stands and puts the arm where the inverse kinematics of its target says, (N, 18)."""
    at = 0  # the earliest time that the observation shows
    joints, _ = env.arm.inverse(env.target_position[:, at], env.target_rotation[:, at])
    action = np.zeros((env.num_envs, NUM_JOINTS))
    action[:, ARM_SLICE] = (joints - joint_array("stand")[ARM_SLICE]) / env.action_scale[ARM_SLICE]
    clip = env.config.action_clip
    return torch.from_numpy(np.clip(action, -clip, clip).astype(np.float32))


def clone_kinematics(env: Go2PiperEnv, actor: Any, steps: int, learning_rate: float = 2e-3) -> float:
    """Regress the actor's mean action to `kinematic_action`, on states that its own noisy actions visit.

    Args:
        env: its episodes go on.
        actor: with `mean_action(obs)`, as the models of this package; trained in place; its normaliser learns in the first half.
        steps: control steps of all environments.
        learning_rate: at the start; falls to a tenth.

    Returns:
        mean squared error of the raw action over the last tenth.
    """
    optimizer = torch.optim.Adam(actor.parameters(), lr=learning_rate)
    obs = env.get_observations()
    kept: list[tuple[object, torch.Tensor]] = []
    errors: list[float] = []
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate * 0.1 ** (step / steps)
        kept.append((obs, kinematic_action(env)))
        with torch.no_grad():
            if step < steps // 2:
                actor.update_normalization(obs)
            action = actor(obs, stochastic_output=True)
        obs, *_ = env.step(action)
        for _ in range(4):
            seen, wanted = kept[int(torch.randint(len(kept), ()))]
            loss = torch.nn.functional.mse_loss(actor.mean_action(seen), wanted)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        errors.append(loss.item())
    return float(np.mean(errors[-max(1, steps // 10) :]))
