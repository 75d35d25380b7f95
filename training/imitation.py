"""A warm start: the actor first learns by heart what plain kinematics would do.

That is a trot for the legs and inverse kinematics for the arm. Reinforcement learning then only has to add what they do
not know: balance, sag, lag, a moving base. From nothing that takes millions of steps more.
"""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from typing import Any, cast

import numpy as np
import torch
from go2_piper_description.joints import ARM_SLICE, LEG_SLICE, NUM_JOINTS, joint_array
from rich.console import Console
from rich.progress import track
from tensordict import TensorDict

from .envs.go2_piper_env import Go2PiperEnv
from .gait import Trot
from .models.actor_critic_moe import ActorCriticMoE
from .models.blending import blend
from .world import World

SMALLEST_SHARE = 0.05
"""What a taught router leaves to the expert that a phase does not ask for: surer, it would hardly learn any more."""

ONE_GROUP = torch.tensor([[0.6], [0.4]])
"""Of the shares of legs and arm in that of all joints. Uniform weights lag behind the command by 0.127 m/s on S5."""
DRIVING_TIME = 1.0
"""s, on the average, that one draw of random shares drives a robot."""


class Teacher(ABC):
    """Says in each control step what drives the robots and what is to be learnt."""

    @abstractmethod
    def lesson(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the raw action for the last observation, (N, 18), and what the actor shall learn. Once per step."""

    @abstractmethod
    def loss(self, actor: Any, obs: TensorDict, wanted: torch.Tensor) -> torch.Tensor:
        """Return how far the actor is from what it shall learn."""


class ActionTeacher(Teacher):
    """Teaches the mean action."""

    @abstractmethod
    def action(self) -> torch.Tensor:
        """Return the raw action for the last observation, (N, 18). Once per step."""

    def lesson(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the action twice."""
        action = self.action()
        return action, action

    def loss(self, actor: Any, obs: TensorDict, wanted: torch.Tensor) -> torch.Tensor:
        """Return the mean squared error of the raw action."""
        return torch.nn.functional.mse_loss(actor.mean_action(obs), wanted)


class KinematicTeacher(ActionTeacher):
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


class SpecialistTeacher(ActionTeacher):
    """What the experts of a mixture did before they were put together: each drives the joints of its own task.

    Where a mode blends them, the legs are the first expert's and the arm the second's: the mixture learns to do that
    with any share of either.
    """

    def __init__(self, env: Go2PiperEnv, actor: ActorCriticMoE) -> None:
        self.env = env
        self._base, self._arm = (copy.deepcopy(expert).eval() for expert in actor.experts.values())

    @torch.no_grad()
    def action(self) -> torch.Tensor:
        """Return the raw action for the last observation, (N, 18). Once per step."""
        obs = self.env.get_observations()["policy"]
        base, arm = self._base(obs), self._arm(obs)
        shares = torch.from_numpy(self.env.base_weights)
        split = base.clone()
        split[:, ARM_SLICE] = arm[:, ARM_SLICE]
        alone_base, alone_arm = (shares == 1.0).all(dim=1), (shares == 0.0).all(dim=1)
        return torch.where(alone_base[:, None], base, torch.where(alone_arm[:, None], arm, split))


class RoutingTeacher(Teacher):
    """The shares that the modes give the experts.

    A router with one group for all joints gets the mean of the shares of legs and arm, the legs counting a little
    more: half a gait needs it. Meanwhile random shares drive the robots: under the right ones a router learns to read
    from the motion who drives, and leaves it at that.
    """

    def __init__(self, env: Go2PiperEnv, actor: ActorCriticMoE) -> None:
        self.env, self.actor = env, actor
        self._driving = torch.rand(env.num_envs, actor.router.num_groups)

    @torch.no_grad()
    def lesson(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the action of the experts at random shares, (N, 18), and the weights to learn, (N, G, 2)."""
        renewed = torch.rand(self.env.num_envs, 1) < self.env.config.control_period / DRIVING_TIME
        self._driving = torch.where(renewed, torch.rand(self._driving.shape), self._driving)
        policy = self.env.get_observations()["policy"]
        actions = torch.stack([expert(policy) for expert in self.actor.experts.values()], dim=1)
        return blend(_weights(self._driving), actions), self.weights()

    def weights(self) -> torch.Tensor:
        """Return what the modes ask for, (N, G, 2)."""
        base = torch.from_numpy(np.clip(self.env.base_weights, SMALLEST_SHARE, 1.0 - SMALLEST_SHARE)).float()
        return _weights(base @ ONE_GROUP if self.actor.router.num_groups == 1 else base)

    def loss(self, actor: ActorCriticMoE, obs: TensorDict, wanted: torch.Tensor) -> torch.Tensor:
        """Return the Kullback-Leibler divergence of the router's weights from the wanted ones: 0 where it has them."""
        weights = actor.get_moe_weights(obs).clamp_min(1e-6)
        return (wanted * (wanted.log() - weights.log())).sum(dim=-1).mean()


def _weights(base: torch.Tensor) -> torch.Tensor:
    """Return the weights of two experts, (N, G, 2), from the first one's shares, (N, G)."""
    return torch.stack([base, 1.0 - base], dim=-1)


def clone_kinematics(env: Go2PiperEnv, actor: Any, steps: int) -> list[float]:
    """Let a single expert learn by heart what kinematics does; arguments and result as `regress`."""
    return regress(env, actor, KinematicTeacher(env), steps)


def clone_specialists(env: Go2PiperEnv, actor: ActorCriticMoE, steps: int) -> list[float]:
    """Let the experts of a coalition learn to do blended what they did apart; arguments and result as `regress`.

    Without that, reinforcement learning finds half a gait to be worse than standing, and the experts forget to walk.
    """
    return regress(env, actor, SpecialistTeacher(env, actor), steps, own_share=0.5, learning_rate=1e-3)


def clone_routing(env: Go2PiperEnv, actor: ActorCriticMoE, steps: int) -> list[float]:
    """Let the router over frozen experts learn which shares each phase asks for; the loss is a divergence, at best 0.

    Arguments and result as `regress`.
    """
    return regress(env, actor, RoutingTeacher(env, actor), steps, own_share=0.5, learning_rate=1e-3)


def regress(
    env: Go2PiperEnv,
    actor: Any,
    teacher: Teacher,
    steps: int,
    noise: float = 0.15,
    updates: int = 8,
    learning_rate: float = 2e-3,
    own_share: float = 0.0,
) -> list[float]:
    """Let the actor learn what the teacher says, on states that noisy actions visit.

    The noise shows the actor states off the teacher's path, with the way back. On a terminal a bar shows how far it is.

    Args:
        env: its episodes go on.
        actor: with `mean_action(obs)`, as the models of this package; trained in place.
        teacher: says what is right.
        steps: control steps of all environments; the actor's normaliser learns in the first quarter, before the rest.
        noise: standard deviation of what is added to the raw action.
        updates: gradient steps per control step.
        learning_rate: at the start; falls to a twentieth.
        own_share: part of the environments that the actor itself drives after the first quarter.

    Returns:
        the teacher's loss, mean over the gradient steps of each control step that had any.
    """
    optimizer = torch.optim.Adam([p for p in actor.parameters() if p.requires_grad], lr=learning_rate)
    obs = env.get_observations()
    kept: list[tuple[TensorDict, torch.Tensor]] = []
    errors: list[float] = []
    first = steps // 4
    own = (torch.arange(env.num_envs) < own_share * env.num_envs)[:, None]
    console = Console(quiet=not World.from_environment().is_main)
    shown = track(range(steps), "warm start", console=console, transient=True, disable=not console.is_terminal)
    for step in shown:
        action, wanted = teacher.lesson()
        kept.append((obs, wanted))
        if step < first:
            actor.update_normalization(obs)
        elif own_share > 0.0:
            with torch.no_grad():
                action = torch.where(own, actor.mean_action(obs), action)
        obs, *_ = env.step(action + noise * torch.randn(env.num_envs, NUM_JOINTS))
        for group in optimizer.param_groups:
            group["lr"] = learning_rate * 0.05 ** (max(step - first, 0) / (steps - first))
        if step < first:
            continue
        errors.append(0.0)
        for _ in range(updates):
            one, other = (kept[int(i)] for i in torch.randint(len(kept), (2,)))
            seen = cast(TensorDict, torch.cat([one[0], other[0]]))
            loss = teacher.loss(actor, seen, torch.cat([one[1], other[1]]))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            errors[-1] += loss.item() / updates
    return errors
