"""The worked example runs and shows what it says."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.training.models.fixtures import write_moe
from training.examples import example_moe_usage


def test_from_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert example_moe_usage.main(["--out", str(tmp_path), "--num_steps", "10"]) == 0
    output = capsys.readouterr().out
    assert "parts with gradients: router; the experts are frozen" in output
    losses = [float(line.split("loss ")[1].split(",")[0]) for line in output.splitlines() if "loss" in line]
    assert losses[0] > 0.6 and losses[-1] < 0.1
    assert (tmp_path / "moe.safetensors").is_file() and (tmp_path / "play" / "weights_over_time.png").is_file()


def test_with_a_trained_mixture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_moe(tmp_path / "trained.safetensors", {"kind": "obs_moe"})
    options = ["--moe_ckpt_path", str(tmp_path / "trained.safetensors"), "--num_steps", "5"]
    assert example_moe_usage.main(["--out", str(tmp_path), *options]) == 0
    assert "trained, 2 robots" in capsys.readouterr().out


def test_a_missing_mixture_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    missing = str(tmp_path / "none.safetensors")
    assert example_moe_usage.main(["--out", str(tmp_path), "--moe_ckpt_path", missing]) == 1
    assert capsys.readouterr().err.count("\n") == 1
