"""Tiny training runs of every stage: they move what they should, resume, and the load-balance hook is called."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from training import stages
from training.envs.go2_piper_env import Go2PiperEnv
from training.models.expert import Expert, save_expert
from training.runner import Runner
from training.train import main, train


@pytest.fixture(autouse=True)
def small_stages(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.set_num_threads(1)
    for name, stage in stages.STAGES.items():
        monkeypatch.setitem(stages.STAGES, name, replace(stage, num_envs=8, critic_warm_up=0))


def _steps(iterations: int) -> float:
    return iterations * 8 * 24 / 1e6


def _experts(runs: Path) -> None:
    for stage, names in (("base", ["base"]), ("arm", ["arm"]), ("coalition", ["base", "arm"])):
        for name in names:
            save_expert(Expert(66, 18), stages.expert_path(runs, stage, name))


def test_stage_leaves_an_expert_and_a_log(tmp_path: Path) -> None:
    folder = train(stages.STAGES["base"], tmp_path, _steps(2), seed=1, threads=1, fresh=False)
    assert stages.expert_path(tmp_path, "base", "base").is_file()
    assert (folder / "losses.csv").read_text().count("\n") == 3


def test_same_seed_same_expert_to_the_last_bit(tmp_path: Path) -> None:
    for name in ("a", "b"):
        train(stages.STAGES["arm"], tmp_path / name, _steps(2), seed=3, threads=2, fresh=False)
    a, b = ((tmp_path / name / "arm" / "arm.safetensors").read_bytes() for name in ("a", "b"))
    assert a == b


def test_gate_training_leaves_experts_bit_identical(tmp_path: Path) -> None:
    _experts(tmp_path)
    stage = stages.STAGES["gate"]
    torch.manual_seed(0)
    runner = Runner(Go2PiperEnv(stage.env_config(1, 1)), stage.runner_config(), tmp_path / "gate")
    before = {key: value.clone() for key, value in runner.algorithm.actor.state_dict().items()}
    runner.train(2)
    after = runner.algorithm.actor.state_dict()
    changed = {key.split(".")[0] for key in before if not torch.equal(before[key], after[key])}
    assert changed == {"gate"}
    assert "load_balance" in (tmp_path / "gate" / "losses.csv").read_text()  # rsl_rl still calls the hook


def test_resume_goes_on_from_the_checkpoint(tmp_path: Path) -> None:
    train(stages.STAGES["base"], tmp_path, _steps(1), seed=1, threads=1, fresh=False)
    stage = stages.STAGES["base"]
    runner = Runner(Go2PiperEnv(stage.env_config(1, 1)), stage.runner_config(), tmp_path / "base")
    assert runner.resume()
    assert runner.iteration == 1


def test_foreign_checkpoint_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "checkpoint.pt").write_bytes(b"\x80\x04cos\nsystem\n.")  # a pickle that would run code
    assert main(["base", "--out", str(tmp_path), "--steps", str(_steps(1)), "--threads", "1"]) == 1
    error = capsys.readouterr().err
    assert "does not fit this run" in error and error.count("\n") == 1


def test_missing_experts_are_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["gate", "--out", str(tmp_path), "--steps", str(_steps(1)), "--threads", "1"]) == 1
    assert "no expert checkpoint" in capsys.readouterr().err
