"""Export: the file equals torch for every kind of router and for experts alone; contract, companions, refusals."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from moe_controller.contract import OBSERVATION_INPUT, Contract
from moe_controller.observation import DEFAULT_TERMS, ROUTER_TERMS
from moe_controller.policy import OnnxPolicy

from training import export as module
from training.checkpoint import CheckpointError, file_sha256, load_checkpoint
from training.envs.config import EnvConfig
from training.export import OUTPUTS, export, main
from training.models.loading import load_policy

from .models.fixtures import observations, write_expert, write_moe

CONFIG = {"env": json.loads(json.dumps(asdict(EnvConfig())))}
ROUTERS: list[dict[str, Any]] = [
    {"kind": "obs_moe"},
    {"kind": "obs_moe", "top_k": 2, "temperature": 0.5, "noise": 1.0},
    {"kind": "adaptive"},
    {"kind": "traj_attention"},
    {"kind": "constant", "weights": [[0.2, 0.3, 0.5], [1.0, 0.0, 0.0]]},
]


@pytest.mark.parametrize("router", ROUTERS, ids=lambda router: "-".join(map(str, router.values()))[:30])
def test_onnx_equals_torch_for_every_router(tmp_path: Path, router: dict[str, Any]) -> None:
    path = tmp_path / "moe.safetensors"
    write_moe(path, router, ("a", "b", "c"), config=CONFIG)
    export(path, tmp_path / "out")
    ours, theirs, obs = load_policy(path), load_policy(tmp_path / "out" / "moe.onnx"), observations(64, seed=5)
    for a, b in zip(ours.run(obs), theirs.run(obs), strict=True):
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-5)
    assert (theirs.experts, theirs.groups, theirs.observation) == (ours.experts, ours.groups, ours.observation)


def test_expert_alone_is_a_policy_of_the_controller(tmp_path: Path) -> None:
    path = write_expert(tmp_path / "base.safetensors", config=CONFIG)
    export(path, tmp_path / "out")
    deployed = OnnxPolicy(tmp_path / "out" / "base.onnx")
    policy = observations(1)["policy"]
    output = deployed.act(policy[0].numpy())
    np.testing.assert_allclose(output.action, load_policy(path).act_inference({"policy": policy})[0], atol=1e-5)
    assert output.weights.tolist() == [[1.0]] and deployed.contract.groups == ("all",)
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == ["base.onnx", "base.safetensors", "base.yaml"]


def test_the_contract_says_what_the_controller_needs(tmp_path: Path) -> None:
    write_moe(tmp_path / "moe.safetensors", {"kind": "traj_attention"}, config=CONFIG, seed=7, steps=12)
    export(tmp_path / "moe.safetensors", tmp_path / "out")
    contract = OnnxPolicy(tmp_path / "out" / "moe.onnx").contract
    env = EnvConfig()
    assert contract.observation == DEFAULT_TERMS + ROUTER_TERMS
    assert contract.velocity_limits == env.velocity_limits and contract.target_region == env.targets.region
    assert contract.training["seed"] == "7" and contract.training["steps"] == "12"
    files = [tmp_path / "out" / f"{name}.safetensors" for name in ("base", "arm")]
    assert contract.expert_sha256 == tuple(file_sha256(file) for file in files)


def test_experts_and_router_lie_beside_it_with_cards(tmp_path: Path) -> None:
    made = write_moe(tmp_path / "run.safetensors", {"kind": "obs_moe"}, config=CONFIG, metrics={"reward": 1.0})
    export(tmp_path / "run.safetensors", tmp_path / "out", name="moe")
    names = {f"{name}{end}" for name in ("moe", "base", "arm") for end in (".safetensors", ".yaml")} | {"moe.onnx"}
    assert {file.name for file in (tmp_path / "out").iterdir()} == names
    state, card = load_checkpoint(tmp_path / "out" / "arm.safetensors")
    assert all(torch.equal(value, state[key]) for key, value in made.experts["arm"].state_dict().items())
    assert (card.kind, card.name, card.network["from"], card.metrics) == ("expert", "arm", "run", {})
    assert load_checkpoint(tmp_path / "out" / "moe.safetensors")[1].metrics == {"reward": 1.0}


def test_one_observation_or_many(tmp_path: Path) -> None:
    write_moe(tmp_path / "moe.safetensors", {"kind": "traj_attention"}, config=CONFIG)
    export(tmp_path / "moe.safetensors", tmp_path)
    session = onnxruntime.InferenceSession(str(tmp_path / "moe.onnx"), providers=["CPUExecutionProvider"])
    size = Contract.from_metadata(session.get_modelmeta().custom_metadata_map).observation_size
    many = np.random.default_rng(0).normal(size=(5, size)).astype(np.float32)
    together = session.run(list(OUTPUTS), {OBSERVATION_INPUT: many})
    alone = [session.run(list(OUTPUTS), {OBSERVATION_INPUT: row[None]}) for row in many]
    for index, values in enumerate(together):
        np.testing.assert_allclose(values, np.concatenate([row[index] for row in alone]), atol=1e-5)


def test_a_file_that_differs_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_moe(tmp_path / "moe.safetensors", {"kind": "obs_moe"}, config=CONFIG)
    monkeypatch.setattr(module, "onnx_difference", lambda *args: float("nan"))
    with pytest.raises(CheckpointError, match=r"differ by nan: moe.onnx was not written"):
        export(tmp_path / "moe.safetensors", tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def test_the_difference_is_measured(tmp_path: Path) -> None:
    made = write_moe(tmp_path / "moe.safetensors", {"kind": "obs_moe"}, config=CONFIG)
    assert export(tmp_path / "moe.safetensors", tmp_path)["difference_from_torch"] < 1e-4
    made.state_dict()["router.mlp.0.weight"] += 0.1
    model = str(tmp_path / "moe.onnx")
    assert module.onnx_difference(model, made, OnnxPolicy(model).contract.observation_size) > 1e-3


@pytest.mark.parametrize(
    ("card", "match"),
    [
        ({"config": {}}, "moe: its card gives no contract (env: missing"),
        ({"config": {"env": {"control_period": 0.02}}}, "its card gives no contract"),
        ({"config": CONFIG, "action_scale": (0.25,)}, "action scale must be 18"),
    ],
)
def test_a_card_without_contract_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], card: dict[str, Any], match: str
) -> None:
    write_moe(tmp_path / "moe.safetensors", {"kind": "obs_moe"}, **card)
    assert main(["--ckpt", str(tmp_path / "moe.safetensors"), "--out", str(tmp_path / "out")]) == 1
    error = capsys.readouterr().err
    assert match in error and error.count("\n") == 1
    assert list((tmp_path / "out").iterdir()) == []


def test_missing_checkpoint_and_clashing_name_are_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--ckpt", str(tmp_path / "none.safetensors"), "--out", str(tmp_path)]) == 1
    write_moe(tmp_path / "moe.safetensors", {"kind": "obs_moe"}, config=CONFIG)
    assert main(["--ckpt", str(tmp_path / "moe.safetensors"), "--out", str(tmp_path), "--name", "arm"]) == 1
    missing, clash = capsys.readouterr().err.splitlines()
    assert "no checkpoint at" in missing and "cannot be named arm" in clash
