"""Inference of the shipped mixture: one fused ONNX graph against torch eager, one thread each."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from go2_piper_description.joints import NUM_JOINTS
from moe_controller.policy import OnnxPolicy

from training.export import FusedPolicy, load_gate
from training.models.expert import load_expert
from training.stages import EXPERT_NAMES

from .timing import time_side_by_side

MODELS = Path(__file__).resolve().parent.parent / "models"


def run() -> list[str]:
    """Return the lines of the report."""
    torch.set_num_threads(1)
    deployed = OnnxPolicy(MODELS / "moe.onnx")
    size = deployed.contract.observation_size
    experts = [load_expert(MODELS / f"{name}.safetensors", size, NUM_JOINTS) for name in EXPERT_NAMES]
    eager = FusedPolicy(experts, load_gate(MODELS / "gate.safetensors", size)).eval()
    observation = np.random.default_rng(0).normal(size=size).astype(np.float32)
    tensor = torch.from_numpy(observation)[None]

    def torch_call() -> object:
        with torch.inference_mode():
            return eager(tensor)

    times = time_side_by_side({"onnx": lambda: deployed.act(observation), "torch": torch_call})
    ratio = times["torch"].p50 / times["onnx"].p50
    return [
        f"policy inference, ONNX (as the controller calls it): p50 / p99 {times['onnx']}",
        f"policy inference, torch eager:                       p50 / p99 {times['torch']}",
        f"torch / ONNX: {ratio:.1f}",
    ]
