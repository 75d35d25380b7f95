"""ActorCriticMoE: blending, freezing, where experts come from, and refusals in one line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from go2_piper_description.joints import NUM_JOINTS
from moe_controller.observation import DEFAULT_TERMS

from training.checkpoint import CheckpointError, save_checkpoint
from training.models.actor_critic_moe import ActorCriticMoE
from training.models.blending import blend
from training.models.single import SingleExpertModel

from .fixtures import CARD, HIDDEN, expert, observations, write_expert, write_moe

DISTRIBUTION = {"class_name": "GaussianDistribution", "init_std": 0.1, "std_type": "log"}


def _model(**options: Any) -> ActorCriticMoE:
    torch.manual_seed(0)
    groups = {"actor": ["policy"]}
    return ActorCriticMoE(observations(), groups, "actor", NUM_JOINTS, distribution_cfg=DISTRIBUTION, **options)


@pytest.fixture
def paths(tmp_path: Path) -> dict[str, str]:
    """Checkpoints of two experts."""
    return {
        f"{name}_ckpt_path": str(write_expert(tmp_path / f"{name}.safetensors", seed))
        for seed, name in enumerate(("base", "arm"))
    }


def test_blend_is_the_weighted_sum() -> None:
    actions = torch.randn(5, 3, NUM_JOINTS)
    weights = torch.softmax(torch.randn(5, 1, 3), dim=-1)
    expected = sum(weights[:, 0, i : i + 1] * actions[:, i] for i in range(3))
    torch.testing.assert_close(blend(weights, actions), expected)


def test_blend_with_groups_splits_legs_and_arm() -> None:
    actions = torch.stack([torch.zeros(1, NUM_JOINTS), torch.ones(1, NUM_JOINTS)], dim=1)
    weights = torch.tensor([[[1.0, 0.0], [0.25, 0.75]]])
    assert blend(weights, actions)[0].tolist() == [0.0] * 12 + [0.75] * 6


@pytest.mark.parametrize("kind", ["obs_moe", "adaptive", "traj_attention"])
def test_action_is_the_blend_of_the_loaded_experts(paths: dict[str, str], kind: str) -> None:
    model, obs = _model(router={"kind": kind}, num_groups=2, **paths).eval(), observations()
    weights = model.get_moe_weights(obs)
    actions = torch.stack([expert(0)(obs["policy"]), expert(1)(obs["policy"])], dim=1)
    torch.testing.assert_close(model.act_inference(obs), blend(weights, actions))
    assert list(model.experts) == ["base", "arm"] and weights.shape == (4, 2, 2)


def test_any_number_of_experts(tmp_path: Path) -> None:
    files = [str(write_expert(tmp_path / f"e{i}.safetensors", i)) for i in range(4)]
    names = ["walk", "reach", "push", "turn"]
    model = _model(expert_ckpt_paths=files, experts=names)
    assert list(model.experts) == names and model.get_moe_weights(observations()).shape == (4, 1, 4)
    torch.testing.assert_close(model.experts["push"](observations()["policy"]), expert(2)(observations()["policy"]))


def test_a_mixture_gives_all_of_its_experts(tmp_path: Path) -> None:
    made = write_moe(tmp_path / "coalition.safetensors", {"kind": "given"})
    model = _model(expert_ckpt_paths=[str(tmp_path / "coalition.safetensors")])
    for name, source in made.experts.items():
        assert all(
            torch.equal(a, b) for a, b in zip(model.experts[name].parameters(), source.parameters(), strict=True)
        )


def test_only_the_router_gets_gradients_from_frozen_experts(paths: dict[str, str]) -> None:
    model = _model(**paths)
    model(observations()).square().sum().backward()
    assert all(p.grad is None and not p.requires_grad for p in model.experts.parameters())
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.router.parameters())


def test_all_get_gradients_when_not_frozen(paths: dict[str, str]) -> None:
    model = _model(freeze_experts=False, **paths)
    model(observations()).square().sum().backward()
    parts = [*model.experts.parameters(), *model.router.parameters()]
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in parts)


def _normalizers(model: ActorCriticMoE) -> list[torch.Tensor]:
    return [value.clone() for key, value in model.experts.state_dict().items() if "normalizer" in key]


@pytest.mark.parametrize("freeze", [True, False])
def test_normalisers_of_loaded_experts_stay(paths: dict[str, str], freeze: bool) -> None:
    model = _model(freeze_experts=freeze, **paths)
    before = _normalizers(model)
    model.update_normalization(observations())
    assert all(torch.equal(a, b) for a, b in zip(before, _normalizers(model), strict=True))
    assert model.state_dict()["router.normalizer.count"] == 4


def test_normalisers_of_experts_from_nothing_learn() -> None:
    model = _model(freeze_experts=False, hidden_dims=HIDDEN)
    model.update_normalization(observations())
    assert model.state_dict()["experts.arm.normalizer.count"] == 4


def test_checkpoint_holds_experts_and_router_and_no_exploration(paths: dict[str, str]) -> None:
    model = _model(router={"kind": "adaptive", "noise": 0.1}, num_groups=2, **paths)
    assert {key.split(".")[0] for key in model.policy_state()} == {"experts", "router"}
    assert model.network() == {
        "experts": ["base", "arm"],
        "hidden_dims": [list(HIDDEN), list(HIDDEN)],
        "num_groups": 2,
        "router": {"kind": "adaptive", "noise": 0.1},
    }


def test_single_expert_of_any_size() -> None:
    model = SingleExpertModel(observations(), {"actor": ["policy"]}, "actor", NUM_JOINTS, [32, 16], DISTRIBUTION)
    assert model.network() == {"hidden_dims": [32, 16]}
    assert model.act_inference(observations()).shape == (4, NUM_JOINTS)
    assert set(model.policy_state()) == set(expert().state_dict()) - {"mlp.6.weight", "mlp.6.bias"}


# --- refusals --------------------------------------------------------------------------------------------------------


def _refused(match: str, **options: Any) -> None:
    with pytest.raises((CheckpointError, ValueError), match=match) as error:
        _model(**options)
    assert "\n" not in str(error.value)


def test_missing_checkpoints_are_refused(paths: dict[str, str], tmp_path: Path) -> None:
    _refused("frozen experts need checkpoints: give base_ckpt_path")
    _refused("arm_ckpt_path is missing", base_ckpt_path=paths["base_ckpt_path"])
    _refused("not both", expert_ckpt_paths=list(paths.values()), **paths)
    _refused("no checkpoint at .*none", expert_ckpt_paths=[str(tmp_path / "none")])


def test_another_number_of_experts_is_refused(paths: dict[str, str]) -> None:
    _refused(r"2 experts in .*base.safetensors.*, but 3 names: a, b, c", experts=["a", "b", "c"], **paths)


def test_another_layout_is_refused_with_names(tmp_path: Path, paths: dict[str, str]) -> None:
    other = write_expert(tmp_path / "other.safetensors", observation=DEFAULT_TERMS[:-1])
    _refused("other.safetensors has another layout: observation lacks last_action", expert_ckpt_paths=[str(other)] * 2)
    scaled = write_expert(tmp_path / "scaled.safetensors", action_scale=(0.5,) * NUM_JOINTS)
    _refused("different action scales: .*base.*scaled", expert_ckpt_paths=[paths["base_ckpt_path"], str(scaled)])


def test_a_lying_card_is_refused(tmp_path: Path, paths: dict[str, str]) -> None:
    lying = tmp_path / "lying.safetensors"
    _write_raw(lying, {"mlp.0.weight": torch.zeros(4, 7), "mlp.2.weight": torch.zeros(5, 4)})
    _refused("lying.safetensors holds another network: normalizer", expert_ckpt_paths=[str(lying)])
    _write_raw(lying, {"nothing": torch.zeros(4, 7)})
    _refused("lying.safetensors holds no expert", expert_ckpt_paths=[str(lying)])


def _write_raw(path: Path, state: dict[str, torch.Tensor]) -> None:
    save_checkpoint(path, state, CARD)


def test_groups_and_terms_must_be_those_of_the_environment(paths: dict[str, str]) -> None:
    _refused("terms have .* columns, `policy` has", policy_terms=DEFAULT_TERMS[:-1], **paths)
    obs = observations().exclude("router")
    with pytest.raises(ValueError, match=r"reads the observation groups \['router'\]; the environment lacks"):
        ActorCriticMoE(
            obs, {"actor": ["policy"]}, "actor", NUM_JOINTS, router={"kind": "traj_attention"}, freeze_experts=False
        )
