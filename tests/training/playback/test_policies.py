"""Which policy is played: a mixture, with experts exchanged, or a finished ONNX file."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.support.tiny_policy import write_tiny_policy
from tests.training.models.fixtures import expert, observations, write_expert, write_moe
from training.checkpoint import CheckpointError
from training.playback.errors import PlayError
from training.playback.policies import load_mixture

ROUTER = {"kind": "obs_moe"}


def test_experts_are_exchanged(tmp_path: Path) -> None:
    write_moe(tmp_path / "moe.safetensors", ROUTER)
    obs, other = observations(), write_expert(tmp_path / "other.safetensors", 9)
    plain = load_mixture(tmp_path / "moe.safetensors").expert_actions(obs)
    for base, arm, at in ((other, None, 0), (None, other, 1)):
        exchanged = load_mixture(tmp_path / "moe.safetensors", base, arm).expert_actions(obs)
        torch.testing.assert_close(exchanged[:, at], expert(9)(obs["policy"]).detach())
        torch.testing.assert_close(exchanged[:, 1 - at], plain[:, 1 - at], rtol=0, atol=0)


def test_onnx_files_are_played_as_they_are(tmp_path: Path) -> None:
    write_tiny_policy(tmp_path / "tiny.onnx")
    assert load_mixture(tmp_path / "tiny.onnx").experts == ("base", "arm")
    with pytest.raises(PlayError, match="has its experts inside"):
        load_mixture(tmp_path / "tiny.onnx", base=tmp_path / "b.safetensors")


def test_refusals(tmp_path: Path) -> None:
    write_moe(tmp_path / "moe.safetensors", ROUTER, names=("legs", "hand"))
    some = write_expert(tmp_path / "some.safetensors")
    with pytest.raises(PlayError, match="no expert 'base' to exchange, it has legs, hand"):
        load_mixture(tmp_path / "moe.safetensors", some)
    with pytest.raises(CheckpointError, match="no checkpoint at"):
        load_mixture(tmp_path / "none.safetensors")
    write_moe(tmp_path / "good.safetensors", ROUTER)
    with pytest.raises(CheckpointError, match="no checkpoint at"):
        load_mixture(tmp_path / "good.safetensors", arm=tmp_path / "none.safetensors")
