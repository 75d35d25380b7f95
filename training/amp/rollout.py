"""Robots in groups, each with a thread of its own: while one group waits for Python, the other's physics goes on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from .env import SteeringEnv
from .features import build_disc_obs_spec

Floats = NDArray[np.float32]
Act = Callable[[int, int, Floats], Floats]
"""(group, step, observations (n, D)) -> raw actions (n, A)."""


class Groups:
    """Groups of robots that are stepped side by side; together N robots, in order.

    Args:
        envs: one per group, each with a stepper of one thread and draws of its own: what comes out does not depend on
            how the threads take turns.
    """

    def __init__(self, envs: Sequence[SteeringEnv]) -> None:
        self.envs = tuple(envs)
        ends = np.cumsum([env.num_envs for env in envs])
        self.num_envs = int(ends[-1])
        self._rows = [slice(end - env.num_envs, end) for env, end in zip(envs, ends, strict=True)]
        self._pool = ThreadPoolExecutor(len(self.envs), "rollout")

    def reseed(self, seed: int, iteration: int) -> None:
        """Start all episodes anew, drawn from both numbers."""
        for group, env in enumerate(self.envs):
            env.reseed((seed, iteration, group))

    def collect(self, act: Act, steps: int) -> dict[str, NDArray]:
        """Step all robots; return what happened as `update.Batch` wants it, (T, N, ...), `last_critic_obs` (N, D)."""
        first = self.envs[0]
        actor, critic, n = first.observation.actor.shape[1], first.observation.critic.shape[1], self.num_envs

        def room(*shape: int) -> Floats:
            return np.empty(shape, dtype=np.float32)

        batch = {
            "obs": room(steps, n, actor),
            "critic_obs": room(steps, n, critic),
            "action": room(steps, n, first.num_actions),
            "task_reward": room(steps, n),
            "terminated": room(steps, n),
            "timed_out": room(steps, n),
            "transition": room(steps, n, build_disc_obs_spec(first.robot).size),
            "last_critic_obs": room(n, critic),
        }
        running = [self._pool.submit(self._collect, group, act, steps, batch) for group in range(len(self.envs))]
        for group in running:
            group.result()
        return batch

    def _collect(self, group: int, act: Act, steps: int, batch: dict[str, NDArray]) -> None:
        env, rows = self.envs[group], self._rows[group]
        for step in range(steps):
            seen = env.observation
            action = act(group, step, seen.actor)
            result = env.step(action.astype(np.float64))
            batch["obs"][step, rows], batch["critic_obs"][step, rows] = seen
            batch["action"][step, rows] = action
            batch["task_reward"][step, rows] = result.reward
            batch["terminated"][step, rows] = result.terminated
            batch["timed_out"][step, rows] = result.timed_out
            batch["transition"][step, rows] = result.transition
        batch["last_critic_obs"][rows] = env.observation.critic
