"""Checkpoints come back as they were written; foreign and damaged ones are refused in one line."""

from __future__ import annotations

import json
import pickle
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import yaml
from go2_piper_description.joints import JOINT_NAMES
from moe_controller.contract import ObservationTerm
from safetensors.torch import save_file
from torch import nn

from training.checkpoint import (
    CARD_KEY,
    Card,
    CheckpointError,
    check_layout,
    fit_state,
    git_hash,
    load_checkpoint,
    save_checkpoint,
)

TERMS = (ObservationTerm("angular_velocity", 3, scale=0.25), ObservationTerm("velocity_command", 3))
CARD = Card("expert", "base", TERMS, (0.25,) * 18, {"hidden_dims": [4]}, preview_times=(0.02, 1.0), seed=3, steps=10)


def _write(path: Path, card: Card = CARD) -> dict[str, torch.Tensor]:
    state = nn.Linear(2, 3).state_dict()
    save_checkpoint(path, state, card)
    return state


def test_round_trip_with_a_readable_card_beside_it(tmp_path: Path) -> None:
    written = _write(tmp_path / "base.safetensors")
    state, card = load_checkpoint(tmp_path / "base.safetensors")
    assert card == CARD
    assert all(torch.equal(state[key], value) for key, value in written.items())
    assert yaml.safe_load((tmp_path / "base.yaml").read_text())["preview_times"] == [0.02, 1.0]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["base.safetensors", "base.yaml"]


def test_missing_pickled_and_foreign_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"no checkpoint at .*none: train it first"):
        load_checkpoint(tmp_path / "none")
    (tmp_path / "a.pt").write_bytes(pickle.dumps({"a": 1}))
    with pytest.raises(CheckpointError, match="not a readable safetensors file"):
        load_checkpoint(tmp_path / "a.pt")
    save_file({"a": torch.zeros(1)}, tmp_path / "b.safetensors")
    with pytest.raises(CheckpointError, match="has no card"):
        load_checkpoint(tmp_path / "b.safetensors")


@pytest.mark.parametrize("card", ["{", '{"kind": "expert"}', '{"foo": 1}', "[]", "3"])
def test_damaged_card_is_one_line(tmp_path: Path, card: str) -> None:
    save_file({"a": torch.zeros(1)}, tmp_path / "a.safetensors", metadata={CARD_KEY: card})
    with pytest.raises(CheckpointError, match="a card that cannot be read") as info:
        load_checkpoint(tmp_path / "a.safetensors")
    assert "\n" not in str(info.value)


@pytest.mark.parametrize("change", [{"kind": "dog"}, {"schema_version": 99}])
def test_card_of_another_kind_or_schema_is_refused(tmp_path: Path, change: dict[str, object]) -> None:
    _write(tmp_path / "base.safetensors")
    raw = {**yaml.safe_load((tmp_path / "base.yaml").read_text()), **change}
    save_file({"a": torch.zeros(1)}, tmp_path / "a.safetensors", metadata={CARD_KEY: json.dumps(raw)})
    with pytest.raises(CheckpointError, match="dog|99"):
        load_checkpoint(tmp_path / "a.safetensors")


def test_tensors_that_are_not_finite_are_neither_written_nor_read(tmp_path: Path) -> None:
    bad = {"layer.weight": torch.tensor([float("nan")])}
    with pytest.raises(CheckpointError, match="not finite in layer.weight"):
        save_checkpoint(tmp_path / "a.safetensors", bad, CARD)
    assert not list(tmp_path.iterdir())
    _write(tmp_path / "base.safetensors")
    card = json.dumps(yaml.safe_load((tmp_path / "base.yaml").read_text()))
    save_file(bad, tmp_path / "b.safetensors", metadata={CARD_KEY: card})
    with pytest.raises(CheckpointError, match="not finite in layer.weight"):
        load_checkpoint(tmp_path / "b.safetensors")


def test_unwritable_folder_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CheckpointError, match="cannot write"):
        _write(tmp_path / "file" / "base.safetensors")


def test_state_of_another_network_names_the_tensors() -> None:
    with pytest.raises(CheckpointError, match=r"^X holds another network: weight \(3, 2\) instead of \(4, 2\); bias"):
        fit_state(nn.Linear(2, 4), nn.Linear(2, 3).state_dict(), "X")
    with pytest.raises(CheckpointError, match="bias unknown"):
        fit_state(nn.Linear(2, 3, bias=False), nn.Linear(2, 3).state_dict(), "X")
    source, target = nn.Linear(2, 3), nn.Linear(2, 3)
    fit_state(target, source.state_dict(), "X")
    assert torch.equal(source.weight, target.weight)


def test_equal_layout_passes() -> None:
    check_layout(CARD, TERMS, "X", router_terms=(), preview_times=(0.02, 1.0), action_scale=(0.25,) * 18)


@pytest.mark.parametrize(
    ("card", "message"),
    [
        (replace(CARD, observation=TERMS[:1]), "observation lacks velocity_command"),
        (replace(CARD, observation=(*TERMS, ObservationTerm("odour", 1))), "observation has odour, unknown here"),
        (replace(CARD, observation=TERMS[::-1]), "observation in the order velocity_command, angular_velocity"),
        (replace(CARD, observation=(replace(TERMS[0], scale=1.0), TERMS[1])), "angular_velocity has scale 1.0 inst"),
        (replace(CARD, router_observation=TERMS[:1]), "router observation has angular_velocity, unknown here"),
        (replace(CARD, preview_times=()), r"preview times \[\] s instead of \[0.02, 1.0\] s"),
        (replace(CARD, joint_names=("tail", *JOINT_NAMES[1:])), r"joints \['FL_hip_joint', 'tail'\]"),
        (replace(CARD, joint_names=JOINT_NAMES[::-1]), "joint order"),
        (replace(CARD, action_scale=(0.5, *(0.25,) * 17)), "action scale of FL_hip_joint 0.5 instead of 0.25"),
        (replace(CARD, action_scale=(0.25,)), "1 actions instead of 18"),
    ],
)
def test_other_layout_is_refused_by_name(card: Card, message: str) -> None:
    with pytest.raises(CheckpointError, match=f"^X has another layout: .*{message}"):
        check_layout(card, TERMS, "X", router_terms=(), preview_times=(0.02, 1.0), action_scale=(0.25,) * 18)


def test_git_hash_is_a_commit() -> None:
    assert git_hash() != "unknown"
