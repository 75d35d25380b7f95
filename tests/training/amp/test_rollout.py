"""Groups of robots in threads give what the same groups give one after the other."""

from __future__ import annotations

import numpy as np
import pytest

from training.amp.env import Disturbances, EpisodeConfig, SteeringEnv
from training.amp.robot import robot_config
from training.amp.rollout import Groups
from training.amp.steering import SteeringConfig
from training.amp.stepper import make_stepper

ROBOT = robot_config("Go2Piper.walk.mocap")
SIZES = (2, 3)
STEPS = 12


def environments() -> list[SteeringEnv]:
    """Two groups; episodes so short that some end."""
    disturbances, episodes = Disturbances(friction=(0.6, 1.4), push_interval=0.1, push_velocity=0.3), EpisodeConfig(0.1)
    return [
        SteeringEnv(ROBOT, make_stepper("mujoco", ROBOT, n, 1), SteeringConfig(), disturbances, episodes, None, (5, i))
        for i, n in enumerate(SIZES)
    ]


def act(group: int, step: int, obs: np.ndarray) -> np.ndarray:
    noise = np.random.default_rng((group, step)).normal(0.0, 0.3, (len(obs), 12))
    return (noise + 0.1 * obs[:, -12:]).astype(np.float32)


def test_groups_side_by_side_are_the_groups_one_after_the_other() -> None:
    groups = Groups(environments())
    groups.reseed(3, 7)
    batch = groups.collect(act, STEPS)
    start = 0
    for group, env in enumerate(environments()):
        env.reseed((3, 7, group))
        rows = slice(start, start + env.num_envs)
        start += env.num_envs
        for step in range(STEPS):
            seen = env.observation
            action = act(group, step, seen.actor)
            result = env.step(action.astype(float))
            assert np.array_equal(batch["obs"][step, rows], seen.actor)
            assert np.array_equal(batch["critic_obs"][step, rows], seen.critic)
            assert np.array_equal(batch["action"][step, rows], action)
            assert np.array_equal(batch["task_reward"][step, rows], result.reward)
            assert np.array_equal(batch["timed_out"][step, rows], result.timed_out)
            assert np.array_equal(batch["terminated"][step, rows], result.terminated)
            assert np.array_equal(batch["transition"][step, rows], result.transition)
        assert np.array_equal(batch["last_critic_obs"][rows], env.observation.critic)
    assert batch["timed_out"].any() and not np.array_equal(batch["obs"][0, 0], batch["obs"][0, 2])


def test_a_group_that_fails_ends_the_rollout_with_its_error() -> None:
    def broken(group: int, step: int, obs: np.ndarray) -> np.ndarray:
        if (group, step) == (1, 2):
            raise ValueError("numbers that are not finite")
        return act(group, step, obs)

    groups = Groups(environments())
    with pytest.raises(ValueError, match="not finite"):
        groups.collect(broken, STEPS)
