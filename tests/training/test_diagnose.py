"""The diagnose command: files, conclusions from samples, and refusals in one line."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest
from moe_controller.observation import ROUTER_TERMS

from training.checkpoint import CheckpointError
from training.diagnose import diagnose, load_mixture, main
from training.diagnosis.collect import collect, env_config
from training.diagnosis.report import write_report
from training.envs.config import EnvConfig
from training.structured import ConfigError

from .diagnosis.synthetic import mixture, samples_of
from .models.fixtures import write_expert, write_moe

CONFIG = {"env": json.loads(json.dumps(asdict(EnvConfig())))}


def _write(path: Path, kind: str = "obs_moe") -> Path:
    write_moe(path, {"kind": kind}, config=CONFIG)
    return path


def test_report_files(tmp_path: Path) -> None:
    policy = load_mixture(_write(tmp_path / "moe.safetensors"))
    samples = samples_of(mixture(gain=5.0, groups=2))
    diagnosis = diagnose(policy, samples, tmp_path)
    write_report(diagnosis, samples, tmp_path / "out")
    text = (tmp_path / "out" / "diagnosis.md").read_text()
    assert "# Router of moe (obs_moe)" in text and "| walk | 200 |" in text and "| router | " in text
    values = json.loads((tmp_path / "out" / "diagnosis.json").read_text())
    assert values["experts"] == ["base", "arm"] and values["measures"]["spread"] > 0.1
    assert (tmp_path / "out" / "diagnosis.png").read_bytes().startswith(b"\x89PNG")


def test_weights_of_the_losses_come_from_the_training(tmp_path: Path) -> None:
    samples = samples_of(mixture(bias=1.0, groups=2))
    strong = {"runner": {"algorithm": {"load_balance": 10.0, "moe_weight_regularization": 10.0}}}
    gradients = []
    for name, config in (("a", {}), ("b", strong)):
        write_moe(tmp_path / f"{name}.safetensors", {"kind": "obs_moe"}, config=config)
        policy = load_mixture(tmp_path / f"{name}.safetensors")
        gradients.append(diagnose(policy, samples, tmp_path).measures.balance_gradient)
    assert gradients[1] == pytest.approx(1000 * gradients[0], rel=1e-3)


def test_environment_is_that_of_the_training(tmp_path: Path) -> None:
    policy = load_mixture(_write(tmp_path / "moe.safetensors", "traj_attention"))
    config = env_config(policy, ["num_envs=3", "randomization.push_interval=0", "modes.walk.probability=1"])
    assert (config.num_envs, config.randomization.push_interval, list(config.modes)) == (3, 0.0, ["walk"])
    assert config.router_observation == ROUTER_TERMS
    assert list(env_config(policy).modes) == ["walk", "reach", "both"]
    with pytest.raises(ConfigError, match="env: unknown setting foo"):
        env_config(policy, ["foo=3"])


def test_the_whole_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = _write(tmp_path / "moe.safetensors", "traj_attention")
    command = ["--ckpt", str(path), "--out", str(tmp_path / "out"), "--steps", "20", "--env", "num_envs=12"]
    assert main(command) == 0
    output = capsys.readouterr().out
    assert "PROBLEM: The weights are constant" in output and "never trained" in output
    names = {row["name"] for row in json.loads((tmp_path / "out" / "diagnosis.json").read_text())["situations"]}
    assert {"all", "walk", "reach", "both", "command: none"} <= names


def test_samples_line_up(tmp_path: Path) -> None:
    policy = load_mixture(_write(tmp_path / "moe.safetensors"))
    samples = collect(policy, env_config(policy, ["num_envs=6"]), 5)
    assert len(samples.weights) == len(samples.mode) == len(samples.advantages) == len(samples.ee_error) == 30
    outputs = policy.run(samples.obs)
    assert (outputs.weights - samples.weights).abs().max() < 1e-5
    reach = samples.mode == samples.mode_names.index("reach")
    assert (samples.command[reach] == 0).all() and (samples.command[~reach] != 0).any(axis=1).all()


def test_what_has_no_router_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_expert(tmp_path / "base.safetensors")
    write_moe(tmp_path / "c.safetensors", {"kind": "constant", "weights": [[0.5, 0.5]]}, num_groups=1)
    write_moe(tmp_path / "m.safetensors", {"kind": "obs_moe"})
    for name in ("none", "base", "c", "m"):
        assert main(["--ckpt", str(tmp_path / f"{name}.safetensors"), "--out", str(tmp_path)]) == 1
    missing, single, constant, bare = capsys.readouterr().err.splitlines()
    assert "no checkpoint at" in missing and "there is nothing to route" in single
    assert "constant weights" in constant and "has no environment" in bare
    with pytest.raises(CheckpointError):
        load_mixture(tmp_path / "base.safetensors")
