"""Export a checkpoint to one ONNX file with its contract: `python -m training.export --ckpt FILE --out models`.

The file takes the raw observation and gives the action, the expert weights and every expert's action; the observation
normalisers are inside. The export compares the file with torch and refuses to write one that differs. Beside it lie the
checkpoint (with the router) and each of its experts, all with their cards. An expert alone takes the same form.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
import tempfile
import warnings
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from moe_controller.contract import (
    ACTION_OUTPUT,
    EXPERT_ACTIONS_OUTPUT,
    OBSERVATION_INPUT,
    WEIGHTS_OUTPUT,
    Contract,
    ContractError,
    TargetRegion,
    VelocityLimits,
)

from .checkpoint import Card, CheckpointError, file_sha256, save_checkpoint
from .models.fused import FusedPolicy
from .models.loading import load_torch_policy
from .models.policy import TorchPolicy
from .structured import ConfigError, from_dict

PARITY_TOLERANCE = 1e-4
"""Largest difference between torch and ONNX, of float32 numbers: in raw action units, relative above 1."""
OUTPUTS = (ACTION_OUTPUT, WEIGHTS_OUTPUT, EXPERT_ACTIONS_OUTPUT)


def make_contract(policy: TorchPolicy, digests: tuple[str, ...]) -> Contract:
    """Return the contract of a policy.

    Args:
        policy: a checkpoint.
        digests: SHA-256 of the experts' files, in their order.

    Raises:
        CheckpointError: the card lacks the environment's configuration, or does not fit the robot.
    """
    card = policy.card
    env = card.config.get("env")
    try:
        if not isinstance(env, Mapping):
            raise ConfigError("env: missing")
        targets = env.get("targets") or {}
        contract = Contract(
            observation=policy.observation,
            experts=policy.experts,
            groups=policy.groups,
            joint_names=card.joint_names,
            action_scale=card.action_scale,
            action_clip=card.action_clip,
            control_period=float(env["control_period"]),
            velocity_limits=from_dict(VelocityLimits, env["velocity_limits"], "env.velocity_limits"),
            target_region=from_dict(TargetRegion, targets["region"], "env.targets.region"),
            expert_sha256=digests,
            training={key: str(getattr(card, key)) for key in ("name", "git", "date", "seed", "steps")},
        )
        contract.check_robot()
    except (ConfigError, ContractError, KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{policy.name}: its card gives no contract ({error})") from error
    return contract


def export_onnx(policy: FusedPolicy, contract: Contract, path: Path) -> float:
    """Write the ONNX file and return the largest difference from torch over random observations.

    Raises:
        CheckpointError: the difference is above PARITY_TOLERANCE; nothing is written.
    """
    policy = policy.eval()
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns of shapes that become constants: those of groups and experts are
        # the TorchScript exporter: these graphs need nothing newer, and it is quick
        torch.onnx.export(
            policy, (torch.zeros(2, contract.observation_size),), buffer,  # type: ignore[arg-type]
            opset_version=17, dynamo=False,
            input_names=[OBSERVATION_INPUT], output_names=list(OUTPUTS),
            dynamic_axes={name: {0: "batch"} for name in (OBSERVATION_INPUT, *OUTPUTS)},
        )  # fmt: skip
    model = onnx.load_from_string(buffer.getvalue())
    onnx.helper.set_model_props(model, contract.to_metadata())
    data = model.SerializeToString()
    difference = onnx_difference(data, policy, contract.observation_size)
    if not difference <= PARITY_TOLERANCE:
        raise CheckpointError(f"ONNX and torch differ by {difference:.2g}: {path.name} was not written")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return difference


def onnx_difference(model: bytes | str, policy: FusedPolicy, observation_size: int, count: int = 256) -> float:
    """Return the largest difference of any output between ONNX and torch over random observations, one and many.

    Relative where the output is above 1: random observations are far from the normaliser's and give large actions.
    """
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    generator = torch.Generator().manual_seed(0)
    observations = torch.randn(count, observation_size, generator=generator)
    worst = 0.0
    with torch.inference_mode():
        for batch in (observations, *observations[:32].split(1)):
            theirs = session.run(list(OUTPUTS), {OBSERVATION_INPUT: batch.numpy()})
            for a, b in zip(policy(batch), theirs, strict=True):
                ours = a.numpy()
                worst = max(worst, float((np.abs(ours - b) / np.maximum(1.0, np.abs(ours))).max()))
    return worst


def export(checkpoint: Path, out: Path, name: str | None = None) -> dict[str, Any]:
    """Write `<name>.onnx`, the checkpoint and its experts into a folder; all of them or none.

    Args:
        checkpoint: a `.safetensors` file of the training.
        out: the folder; older files of the same names are replaced.
        name: of the file, without ending; the checkpoint's if not given.

    Returns:
        The file, what it was compared with, and the experts, for the report.

    Raises:
        CheckpointError: one line.
    """
    policy = load_torch_policy(checkpoint)
    name = name or checkpoint.stem
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out, prefix=".export-") as folder:
        part = Path(folder)
        experts = [part / f"{expert}.safetensors" for expert in policy.experts]
        for path, expert in zip(experts, policy.fused.experts.values(), strict=True):
            save_checkpoint(path, expert.state_dict(), _expert_card(policy.card, path.stem, expert.hidden_dims))
        if policy.card.kind == "moe":
            if name in policy.experts:
                raise CheckpointError(f"the mixture cannot be named {name} like one of its experts: give --name")
            save_checkpoint(part / f"{name}.safetensors", policy.fused.state_dict(), policy.card)
        contract = make_contract(policy, tuple(file_sha256(path) for path in experts))
        difference = export_onnx(policy.fused, contract, part / f"{name}.onnx")
        for path in sorted(part.iterdir()):
            path.replace(out / path.name)
    return {"file": str(out / f"{name}.onnx"), "difference_from_torch": difference, "experts": policy.experts}


def _expert_card(card: Card, name: str, hidden_dims: Any) -> Card:
    if card.kind == "expert":
        return card
    network = {"hidden_dims": list(hidden_dims), "from": card.name}
    # the figures are those of the mixture
    return replace(card, kind="expert", name=name, network=network, router_observation=(), metrics={})


def main(argv: list[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(prog="training.export", description="Export a checkpoint to ONNX.")
    parser.add_argument("--ckpt", type=Path, required=True, help="checkpoint of a mixture or of an expert")
    parser.add_argument("--out", type=Path, default=Path("models"), help="folder for the files")
    parser.add_argument("--name", help="of the ONNX file, without ending; the checkpoint's by default")
    args = parser.parse_args(argv)
    try:
        summary = export(args.ckpt, args.out, args.name)
    except (CheckpointError, OSError) as error:
        print(f"training.export: {error}", file=sys.stderr)
        return 1
    print(json.dumps(summary))
    return 0


if __name__ == "__main__":
    sys.exit(main())
