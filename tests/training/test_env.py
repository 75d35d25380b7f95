"""The environment: observation parity with deployment, modes, determinism, terminations."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from go2_piper_description.joints import ARM_SLICE, NUM_JOINTS
from go2_piper_description.kinematics import ArmKinematics
from moe_controller.observation import DEFAULT_TERMS, ROUTER_TERMS, ObservationBuilder

from training.envs.config import Curriculum, EnvConfig, Mode, Randomization, Targets
from training.envs.go2_piper_env import Go2PiperEnv
from training.envs.goals import FAST
from training.envs.physics import ModelError

NOMINAL = EnvConfig(num_envs=8, modes={"both": Mode(1.0, reach=True)}, randomization=Randomization.none())


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
    env.physics.qpos[3, 3:7] = [0.0, 1.0, 0.0, 0.0]  # on its back
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
    env = Go2PiperEnv(replace(NOMINAL, modes={"disturbed": Mode(1.0, scripted_arm=True)}))
    for _ in range(150):
        env.step(torch.full((8, NUM_JOINTS), 0.2))
    assert np.all(env.last_action[:, :12] == pytest.approx(0.2))
    assert env.last_action[:, ARM_SLICE].std() > 0.1


def test_ee_position_matches_the_kinematics() -> None:
    env = Go2PiperEnv(NOMINAL)
    env.step(torch.zeros(8, NUM_JOINTS))
    expected = ArmKinematics().ee_position(env.joint_position[:, ARM_SLICE])
    np.testing.assert_allclose(env.ee_position, expected, atol=1e-2)  # one substep apart


def test_observation_is_the_deployed_one() -> None:
    """A state taken from the environment gives the same vector through the controller's builder."""
    env = Go2PiperEnv(NOMINAL)
    _run(env, 10)
    observed = env.get_observations()["policy"].numpy()
    builder = ObservationBuilder(DEFAULT_TERMS)
    for i in range(env.num_envs):
        w, x, y, z = env.physics.qpos[i, 3:7]
        inputs = builder.inputs(
            orientation=np.array([x, y, z, w]) / np.linalg.norm([x, y, z, w]),
            angular_velocity=env.physics.qvel[i, 3:6],
            joint_position=env.physics.qpos[i, 7:],
            joint_velocity=env.physics.qvel[i, 6:],
            velocity_command=env.command[i],
            target_position=env.target_position[i],
            target_rotation=env.target_rotation[i],
            last_action=env.last_action[i],
        )
        np.testing.assert_allclose(builder.build(inputs), observed[i], atol=2e-6)


def test_delay_postpones_the_command() -> None:
    late = replace(NOMINAL, randomization=replace(Randomization.none(), delay=(0.02, 0.02)))
    prompt_env, late_env = Go2PiperEnv(NOMINAL), Go2PiperEnv(late)
    action = torch.zeros(8, NUM_JOINTS)
    action[:, 12] = 1.0
    prompt_env.step(action)
    late_env.step(action)
    assert np.all(late_env.joint_position[:, 12] < prompt_env.joint_position[:, 12])


def test_mode_weights_are_tied_when_ranges_are_equal() -> None:
    mode = Mode(1.0, base_weight_legs=(0.4, 0.6), base_weight_arm=(0.4, 0.6))
    weights = Go2PiperEnv(replace(NOMINAL, modes={"blend": mode})).base_weights
    np.testing.assert_array_equal(weights[:, 0], weights[:, 1])
    assert np.all((weights >= 0.4) & (weights <= 0.6))
    assert np.ptp(weights) > 0.01


def test_reseed_starts_the_same_run_from_any_state() -> None:
    env = Go2PiperEnv(replace(NOMINAL, randomization=Randomization()))
    runs = []
    for _ in range(2):
        env.reseed(3, 40)
        runs.append(_run(env, 10))
    np.testing.assert_array_equal(runs[0], runs[1])
    env.reseed(3, 41)
    assert not np.array_equal(runs[0][0], _run(env, 1)[0])


def test_randomisation_draws_every_part() -> None:
    physics = Go2PiperEnv(replace(NOMINAL, randomization=Randomization())).physics
    model = physics.model
    for drawn, nominal in (
        (physics._mass[:, physics._base], model.body_mass[physics._base]),
        (physics._mass[:, physics._hand], model.body_mass[physics._hand]),
        (physics._com[:, physics._base, 1], model.body_ipos[physics._base, 1]),
        (physics._place[:, physics._mount, 2], model.body_pos[physics._mount, 2]),
        (physics._gain[:, 4, 0], model.actuator_gainprm[4, 0]),
        (physics._bias[:, 4, 2], model.actuator_biasprm[4, 2]),
    ):
        assert np.ptp(drawn) > 0
        assert not np.allclose(drawn, nominal)
    assert set(physics.delay) <= {0, 1, 2}


def test_gliding_target_passes_the_preview_before_the_present() -> None:
    glide = Targets(glide_probability=1.0, world_probability=0.0)
    env = Go2PiperEnv(replace(NOMINAL, targets=glide, resample_interval=(0.1, 0.2)))
    ahead = env._builder.times.index(0.02)
    now = env._builder.times.index(0.0)
    compared = 0
    for _ in range(60):
        before, step = env.target_position[:, ahead].copy(), env.episode_length_buf.clone()
        old = env.random_goals._start.copy()
        env.step(torch.zeros(8, NUM_JOINTS))
        same = (env.random_goals._start == old) & (env.episode_length_buf == step + 1).numpy()
        np.testing.assert_allclose(env.target_position[same, now], before[same], atol=1e-9)
        compared += int((same & (env.random_goals._time < env.random_goals._start + env.random_goals._duration)).sum())
    assert compared > 20, "targets were moving"


def test_target_fixed_in_the_world_stays_there_when_the_base_moves() -> None:
    world = Targets(glide_probability=0.0, world_probability=1.0)
    modes = {"reach": Mode(1.0, reach=True, zero_command=1.0)}
    env = Go2PiperEnv(replace(NOMINAL, targets=world, modes=modes))

    def in_world() -> np.ndarray:
        return env.base_position + np.einsum("nij,nj->ni", env.base_rotation, env.target_position[:, 0])

    before, base = in_world(), env.base_position.copy()
    env.physics.qvel[:, 0] = 0.5
    for _ in range(10):
        env.step(torch.zeros(8, NUM_JOINTS))
    assert np.all(np.linalg.norm(env.base_position - base, axis=1) > 0.01)
    np.testing.assert_allclose(in_world(), before, atol=1e-9)


def test_phases_redraw_the_mode_with_the_command() -> None:
    modes = {"walk": Mode(0.5), "reach": Mode(0.5, reach=True)}
    for phases in (False, True):
        env = Go2PiperEnv(replace(NOMINAL, modes=modes, phases=phases, resample_interval=(0.1, 0.1)))
        first = env.mode.copy()
        changed = np.zeros(8, dtype=bool)
        for _ in range(40):
            env.step(torch.zeros(8, NUM_JOINTS))
            changed |= env.mode != first
        assert changed.any() == phases


def test_sudden_stops_after_a_fast_command_only() -> None:
    modes = {"walk": Mode(1.0, zero_command=0.0)}
    env = Go2PiperEnv(replace(NOMINAL, num_envs=64, modes=modes, sudden_stops=1.0, resample_interval=(0.1, 0.1)))
    before, stopped, sped_on = env.goals.command.copy(), 0, 0
    for _ in range(40):
        env.step(torch.zeros(64, NUM_JOINTS))
        new = np.any(env.goals.command != before, axis=1)
        fast = before[:, 0] > FAST
        assert np.all(env.goals.command[new & fast, 0] <= 0.0)
        stopped, sped_on = stopped + (new & fast).sum(), sped_on + (env.goals.command[new & ~fast, 0] > 0.0).sum()
        before = env.goals.command.copy()
    assert min(stopped, sped_on) > 10


def test_policies_are_told_a_command_that_changes_no_faster_than_the_limits_let_it() -> None:
    modes = {"walk": Mode(1.0, zero_command=0.0)}
    env = Go2PiperEnv(replace(NOMINAL, modes=modes, slow_commands=0.0, resample_interval=(2.0, 2.0)))
    limits, period = env.config.velocity_limits, env.config.control_period
    largest = np.array(limits.acceleration) * period
    shown = slice(6, 9)
    assert [term.name for term in DEFAULT_TERMS][:3] == ["angular_velocity", "projected_gravity", "velocity_command"]
    before, arrived = env.command.copy(), 0
    assert np.all(np.abs(before) <= largest), "an episode begins at rest"
    for _ in range(60):
        obs, *_ = env.step(torch.zeros(8, NUM_JOINTS))
        assert np.all(np.abs(env.command - before) <= largest + 1e-12)
        np.testing.assert_allclose(obs["policy"][:, shown].numpy(), env.command, atol=1e-6)
        before, arrived = env.command.copy(), arrived + np.array_equal(env.command, env.goals.command)
    assert arrived > 0


def test_home_target_and_zero_command_as_the_mode_says() -> None:
    env = Go2PiperEnv(replace(NOMINAL, modes={"rest": Mode(1.0, home_target=1.0, zero_command=1.0)}))
    assert not env.command.any()
    home = ArmKinematics().ee_transform(env.default[ARM_SLICE])
    np.testing.assert_allclose(env.target_position[:, 0], np.tile(home[:3, 3], (8, 1)))
    np.testing.assert_allclose(env.target_rotation[:, 0], np.tile(home[:3, :3], (8, 1, 1)))


def test_curriculum_grows_slow_commands_and_pushes() -> None:
    easy = Curriculum(until=0.5, slow_commands=0.0, push=0.2)
    assert [easy.factor(0.2, p) for p in (0.0, 0.25, 0.5, 1.0)] == pytest.approx([0.2, 0.6, 1.0, 1.0])
    env = Go2PiperEnv(replace(NOMINAL, num_envs=400, curriculum=easy, modes={"walk": Mode(1.0, zero_command=0.0)}))
    slow = []
    for progress in (0.0, 1.0):
        env.set_progress(progress)
        env.reseed(1, 1)
        slow.append(float((env.command == 0.0).mean()))
    assert slow[0] == 0.0
    assert slow[1] > 0.1
    assert env._push_scale == 1.0


def test_router_group_appears_with_its_terms() -> None:
    env = Go2PiperEnv(replace(NOMINAL, router_observation=ROUTER_TERMS))
    plain = Go2PiperEnv(NOMINAL)
    assert env.get_observations()["router"].shape == (8, 125)
    assert "router" not in set(plain.get_observations().keys())
    np.testing.assert_array_equal(env.get_observations()["policy"], plain.get_observations()["policy"])


def test_foreign_model_is_refused_in_one_line(tmp_path: Path) -> None:
    for text, reason in (("<mujoco/>", "joints"), ("<mujoco", "not a usable MJCF")):
        path = tmp_path / "robot.xml"
        path.write_text(text)
        with pytest.raises(ModelError, match=reason) as caught:
            Go2PiperEnv(replace(NOMINAL, model=str(path)))
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)
