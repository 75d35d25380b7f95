"""Which policies run side by side, and what they are called."""

from __future__ import annotations

from pathlib import Path

import pytest
from moe_controller.contract import ObservationTerm
from moe_controller.observation import DEFAULT_TERMS, ROUTER_TERMS

from tests.support.tiny_policy import tiny_contract, write_tiny_policy
from tests.training.models.fixtures import write_expert, write_moe
from training.checkpoint import CheckpointError
from training.envs.config import EnvConfig
from training.evaluation.layout import with_layout
from training.evaluation.policies import gather
from training.evaluation.settings import EvaluationError


def test_a_mixture_comes_with_its_parts(tmp_path: Path) -> None:
    write_moe(tmp_path / "m.safetensors", {"kind": "obs_moe"})
    entries = gather([str(tmp_path / "m.safetensors")])
    assert [entry.label for entry in entries[:4]] == ["m", "base alone", "arm alone", "uniform blend"]
    assert [entry.is_mixture for entry in entries[:4]] == [True, False, False, False]
    constants = [entry.label for entry in entries if entry.kind == "constant"]
    assert "hard split" in constants and "constant 0.30/0.30" in constants and len(constants) == 12
    assert {entry.family for entry in entries} == {entries[0].family}


def test_routers_over_the_same_experts_share_the_parts(tmp_path: Path) -> None:
    for name, kind, groups in (("one", "obs_moe", 1), ("two", "traj_attention", 2)):
        write_moe(tmp_path / f"{name}.safetensors", {"kind": kind}, num_groups=groups)
    entries = gather([str(tmp_path / "one.safetensors"), str(tmp_path / "two.safetensors")])
    assert [entry.label for entry in entries[:3]] == ["one", "two", "base alone"]
    assert len(entries) == 2 + 3 + 12


def test_parts_of_other_experts_are_told_apart(tmp_path: Path) -> None:
    write_moe(tmp_path / "one.safetensors", {"kind": "obs_moe"})
    write_moe(tmp_path / "two.safetensors", {"kind": "obs_moe"}, ("base", "arm", "third"))
    labels = [entry.label for entry in gather([str(tmp_path / "one.safetensors"), str(tmp_path / "two.safetensors")])]
    assert {"one: base alone", "two: base alone", "two: third alone", "two: uniform blend"} <= set(labels)
    assert not any(label.startswith("two: constant") for label in labels)


def test_names_tell_files_apart(tmp_path: Path) -> None:
    paths = []
    for seed in (1, 2):
        folder = tmp_path / f"seed_{seed}" / "router"
        folder.mkdir(parents=True)
        paths.append(str(write_expert(folder / "e.safetensors", seed)))
    other = write_expert(tmp_path / "other.safetensors", 3)
    entries = gather([*paths, f"mine={other}"], against=[str(other)])
    assert [entry.label for entry in entries] == ["seed_1/router/e", "seed_2/router/e", "mine"]
    with pytest.raises(EvaluationError, match="two models are called same: give names"):
        gather([f"same={path}" for path in paths])


def test_files_that_do_not_suit_are_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no checkpoint at"):
        gather([str(tmp_path / "none.safetensors")])
    terms = (*DEFAULT_TERMS[:-1], ObservationTerm("foot_force", 18))
    strange = write_expert(tmp_path / "strange.safetensors", observation=terms)
    with pytest.raises(
        EvaluationError, match="strange does not suit this environment: unknown observation term 'foot_force'"
    ):
        gather([str(strange)])
    scales = write_expert(tmp_path / "scales.safetensors", action_scale=tuple(0.1 + 0.01 * i for i in range(18)))
    with pytest.raises(EvaluationError, match="scales has action scales .*one for all legs and one for the arm"):
        gather([str(scales)])
    joints = write_expert(tmp_path / "joints.safetensors", joint_names=("a",))
    with pytest.raises(EvaluationError, match="joints is for other joints: a"):
        gather([str(joints)])
    write_tiny_policy(tmp_path / "kp.onnx", contract=tiny_contract(kp=(1.0,) * 18))
    with pytest.raises(EvaluationError, match="kp: the policy does not fit the robot: kp differs"):
        gather([str(tmp_path / "kp.onnx")])


def test_the_environment_takes_the_layout_of_the_policy(tmp_path: Path) -> None:
    write_moe(tmp_path / "m.safetensors", {"kind": "traj_attention"}, action_scale=(0.3,) * 12 + (0.6,) * 6,
              action_clip=4.0)  # fmt: skip
    moe, alone = gather([str(tmp_path / "m.safetensors")])[:2]
    for entry in (moe, alone):
        config = with_layout(EnvConfig(), entry.policy)
        assert config.observation == DEFAULT_TERMS + ROUTER_TERMS
        assert (config.leg_action_scale, config.arm_action_scale, config.action_clip) == (0.3, 0.6, 4.0)
