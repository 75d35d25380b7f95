"""What is in models/ belongs together: the ONNX file, its contract, and the checkpoints that it was made from."""

from __future__ import annotations

from pathlib import Path

from go2_piper_description.joints import NUM_JOINTS
from moe_controller.policy import OnnxPolicy

from training.export import PARITY_TOLERANCE, FusedPolicy, load_gate, onnx_difference
from training.models.expert import file_sha256, load_expert

MODELS = Path(__file__).parents[2] / "models"


def test_shipped_policy_is_its_checkpoints() -> None:
    contract = OnnxPolicy(MODELS / "moe.onnx").contract
    files = [MODELS / f"{name}.safetensors" for name in contract.experts]
    assert contract.expert_sha256 == tuple(file_sha256(path) for path in files)
    size = contract.observation_size
    policy = FusedPolicy(
        [load_expert(path, size, NUM_JOINTS) for path in files], load_gate(MODELS / "gate.safetensors", size)
    ).eval()
    assert onnx_difference(str(MODELS / "moe.onnx"), policy, size) <= PARITY_TOLERANCE


def test_shipped_policy_fits_the_robot() -> None:
    OnnxPolicy(MODELS / "moe.onnx").contract.check_robot()
