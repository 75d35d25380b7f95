"""The warm start: an actor that has learnt a trot and inverse kinematics by heart."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from go2_piper_description.joints import ARM_SLICE, LEG_SLICE

from training.envs.config import EnvConfig, Mode, Randomization
from training.envs.go2_piper_env import Go2PiperEnv
from training.imitation import (
    KinematicTeacher,
    RoutingTeacher,
    SpecialistTeacher,
    clone_kinematics,
    clone_routing,
    clone_specialists,
)
from training.models.actor_critic_moe import ActorCriticMoE
from training.models.single import SingleExpertModel

from .models.fixtures import write_expert


def _env() -> Go2PiperEnv:
    modes = {"reach": Mode(1.0, walk=False, reach=True, stand=True, zero_command=1.0)}
    return Go2PiperEnv(EnvConfig(16, modes, randomization=Randomization.none()))


def test_KinematicTeacher_puts_the_end_effector_near_the_target() -> None:
    env = _env()
    teacher = KinematicTeacher(env)
    for _ in range(100):
        env.step(teacher.action())
    assert np.median(env.ee_error) < 0.08, "what remains is sag"
    assert np.median(env.ee_angle) < 0.25


def test_teacher_walks_where_the_command_says() -> None:
    modes = {"walk": Mode(1.0, home_target=1.0, zero_command=0.0)}
    env = Go2PiperEnv(EnvConfig(16, modes, randomization=Randomization.none(), resample_interval=(20.0, 20.0)))
    teacher, falls = KinematicTeacher(env), 0
    start = env.base_position.copy()
    heading = env.base_rotation.copy()
    env.goals.command[:] = [0.4, 0.0, 0.0]
    for _ in range(150):
        _, _, done, extras = env.step(teacher.action())
        falls += int((done.bool() & ~extras["time_outs"]).sum())
    walked = np.einsum("nji,nj->ni", heading, env.base_position - start)
    assert falls == 0
    assert np.all(walked[:, 0] > 0.4), "three seconds at 0.4 m/s, less some slip"


def test_clone_acts_like_the_kinematics() -> None:
    torch.manual_seed(0)
    env = _env()
    noise = {"class_name": "GaussianDistribution", "init_std": 0.2, "std_type": "log", "learn_std": False}
    actor = SingleExpertModel(env.get_observations(), {"actor": ["policy"]}, "actor", 18, distribution_cfg=noise)
    before = torch.nn.functional.mse_loss(
        actor.mean_action(env.get_observations()), KinematicTeacher(env).action()
    ).item()
    assert clone_kinematics(env, actor, steps=60)[-1] < 0.2 * before
    assert actor.mean_action(env.get_observations())[:, ARM_SLICE].abs().max() > 0.5


def test_blend_learns_what_the_specialists_do_apart() -> None:
    torch.manual_seed(0)
    modes = {"blend": Mode(1.0, reach=True, base_weight_legs=(0.4, 0.6), base_weight_arm=(0.4, 0.6))}
    env = Go2PiperEnv(EnvConfig(16, modes, randomization=Randomization.none()))
    noise = {"class_name": "GaussianDistribution", "init_std": 0.2, "std_type": "log", "learn_std": False}
    actor = ActorCriticMoE(
        env.get_observations(), {"actor": ["policy"]}, "actor", 18, router={"kind": "given"}, num_groups=2,
        freeze_experts=False, distribution_cfg=noise,
    )  # fmt: skip
    teacher = SpecialistTeacher(env, actor)
    obs = env.get_observations()
    wanted = teacher.action()
    legs, arm = (expert(obs["policy"]) for expert in actor.experts.values())
    torch.testing.assert_close(wanted[:, LEG_SLICE], legs[:, LEG_SLICE])
    torch.testing.assert_close(wanted[:, ARM_SLICE], arm[:, ARM_SLICE])
    before = torch.nn.functional.mse_loss(actor.mean_action(obs), wanted).item()
    assert clone_specialists(env, actor, steps=40)[-1] < 0.3 * before


@pytest.mark.parametrize("num_groups", [1, 2])
def test_router_learns_which_expert_a_phase_asks_for(tmp_path: Path, num_groups: int) -> None:
    torch.manual_seed(0)
    modes = {
        "walk": Mode(0.5, home_target=1.0, zero_command=0.0),
        "both": Mode(0.5, reach=True, zero_command=0.0, base_weight_arm=(0.0, 0.0)),
    }
    env = Go2PiperEnv(EnvConfig(32, modes, randomization=Randomization.none()))
    noise = {"class_name": "GaussianDistribution", "init_std": 0.2, "std_type": "log", "learn_std": False}
    paths = [str(write_expert(tmp_path / f"{name}.safetensors", seed)) for seed, name in enumerate(("base", "arm"))]
    actor = ActorCriticMoE(
        env.get_observations(), {"actor": ["policy"]}, "actor", 18, router={"kind": "obs_moe"}, num_groups=num_groups,
        expert_ckpt_paths=paths, distribution_cfg=noise,
    )  # fmt: skip
    losses = clone_routing(env, actor, steps=80)
    assert len(losses) == 60 and losses[-1] < losses[0]
    error = (actor.get_moe_weights(env.get_observations()) - RoutingTeacher(env, actor).weights()).abs().mean(dim=0)
    assert error.max() < 0.12, "uniform weights are off by 0.22 and more"
