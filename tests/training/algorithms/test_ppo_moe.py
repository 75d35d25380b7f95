"""PPOMoE on a tiny problem with a known answer: every router finds it; only what may move moves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from training.algorithms.ppo_moe import PPOMoE

from .tiny_problem import TinyEnv, make_algorithm, train, write_constant_experts

ROUTERS: dict[str, dict[str, Any]] = {
    "obs_moe": {"hidden_dims": [32]},
    "adaptive": {"hidden_dims": [32]},
    "traj_attention": {"width": 16, "latents": 2, "heads": 2},
}


@pytest.fixture
def actor(tmp_path: Path) -> dict[str, Any]:
    """Settings of a mixture of the two constant experts."""
    torch.set_num_threads(1)
    return {"num_groups": 2, "router": {"kind": "obs_moe"}, "expert_ckpt_paths": write_constant_experts(tmp_path)}


@pytest.mark.parametrize("kind", ROUTERS)
def test_every_router_finds_the_right_expert(actor: dict[str, Any], kind: str) -> None:
    env = TinyEnv()
    algorithm = make_algorithm(env, {**actor, "router": {"kind": kind, **ROUTERS[kind]}})
    rows = train(algorithm, env, 30)
    algorithm.eval_mode()
    obs, right = env.get_observations(), env.right_weights()
    on_the_right_one = (algorithm.actor.get_moe_weights(obs) * right).sum(-1)
    assert on_the_right_one.mean() > 0.9 and on_the_right_one.min() > 0.7
    losses = [row["routing"] for row in rows]
    assert losses[-1] < 0.2 < 0.9 < losses[0]  # the routing loss falls
    assert rows[-1]["routing_entropy"] < 0.5 * rows[0]["routing_entropy"]


def _state(algorithm: PPOMoE) -> dict[str, torch.Tensor]:
    return {key: value.clone() for key, value in algorithm.actor.state_dict().items()}


def _moved(before: dict[str, torch.Tensor], after: dict[str, torch.Tensor]) -> set[str]:
    return {key for key in before if not torch.equal(before[key], after[key])}


def test_an_update_moves_only_the_router_of_frozen_experts(actor: dict[str, Any]) -> None:
    env = TinyEnv()
    algorithm = make_algorithm(env, actor)
    before = _state(algorithm)
    train(algorithm, env, 1)
    moved = _moved(before, _state(algorithm))
    assert {key.split(".")[0] for key in moved} == {"router"}
    assert {key for key in before if key.startswith("router.mlp")} <= moved


def test_an_update_moves_everything_when_not_frozen(actor: dict[str, Any]) -> None:
    env = TinyEnv()
    algorithm = make_algorithm(env, {**actor, "freeze_experts": False})
    before = _state(algorithm)
    train(algorithm, env, 1)
    moved = _moved(before, _state(algorithm))
    assert {key for key in before if ".mlp." in key} <= moved
    assert not any("experts" in key and "normalizer" in key for key in moved)


def test_figures_of_an_update(actor: dict[str, Any]) -> None:
    env = TinyEnv()
    row = train(make_algorithm(env, {**actor, "freeze_experts": False}), env, 1)[0]
    usage = {f"usage_{group}_{expert}" for group in ("legs", "arm") for expert in ("base", "arm")}
    gradients = {"gradient_router", "gradient_expert_base", "gradient_expert_arm"}
    figures = {"load_balance", "moe_regularization", "routing_entropy", "routing"}
    assert set(row) == {"value", "surrogate", "entropy"} | usage | gradients | figures  # rsl_rl still calls the hook
    assert all(row[name] > 0 for name in gradients)
    assert row["usage_legs_base"] + row["usage_legs_arm"] == pytest.approx(1.0, abs=1e-5)


def test_gradient_norms_are_those_of_the_backward_pass(actor: dict[str, Any]) -> None:
    algorithm = make_algorithm(TinyEnv(), actor)
    loss = algorithm.actor(TinyEnv().get_observations()).square().sum()
    loss.backward()
    norms = [parameter.grad.norm() for parameter in algorithm.actor.router.parameters() if parameter.grad is not None]
    assert algorithm._gradients.take(1)["gradient_router"] == pytest.approx(torch.stack(norms).norm().item(), rel=1e-4)
    assert algorithm._gradients.take(1) == {"gradient_router": 0.0}


def test_losses_on_the_weights_reach_the_router(actor: dict[str, Any]) -> None:
    skewed = {**actor, "router": {"kind": "obs_moe", "preference": 1.5}, "num_groups": 1}
    spread = {}
    for weight in (0.0, 100.0):
        env = TinyEnv()
        algorithm = make_algorithm(env, skewed, moe_weight_regularization=weight, load_balance=weight)
        spread[weight] = train(algorithm, env, 6)[-1]["moe_regularization"]
    assert spread[100.0] < 0.1 * spread[0.0]


def test_ppo_moe_is_for_mixtures() -> None:
    with pytest.raises(ValueError, match="PPOMoE trains an ActorCriticMoE, not a SingleExpertModel: use PPO"):
        make_algorithm(TinyEnv(), {"class_name": "training.models.single:SingleExpertModel"})
