"""Experts, router and mixture: blending, freezing, checkpoints, the load-balance hook, ONNX parity."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from moe_controller.contract import OBSERVATION_INPUT, Contract
from moe_controller.policy import OnnxPolicy
from tensordict import TensorDict

from training.envs.config import EnvConfig
from training.export import FusedPolicy, export_onnx, load_gate, make_contract, save_gate
from training.models.expert import CheckpointError, Expert, load_expert, save_expert
from training.models.mixture import MixtureModel, blend
from training.models.obs_moe import ObsMoE

SIZE, ACTIONS = 66, 18


def _observation(n: int = 4) -> TensorDict:
    generator = torch.Generator().manual_seed(0)
    return TensorDict(
        {"policy": torch.randn(n, SIZE, generator=generator), "mixing": torch.full((n, 2), 0.3)}, batch_size=[n]
    )


def _mixture(**options: Any) -> MixtureModel:
    torch.manual_seed(0)
    distribution = {"class_name": "GaussianDistribution", "init_std": 0.1, "std_type": "log"}
    return MixtureModel(
        _observation(), {"actor": ["policy"]}, "actor", ACTIONS, distribution_cfg=distribution, **options
    )


def test_blend_is_the_weighted_sum() -> None:
    actions = torch.randn(5, 3, ACTIONS)
    weights = torch.softmax(torch.randn(5, 1, 3), dim=-1)
    expected = sum(weights[:, 0, i : i + 1] * actions[:, i] for i in range(3))
    torch.testing.assert_close(blend(weights, actions), expected)


def test_blend_with_groups_splits_legs_and_arm() -> None:
    actions = torch.stack([torch.zeros(1, ACTIONS), torch.ones(1, ACTIONS)], dim=1)
    weights = torch.tensor([[[1.0, 0.0], [0.25, 0.75]]])
    assert blend(weights, actions)[0].tolist() == [0.0] * 12 + [0.75] * 6


def test_weights_sum_to_one_and_start_near_uniform() -> None:
    gate = ObsMoE(SIZE, num_experts=3, num_groups=2)
    weights = gate(torch.randn(10, SIZE))
    assert weights.shape == (10, 2, 3)
    torch.testing.assert_close(weights.sum(-1), torch.ones(10, 2))
    assert (weights - 1 / 3).abs().max() < 0.1


def test_frozen_experts_get_no_gradient_and_the_gate_does() -> None:
    model = _mixture(router="obs_moe", freeze_experts=True)
    model(_observation()).square().sum().backward()
    assert all(parameter.grad is None for parameter in model.experts.parameters())
    assert model.gate is not None
    assert any(parameter.grad is not None and parameter.grad.abs().sum() > 0 for parameter in model.gate.parameters())


def test_coalition_trains_both_experts() -> None:
    model = _mixture(router="given")
    model(_observation()).square().sum().backward()
    for expert in model.experts:
        assert all(p.grad is not None for name, p in expert.named_parameters() if name.startswith("mlp"))


def test_given_weights_come_from_the_mixing_observation() -> None:
    weights = _mixture(router="given").get_moe_weights(_observation(1))
    torch.testing.assert_close(weights, torch.tensor([[[0.3, 0.7], [0.3, 0.7]]]))


def test_expert_round_trip(tmp_path: Path) -> None:
    expert = Expert(SIZE, ACTIONS)
    save_expert(expert, tmp_path / "e.safetensors")
    x = torch.randn(3, SIZE)
    torch.testing.assert_close(load_expert(tmp_path / "e.safetensors", SIZE, ACTIONS)(x), expert(x))


def test_expert_of_another_layout_is_refused_by_name(tmp_path: Path) -> None:
    save_expert(Expert(SIZE + 1, ACTIONS), tmp_path / "e.safetensors")
    with pytest.raises(CheckpointError, match=r"mlp\.0\.weight.*67.*instead of.*66"):
        load_expert(tmp_path / "e.safetensors", SIZE, ACTIONS)


@pytest.mark.parametrize("content", [None, b"", b"not a checkpoint", b"\x80\x04N."])
def test_missing_or_foreign_expert_is_one_line(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "e.safetensors"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CheckpointError) as error:
        load_expert(path, SIZE, ACTIONS)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("groups", [1, 2])
def test_onnx_equals_torch_for_gate_experts_and_blend(tmp_path: Path, groups: int) -> None:
    torch.manual_seed(1)
    experts = [Expert(SIZE, ACTIONS).eval() for _ in range(2)]
    for expert in experts:  # a normaliser that does something
        expert.normalizer._mean.normal_()
        expert.normalizer._std.uniform_(0.5, 2.0)
    policy = FusedPolicy(experts, ObsMoE(SIZE, num_groups=groups)).eval()
    contract = make_contract(EnvConfig(), policy.gate, ("a", "b"), {"git": "test"})
    path = tmp_path / "moe.onnx"
    export_onnx(policy, contract, path)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    observation = torch.randn(1, SIZE)
    action, weights, actions = session.run(None, {OBSERVATION_INPUT: observation.numpy()})
    with torch.inference_mode():
        np.testing.assert_allclose(weights, policy.gate(observation).numpy(), atol=1e-5)
        for i, expert in enumerate(experts):
            np.testing.assert_allclose(actions[:, i], expert(observation).numpy(), atol=1e-5)
        np.testing.assert_allclose(action, policy(observation)[0].numpy(), atol=1e-5)
    metadata = session.get_modelmeta().custom_metadata_map
    assert Contract.from_metadata(metadata) == contract
    contract.check_robot()
    output = OnnxPolicy(path).act(observation.numpy()[0])  # the deployed reader
    np.testing.assert_allclose(output.action, action[0], atol=1e-6)


def test_gate_round_trip(tmp_path: Path) -> None:
    gate = ObsMoE(SIZE, num_groups=2)
    save_gate(gate, tmp_path / "gate.safetensors")
    x = torch.randn(3, SIZE)
    torch.testing.assert_close(load_gate(tmp_path / "gate.safetensors", SIZE)(x), gate(x))
