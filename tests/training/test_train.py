"""The command line on tiny runs of the real environment: files, resume, seeds, and one line for every mistake."""

from __future__ import annotations

import fcntl
import os
import re
import signal
from pathlib import Path
from typing import Any

import pytest
import torch

from training.checkpoint import load_checkpoint
from training.envs.go2_piper_env import Go2PiperEnv
from training.run_log import last_rows
from training.train import main

WALK, REACH = "env=combo_go2Piper_locomotion", "env=combo_go2Piper_reaching"
TINY = (
    *("env.num_envs=4", "runner.num_steps_per_env=4", "million_steps=64e-6", "runner.save_every=2"),
    *("runner.clone_steps=0", "runner.algorithm.num_mini_batches=2", "runner.algorithm.num_learning_epochs=1"),
)
"""Four iterations of 16 steps."""


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HYDRA_FULL_ERROR", raising=False)


def _run_folder(name: str = "combo_go2Piper_locomotion", seed: int = 1) -> Path:
    return Path("runs") / name / f"seed_{seed}"


def _kill_after(monkeypatch: pytest.MonkeyPatch, steps: int) -> None:
    """Send SIGTERM to this process in one of the environment's steps."""
    step, count = Go2PiperEnv.step, [0]

    def counted(self: Go2PiperEnv, actions: torch.Tensor) -> Any:
        count[0] += 1
        if count[0] == steps:
            os.kill(os.getpid(), signal.SIGTERM)
        return step(self, actions)

    monkeypatch.setattr(Go2PiperEnv, "step", counted)


def _fails(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(list(arguments)) == 1
    error = capsys.readouterr().err
    assert error.startswith("training.train: ") and error.count("\n") == 1, error
    return error


def test_expert_leaves_checkpoint_card_log_and_configuration(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([REACH, *TINY, "seed=2"]) == 0
    folder = _run_folder("combo_go2Piper_reaching", 2)
    state, card = load_checkpoint(folder / "arm.safetensors")
    assert (card.kind, card.name, card.seed, card.steps) == ("expert", "arm", 2, 64)
    assert card.config["env"]["num_envs"] == 4 and card.network == {"hidden_dims": [256, 128, 64]}
    assert card.metrics["reward"] == last_rows(folder / "losses.csv")[0]["reward"]
    assert state["mlp.0.weight"].shape[0] == 256
    assert (folder / ".hydra" / "config.yaml").is_file() and (folder / "arm.yaml").is_file()
    output = capsys.readouterr().out
    assert "training finished" in output and "seed_2/arm.safetensors" in output


def test_resumed_command_equals_the_uninterrupted_one_to_the_last_bit(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("whole", "again"):
        assert main([WALK, *TINY, f"name={name}"]) == 0
    with monkeypatch.context() as patch:
        _kill_after(patch, steps=7)
        assert main([WALK, *TINY, "name=halves"]) == 130
    error = capsys.readouterr().err
    assert error == "training.train: stopped and saved at iteration 2 of 4; the same command goes on\n"
    assert main([WALK, *TINY, "name=halves"]) == 0
    whole, again, halves = (
        torch.load(_run_folder(name) / "checkpoint.pt", weights_only=True) for name in ("whole", "again", "halves")
    )
    for part in ("actor", "critic"):
        for key, value in whole[part].items():
            assert torch.equal(value, again[part][key]), f"{part} {key} of another run with the same seed"
            assert torch.equal(value, halves[part][key]), f"{part} {key} of the resumed run"
    assert [row["iteration"] for row in last_rows(_run_folder("halves") / "losses.csv", 9)] == [1, 2, 3, 4]


def test_fresh_starts_over_and_resume_false_does_not_overwrite(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([WALK, *TINY]) == 0
    error = _fails(capsys, WALK, *TINY, "resume=false")
    assert "holds a run: resume=true goes on, fresh=true starts over" in error
    assert main([WALK, *TINY, "million_steps=32e-6", "fresh=true"]) == 0
    assert [row["iteration"] for row in last_rows(_run_folder() / "losses.csv", 9)] == [1, 2]


def test_several_seeds_and_tasks_in_one_command() -> None:
    tasks = "env=combo_go2Piper_locomotion,combo_go2Piper_trajectory"
    assert main(["-m", tasks, *TINY, "million_steps=16e-6", "seed=1,2", "hydra/launcher=basic"]) == 0
    a, b = (load_checkpoint(_run_folder(seed=seed) / "base.safetensors") for seed in (1, 2))
    assert (a[1].seed, b[1].seed) == (1, 2)
    assert not torch.equal(a[0]["mlp.0.weight"], b[0]["mlp.0.weight"])
    assert (_run_folder("combo_go2Piper_trajectory", 2) / "track.safetensors").is_file()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["env=dog"], "no env/dog; env is one of combo_go2Piper_coalition"),
        ([WALK, "colour=red"], "unknown setting colour"),
        ([WALK, "env.colour=red"], "env: unknown setting colour; known: num_envs"),
        ([WALK, *TINY, "runner.algorithm.colour=red"], "runner: .*unexpected keyword argument 'colour'"),
        ([WALK, *TINY, "env.model=dog.xml"], "env: .*dog.xml"),
        ([WALK, *TINY, "env.targets.trajectory_file=dog.npz"], "env: .*dog.npz"),
        ([WALK, "env=["], "no viable alternative at input"),
        (["--config-name=dog"], "Cannot find primary config 'dog'"),
    ],
)
def test_mistakes_are_one_line(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert re.search(message, _fails(capsys, *arguments))


def test_cuda_without_a_gpu_is_one_line(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert "device=cuda: torch sees no CUDA device here" in _fails(capsys, WALK, *TINY, "device=cuda")


def test_foreign_resume_file_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    _run_folder().mkdir(parents=True)
    (_run_folder() / "checkpoint.pt").write_bytes(b"\x80\x04cos\nsystem\n.")  # a pickle that would run code
    assert "does not fit this run (not a checkpoint file): fresh=true starts over" in _fails(capsys, WALK, *TINY)


def test_busy_folder_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    _run_folder().mkdir(parents=True)
    with (_run_folder() / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert "another training is writing to" in _fails(capsys, WALK, *TINY)


def test_unwritable_folder_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    Path("runs").write_text("")
    assert "cannot use" in _fails(capsys, WALK, *TINY)


def test_help_lists_choices_and_settings(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([WALK, "--help"]) == 0
    output = capsys.readouterr().out
    assert "combo_go2Piper_reaching" in output and "learning_rate" in output and "probability" in output
