"""What is in models/ belongs together: the ONNX file, its contract, and the checkpoints that it was made from."""

from __future__ import annotations

from pathlib import Path

import torch
from moe_controller.policy import OnnxPolicy

from training.amp.make_expert_clips import MODEL
from training.checkpoint import file_sha256
from training.export import PARITY_TOLERANCE, onnx_difference
from training.models.loading import load_torch_policy

MODELS = Path(__file__).parents[2] / "models"


def test_shipped_policy_is_its_checkpoints() -> None:
    contract = OnnxPolicy(MODELS / "moe.onnx").contract
    assert contract.expert_sha256 == tuple(file_sha256(MODELS / f"{name}.safetensors") for name in contract.experts)
    policy = load_torch_policy(MODELS / "moe.safetensors")
    assert onnx_difference(str(MODELS / "moe.onnx"), policy.fused, contract.observation_size) <= PARITY_TOLERANCE


def test_shipped_experts_are_those_of_the_mixture() -> None:
    experts = load_torch_policy(MODELS / "moe.safetensors").fused.experts
    for name, expert in experts.items():
        alone = load_torch_policy(MODELS / f"{name}.safetensors").fused.experts[name].state_dict()
        assert all(torch.equal(value, alone[key]) for key, value in expert.state_dict().items())


def test_amp_learns_from_a_walking_expert_that_is_shipped() -> None:
    policy = load_torch_policy(MODEL)
    assert policy.card.kind == "expert" and policy.card.name == "base"


def test_shipped_policy_fits_the_robot() -> None:
    OnnxPolicy(MODELS / "moe.onnx").contract.check_robot()
