"""Export a trained mixture to one ONNX file with its contract: `python -m training.export --out models`.

The file takes the raw observation and gives the action, the expert weights and every expert's action; the observation
normalisers are inside. The export compares the file with torch and refuses to write one that differs.
"""

from __future__ import annotations

import argparse
import datetime
import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from go2_piper_description.joints import ARM_SLICE, NUM_JOINTS
from moe_controller.contract import (
    ACTION_OUTPUT,
    EXPERT_ACTIONS_OUTPUT,
    OBSERVATION_INPUT,
    WEIGHTS_OUTPUT,
    Contract,
)
from moe_controller.observation import DEFAULT_TERMS
from safetensors.torch import load_file, save_file
from torch import nn

from .envs.config import EnvConfig
from .models.expert import CheckpointError, Expert, file_sha256, load_expert
from .models.mixture import blend
from .models.obs_moe import ObsMoE
from .stages import EXPERT_NAMES, STAGES, expert_path

PARITY_TOLERANCE = 1e-4
"""Largest difference between torch and ONNX, raw action units (float32)."""


class FusedPolicy(nn.Module):
    """Observation -> (action, expert weights, expert actions), as the ONNX file computes it."""

    def __init__(self, experts: list[Expert], gate: ObsMoE) -> None:
        super().__init__()
        self.experts = nn.ModuleList(experts)
        self.gate = gate

    def forward(self, observation: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return (N, 18), (N, G, E), (N, E, 18)."""
        weights = self.gate(observation)
        actions = torch.stack([expert(observation) for expert in self.experts], dim=1)
        return blend(weights, actions), weights, actions


def load_gate(path: Path, observation_size: int) -> ObsMoE:
    """Read a gate that `save_gate` wrote. Raises CheckpointError."""
    if not path.is_file():
        raise CheckpointError(f"no gate checkpoint at {path}: train the gate first")
    state = load_file(path)
    outputs = [value for key, value in state.items() if key.endswith("bias")][-1].shape[0]
    groups = int(state.pop("num_groups"))
    gate = ObsMoE(observation_size, num_experts=outputs // groups, num_groups=groups)
    gate.load_state_dict(state)
    return gate


def save_gate(gate: ObsMoE, path: Path) -> None:
    """Write the gate as safetensors."""
    state = {key: value.contiguous() for key, value in gate.state_dict().items()}
    save_file({**state, "num_groups": torch.tensor(gate.num_groups)}, path)


def make_contract(config: EnvConfig, gate: ObsMoE, digests: tuple[str, ...], training: dict[str, str]) -> Contract:
    """Return the contract of a mixture trained on this environment."""
    scale = np.full(NUM_JOINTS, config.leg_action_scale)
    scale[ARM_SLICE] = config.arm_action_scale
    return Contract(
        observation=DEFAULT_TERMS,
        experts=EXPERT_NAMES,
        groups=("all",) if gate.num_groups == 1 else ("legs", "arm"),
        action_scale=tuple(scale.tolist()),
        action_clip=config.action_clip,
        control_period=config.control_period,
        velocity_limits=config.velocity_limits,
        target_region=config.target_region,
        expert_sha256=digests,
        training=training,
    )


def export_onnx(policy: FusedPolicy, contract: Contract, path: Path) -> float:
    """Write the ONNX file and return the largest difference from torch over random observations.

    Raises:
        CheckpointError: the difference is above PARITY_TOLERANCE; nothing is written.
    """
    policy = policy.eval()
    example = torch.zeros(1, contract.observation_size)
    buffer = io.BytesIO()
    # the TorchScript exporter: these graphs need nothing newer, and it is quick and quiet
    torch.onnx.export(
        policy, (example,), buffer, opset_version=17, dynamo=False,  # type: ignore[arg-type]
        input_names=[OBSERVATION_INPUT], output_names=[ACTION_OUTPUT, WEIGHTS_OUTPUT, EXPERT_ACTIONS_OUTPUT],
    )  # fmt: skip
    model = onnx.load_from_string(buffer.getvalue())
    onnx.helper.set_model_props(model, contract.to_metadata())
    data = model.SerializeToString()
    difference = onnx_difference(data, policy, contract.observation_size)
    if not difference <= PARITY_TOLERANCE:
        raise CheckpointError(f"ONNX and torch differ by {difference:.2g}: not exported")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return difference


def onnx_difference(model: bytes | str, policy: FusedPolicy, observation_size: int, count: int = 256) -> float:
    """Return the largest difference of any output between ONNX and torch over random observations."""
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    generator = torch.Generator().manual_seed(0)
    worst = 0.0
    with torch.inference_mode():
        for _ in range(count):
            observation = torch.randn(1, observation_size, generator=generator)
            ours = policy(observation)
            theirs = session.run(None, {OBSERVATION_INPUT: observation.numpy()})
            for a, b in zip(ours, theirs, strict=True):
                worst = max(worst, float(np.abs(a.numpy() - b).max()))
    return worst


def _git_hash() -> str:
    try:
        return subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True
                              ).stdout.strip()  # fmt: skip
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def main(argv: list[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(prog="training.export", description="Export the trained mixture to ONNX.")
    parser.add_argument("--runs", type=Path, default=Path("runs/train"), help="folder of the training runs")
    parser.add_argument("--out", type=Path, default=Path("models"), help="folder for moe.onnx and the experts")
    args = parser.parse_args(argv)
    stage = STAGES["gate"]
    config = stage.env_config(seed=1, threads=1)
    size = sum(term.size for term in DEFAULT_TERMS)
    try:
        paths = [expert_path(args.runs, stage.needs[0], name) for name in EXPERT_NAMES]
        experts = [load_expert(path, size, NUM_JOINTS) for path in paths]
        gate = load_gate(args.runs / "gate" / "gate.safetensors", size)
        training = {"git": _git_hash(), "date": datetime.date.today().isoformat()}
        contract = make_contract(config, gate, tuple(file_sha256(path) for path in paths), training)
        difference = export_onnx(FusedPolicy(experts, gate), contract, args.out / "moe.onnx")
    except CheckpointError as error:
        print(f"training.export: {error}", file=sys.stderr)
        return 1
    for path in (*paths, args.runs / "gate" / "gate.safetensors"):
        (args.out / path.name).write_bytes(path.read_bytes())
    summary = {"file": str(args.out / "moe.onnx"), "difference_from_torch": difference, "experts": EXPERT_NAMES}
    print(json.dumps(summary))
    return 0


if __name__ == "__main__":
    sys.exit(main())
