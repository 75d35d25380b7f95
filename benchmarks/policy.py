"""Inference of the shipped mixture: one fused ONNX graph against torch eager, one thread each."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from moe_controller.policy import OnnxPolicy

from training.models.loading import load_torch_policy

from .timing import time_side_by_side

MODELS = Path(__file__).resolve().parent.parent / "models"


def run(models: Path = MODELS, repeats: int = 3000) -> list[str]:
    """Return the lines of the report.

    Args:
        models: folder with moe.onnx and moe.safetensors, which it was made from.
        repeats: calls of each.
    """
    torch.set_num_threads(1)
    deployed = OnnxPolicy(models / "moe.onnx")
    eager = load_torch_policy(models / "moe.safetensors").fused
    observation = np.random.default_rng(0).normal(size=deployed.contract.observation_size).astype(np.float32)
    tensor = torch.from_numpy(observation)[None]

    def torch_call() -> object:
        with torch.inference_mode():
            return eager(tensor)

    times = time_side_by_side({"onnx": lambda: deployed.act(observation), "torch": torch_call}, repeats)
    ratio = times["torch"].p50 / times["onnx"].p50
    return [
        f"policy inference, ONNX (as the controller calls it): p50 / p99 {times['onnx']}",
        f"policy inference, torch eager:                       p50 / p99 {times['torch']}",
        f"torch / ONNX: {ratio:.1f}",
    ]
