"""Checkpoints and ONNX files as policies; comparison policies; refusals in one line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from go2_piper_description.joints import NUM_JOINTS
from moe_controller.observation import DEFAULT_TERMS, ROUTER_TERMS

from training.checkpoint import CheckpointError, save_checkpoint
from training.models.blending import blend
from training.models.comparison import constant_blend, single_expert, uniform_blend
from training.models.loading import load_policy

from .fixtures import CARD, HIDDEN, expert, observations, write_expert, write_moe

KINDS = ("obs_moe", "adaptive", "traj_attention")


@pytest.mark.parametrize("kind", KINDS)
def test_mixture_comes_back(tmp_path: Path, kind: str) -> None:
    path, obs = tmp_path / "m.safetensors", observations()
    settings = {"kind": kind, "top_k": 2, "temperature": 0.7}
    made = write_moe(path, settings, ("a", "b", "c"))
    policy = load_policy(path)
    assert (policy.name, policy.experts, policy.groups) == ("m", ("a", "b", "c"), ("legs", "arm"))
    torch.testing.assert_close(policy.get_moe_weights(obs), made.router(obs))
    torch.testing.assert_close(policy.expert_actions(obs)[:, 1], expert(1)(obs["policy"]), rtol=0, atol=0)
    torch.testing.assert_close(policy.act_inference(obs), blend(*policy.run(obs)[1:]), rtol=0, atol=0)
    assert policy.observation == DEFAULT_TERMS + (ROUTER_TERMS if kind == "traj_attention" else ())


def test_expert_alone_is_a_policy_with_weight_one(tmp_path: Path) -> None:
    path, obs = write_expert(tmp_path / "big.safetensors", 3), observations()
    policy = load_policy(path, name="monolith")
    assert (policy.name, policy.experts, policy.groups) == ("monolith", ("big",), ("all",))
    assert policy.get_moe_weights(obs).tolist() == [[[1.0]]] * 4
    torch.testing.assert_close(policy.act_inference(dict(obs)), expert(3)(obs["policy"]))


def test_comparison_policies(tmp_path: Path) -> None:
    write_moe(tmp_path / "m.safetensors", {"kind": "obs_moe"})
    policy, obs = load_policy(tmp_path / "m.safetensors"), observations()
    base, arm = (expert(i)(obs["policy"]) for i in range(2))
    torch.testing.assert_close(single_expert(policy, "arm").act_inference(obs), arm)
    torch.testing.assert_close(uniform_blend(policy).act_inference(obs), 0.5 * (base + arm))
    action = constant_blend(policy, 0.9, 0.2).act_inference(obs)
    torch.testing.assert_close(action[:, :12], (0.9 * base + 0.1 * arm)[:, :12])
    torch.testing.assert_close(action[:, 12:], (0.2 * base + 0.8 * arm)[:, 12:])
    with pytest.raises(ValueError, match="no expert 'leg'; it has base, arm"):
        single_expert(policy, "leg")


def test_constant_shares_are_for_two_experts(tmp_path: Path) -> None:
    write_moe(tmp_path / "m.safetensors", {"kind": "obs_moe"}, ("a", "b", "c"))
    with pytest.raises(ValueError, match="for two experts; m has 3"):
        constant_blend(load_policy(tmp_path / "m.safetensors"), 0.5, 0.5)


def _refused(path: Path, match: str) -> None:
    with pytest.raises(CheckpointError, match=match) as error:
        load_policy(path)
    assert "\n" not in str(error.value)


def test_missing_and_foreign_files_are_refused(tmp_path: Path) -> None:
    _refused(tmp_path / "none.safetensors", "no checkpoint at .*none")
    _refused(tmp_path / "none.onnx", "none.onnx cannot be read")
    (tmp_path / "bad.onnx").write_bytes(b"\x80\x04cos\nsystem\n.")
    _refused(tmp_path / "bad.onnx", "not a usable ONNX file")
    write_moe(tmp_path / "c.safetensors", {"kind": "given"})
    _refused(tmp_path / "c.safetensors", "no router of its own: train the router stage")


@pytest.mark.parametrize(
    ("network", "match"),
    [
        ({}, "its card names no experts"),
        ({"experts": "base"}, "its card names no experts"),
        ({"experts": [1]}, "its card names no experts"),
        ({"experts": ["base", "leg"]}, r"\(leg\) holds no expert"),
        ({"experts": ["base", "arm"], "router": {"kind": "x"}}, "its card describes no network .*unknown router"),
        ({"experts": ["base", "arm"], "router": 3}, "its card describes no network"),
        ({"experts": ["base", "arm"], "router": {"kind": "obs_moe"}, "num_groups": 7}, "describes no network"),
        ({"experts": ["base", "arm"], "router": {"kind": "adaptive"}}, "holds another network: .*router.slope"),
    ],
)
def test_a_card_of_another_network_is_one_line(tmp_path: Path, network: dict[str, Any], match: str) -> None:
    write_moe(tmp_path / "m.safetensors", {"kind": "obs_moe"}, network=network)
    _refused(tmp_path / "m.safetensors", match)


def test_a_card_of_another_observation_is_one_line(tmp_path: Path) -> None:
    path = write_expert(tmp_path / "e.safetensors", observation=DEFAULT_TERMS[:-1])
    _refused(path, f"expert e maps .* numbers to {NUM_JOINTS} actions, its card says")
    save_checkpoint(path, expert(0, HIDDEN).state_dict(), CARD)
    assert load_policy(path).experts == ("base",)


def test_an_environment_without_the_routers_columns_is_refused(tmp_path: Path) -> None:
    write_moe(tmp_path / "m.safetensors", {"kind": "traj_attention"})
    with pytest.raises(ValueError, match=r"reads \d+ observation columns, the environment gives \d+$"):
        load_policy(tmp_path / "m.safetensors").run(observations().exclude("router"))
