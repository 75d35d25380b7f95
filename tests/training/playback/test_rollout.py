"""Rolling out: what is kept is what happened."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from training.envs.go2_piper_env import Go2PiperEnv
from training.playback.errors import PlayError
from training.playback.rollout import Step, roll_out

from .fixtures import CONFIG, Constant, made_up


@pytest.fixture(scope="module")
def env() -> Go2PiperEnv:
    return Go2PiperEnv(CONFIG)


def test_shapes_names_and_constants(env: Go2PiperEnv) -> None:
    rollout = roll_out(Constant(), env, 5)
    steps = rollout.steps
    assert steps.joint_position.shape == (5, 3, 18) and steps.weights.shape == (5, 3, 2, 2)
    assert steps.expert_actions.shape == (5, 3, 2, 18) and steps.fell.shape == (5, 3)
    np.testing.assert_allclose(steps.weights[4, 2], [[0.7, 0.3], [0.2, 0.8]], atol=1e-6)
    np.testing.assert_allclose(rollout.time, [0.0, 0.02, 0.04, 0.06, 0.08])
    assert (rollout.policy, rollout.experts, rollout.groups) == ("constant", ("base", "arm"), ("legs", "arm"))
    assert rollout.modes == ("walk", "reach")


def test_rows_hold_the_state_before_the_action(env: Go2PiperEnv) -> None:
    before = env.joint_position.astype(np.float32), env.base_position.astype(np.float32)
    seen: list[Step] = []

    def watch(index: int, step: Step) -> bool:
        seen.append(step)
        return True

    rollout = roll_out(Constant(0.3), env, 3, watch)
    np.testing.assert_array_equal(rollout.steps.joint_position[0], before[0])
    np.testing.assert_array_equal(rollout.steps.base_position[0], before[1])
    assert len(seen) == 3 and not np.array_equal(seen[0].joint_position, seen[1].joint_position)


def test_errors_are_those_of_the_environment(env: Go2PiperEnv) -> None:
    rollout = roll_out(Constant(), env, 2)
    target, rotation = (values[:, 0] for values in env.goals.targets(np.zeros(1), env))
    last = roll_out(Constant(), env, 1)
    np.testing.assert_allclose(last.ee_error[0], np.linalg.norm(target - env_ee(last), axis=1), atol=1e-5)
    np.testing.assert_allclose(last.steps.target_position[0], target, atol=1e-6)
    velocity = rollout.steps.base_linear_velocity[..., :2] - rollout.steps.command[..., :2]
    np.testing.assert_allclose(rollout.linear_error, np.linalg.norm(velocity, axis=-1), rtol=1e-6)
    np.testing.assert_array_equal(last.steps.walks, [env.flag("walk")])
    np.testing.assert_array_equal(last.steps.reaches, [env.flag("reach")])
    assert rotation.shape == (3, 3, 3)


def env_ee(rollout: object) -> np.ndarray:
    """Return the end effector's position in the first row."""
    return rollout.steps.ee_position[0]  # type: ignore[attr-defined]


def test_angles_do_not_care_for_the_sign_of_a_quaternion() -> None:
    half = np.float32(np.sqrt(0.5))

    def turn(values: dict[str, np.ndarray]) -> None:
        values["ee_orientation"][:, 0] = [0.0, 0.0, half, half]
        values["ee_orientation"][:, 1] = [0.0, 0.0, 0.0, -1.0]

    rollout = made_up(np.full((2, 2, 1, 2), 0.5, np.float32), turn)
    np.testing.assert_allclose(np.degrees(rollout.ee_angle), [[90, 0], [90, 0]], atol=0.1)


def test_a_watch_ends_it(env: Go2PiperEnv) -> None:
    assert len(roll_out(Constant(), env, 50, lambda index, step: index < 2).time) == 3


def test_falls_are_marked_and_time_outs_are_not() -> None:
    env = Go2PiperEnv(CONFIG)
    env.episode_length_buf[:] = torch.tensor([0, env.max_episode_length - 2, 0])
    env.physics.qpos[0, 2] = 0.05  # on its belly
    rollout = roll_out(Constant(), env, 3)
    assert rollout.steps.fell[0].tolist() == [True, False, False] and rollout.steps.fell[:, 1].sum() == 0


def test_refuses_actions_that_are_not_finite(env: Go2PiperEnv) -> None:
    with pytest.raises(PlayError, match="constant gives an action that is not finite at step 0"):
        roll_out(Constant(float("nan")), env, 2)


def test_a_policy_of_another_observation_is_one_line(env: Go2PiperEnv) -> None:
    class Stranger(Constant):
        def run(self, obs: object) -> object:  # type: ignore[override]
            raise ValueError("the policy reads 7 observation columns, the environment gives 108")

    with pytest.raises(PlayError, match="constant: the policy reads 7"):
        roll_out(Stranger(), env, 2)
