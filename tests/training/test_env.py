"""The environment: observation parity with deployment, modes, determinism, terminations."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from go2_piper_description.joints import ARM_SLICE, NUM_JOINTS
from go2_piper_description.kinematics import ArmKinematics
from moe_controller.observation import DEFAULT_TERMS, ObservationBuilder, ObservationInputs

from training.envs.config import EnvConfig, Mode, Randomization
from training.envs.go2_piper_env import Go2PiperEnv

NOMINAL = EnvConfig(num_envs=8, modes=(Mode("both", 1.0, reach=True),), randomization=Randomization.none())


def _run(env: Go2PiperEnv, steps: int) -> list[np.ndarray]:
    generator = torch.Generator().manual_seed(0)
    rows = []
    for _ in range(steps):
        obs, reward, _, _ = env.step(0.3 * torch.randn(env.num_envs, NUM_JOINTS, generator=generator))
        rows.append(np.concatenate([obs["policy"].numpy(), reward.numpy()[:, None]], axis=1))
    return rows


def test_same_seed_same_run_at_any_thread_count() -> None:
    runs = [_run(Go2PiperEnv(replace(NOMINAL, randomization=Randomization(), num_threads=n)), 20) for n in (1, 2)]
    np.testing.assert_array_equal(runs[0], runs[1])


def test_other_seed_other_run() -> None:
    runs = [_run(Go2PiperEnv(replace(NOMINAL, seed=seed)), 3) for seed in (1, 2)]
    assert not np.array_equal(runs[0], runs[1])


def test_zero_action_stands() -> None:
    env = Go2PiperEnv(NOMINAL)
    for _ in range(100):
        _, _, done, _ = env.step(torch.zeros(8, NUM_JOINTS))
        assert not done.any()


def test_a_fall_ends_the_episode_without_a_time_out() -> None:
    env = Go2PiperEnv(NOMINAL)
    env._qpos[3, 3:7] = [0.0, 1.0, 0.0, 0.0]  # on its back
    _, reward, done, extras = env.step(torch.zeros(8, NUM_JOINTS))
    assert done.tolist() == [0, 0, 0, 1, 0, 0, 0, 0]
    assert not extras["time_outs"].any()
    assert reward[3] < 0
    assert env.episode_length_buf[3] == 0


def test_time_out_after_the_episode_length() -> None:
    env = Go2PiperEnv(replace(NOMINAL, episode_length=0.1))
    dones = [env.step(torch.zeros(8, NUM_JOINTS))[2].all().item() for _ in range(5)]
    assert dones == [False, False, False, False, True]


def test_scripted_arm_overrides_the_policy_and_is_what_last_action_shows() -> None:
    env = Go2PiperEnv(replace(NOMINAL, modes=(Mode("disturbed", 1.0, scripted_arm=True),)))
    for _ in range(150):
        env.step(torch.full((8, NUM_JOINTS), 0.2))
    assert np.all(env.last_action[:, :12] == pytest.approx(0.2))
    assert env.last_action[:, ARM_SLICE].std() > 0.1


def test_ee_position_matches_the_kinematics() -> None:
    env = Go2PiperEnv(NOMINAL)
    env.step(torch.zeros(8, NUM_JOINTS))
    expected = ArmKinematics().ee_position(env._joint_position[:, ARM_SLICE])
    np.testing.assert_allclose(env._ee_position, expected, atol=5e-3)  # one substep apart


def test_observation_is_the_deployed_one() -> None:
    """A state taken from the environment gives the identical vector through the controller's builder."""
    env = Go2PiperEnv(NOMINAL)
    _run(env, 10)
    observed = env.get_observations()["policy"].numpy()
    builder = ObservationBuilder(DEFAULT_TERMS)
    for i in range(env.num_envs):
        w, x, y, z = env.batch.bind("qpos")[i, 3:7]
        norm = np.linalg.norm([x, y, z, w])
        inputs = ObservationInputs(
            orientation=np.array([x, y, z, w]) / norm,
            angular_velocity=env.batch.bind("qvel")[i, 3:6],
            joint_position=env.batch.bind("qpos")[i, 7:],
            joint_velocity=env.batch.bind("qvel")[i, 6:],
            velocity_command=env.command[i],
            ee_target=env.ee_target[i],
            last_action=env.last_action[i],
        )
        np.testing.assert_array_equal(builder.build(inputs), observed[i])


def test_delay_postpones_the_command() -> None:
    late = replace(NOMINAL, randomization=replace(Randomization.none(), delay_steps=(2, 2)))
    prompt_env, late_env = Go2PiperEnv(NOMINAL), Go2PiperEnv(late)
    action = torch.zeros(8, NUM_JOINTS)
    action[:, 12] = 1.0
    prompt_env.step(action)
    late_env.step(action)
    assert np.all(late_env._joint_position[:, 12] < prompt_env._joint_position[:, 12])


def test_mode_weights_are_tied_when_ranges_are_equal() -> None:
    mode = Mode("blend", 1.0, base_weight_legs=(0.4, 0.6), base_weight_arm=(0.4, 0.6))
    weights = Go2PiperEnv(replace(NOMINAL, modes=(mode,))).base_weights
    np.testing.assert_array_equal(weights[:, 0], weights[:, 1])
    assert np.all((weights >= 0.4) & (weights <= 0.6))
    assert np.ptp(weights) > 0.01
