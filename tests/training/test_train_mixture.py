"""The mixture's command on tiny runs: stages, routers, expert counts, and one line for every mistake."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
from moe_controller.observation import DEFAULT_TERMS, ROUTER_TERMS, terms_size

from training.checkpoint import Card, load_checkpoint, save_checkpoint
from training.models.expert import Expert
from training.models.loading import load_torch_policy
from training.train import main

MOE = "--config-name=train_moe_example"
TINY = tuple(
    f"{prefix}{setting}"
    for prefix in ("", "coalition.")
    for setting in ("env.num_envs=4", "runner.num_steps_per_env=4", "million_steps=32e-6")
)
"""Two iterations of 16 steps."""
FOLDER = Path("runs/moe/seed_1")


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HYDRA_FULL_ERROR", raising=False)


def _specialist(path: Path, name: str, terms: tuple = DEFAULT_TERMS) -> Path:
    expert = Expert(terms_size(terms), 18, (8,))
    scale = (0.25,) * 12 + (0.5,) * 6
    save_checkpoint(path, expert.state_dict(), Card("expert", name, terms, scale, {"hidden_dims": [8]}))
    return path


@pytest.fixture
def specialists() -> None:
    """Experts where the first two commands leave them."""
    _specialist(Path("runs/combo_go2Piper_locomotion/seed_1/base.safetensors"), "base")
    _specialist(Path("runs/combo_go2Piper_reaching/seed_1/arm.safetensors"), "arm")


def _fails(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main([MOE, *TINY, *arguments]) == 1
    error = capsys.readouterr().err
    assert error.startswith("training.train: ") and error.count("\n") == 1, error
    return error


def test_coalition_then_router_each_from_the_one_before(specialists: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([MOE, *TINY, "coalition.runner.critic_warm_up=0"]) == 0
    before, _ = load_checkpoint(Path("runs/combo_go2Piper_locomotion/seed_1/base.safetensors"))
    base, card = load_checkpoint(FOLDER / "coalition" / "base.safetensors")
    assert not torch.equal(before["mlp.0.weight"], base["mlp.0.weight"])
    assert torch.equal(before["normalizer._mean"], base["normalizer._mean"])
    assert (card.kind, card.name, card.network) == ("expert", "base", {"hidden_dims": [8]})
    state, card = load_checkpoint(FOLDER / "router" / "obs_moe_g2_s1" / "moe.safetensors")
    assert all(torch.equal(state[f"experts.base.{key}"], value) for key, value in base.items())
    assert card.kind == "moe" and card.network["experts"] == ["base", "arm"] and card.router_observation == ()
    header = (FOLDER / "router" / "obs_moe_g2_s1" / "losses.csv").read_text().splitlines()[0]
    assert "load_balance" in header  # rsl_rl still calls the hook
    assert "coalition" in capsys.readouterr().out


def test_router_stage_alone_with_another_router_keeps_the_coalition(specialists: None) -> None:
    assert main([MOE, *TINY, "stage=coalition"]) == 0
    written = (FOLDER / "coalition" / "base.safetensors").read_bytes()
    assert main([MOE, *TINY, "stage=router", "router=traj_attention", "num_groups=1", "router_seed=3"]) == 0
    path = FOLDER / "router" / "traj_attention_g1_s3" / "moe.safetensors"
    policy = load_torch_policy(path)
    assert policy.card.router_observation == ROUTER_TERMS and policy.card.seed == 3
    assert policy.groups == ("all",) and policy.card.network["router"]["preference"] == 0.0
    assert (FOLDER / "coalition" / "base.safetensors").read_bytes() == written


def test_finished_stage_keeps_its_files(specialists: None) -> None:
    assert main([MOE, *TINY, "stage=coalition"]) == 0
    card = FOLDER / "coalition" / "base.yaml"
    card.write_text("mine")
    assert main([MOE, *TINY, "router=adaptive"]) == 0
    assert card.read_text() == "mine"
    assert (FOLDER / "router" / "adaptive_g2_s1" / "moe.safetensors").is_file()


def test_any_number_of_experts_without_a_coalition() -> None:
    paths = [str(_specialist(Path(f"{name}.safetensors"), name)) for name in ("a", "b", "c")]
    experts = ["experts=[x,y,z]", f"expert_ckpt_paths=[{','.join(paths)}]"]
    assert main([MOE, *TINY, *experts, "stage=router", "router_over=checkpoints"]) == 0
    _, card = load_checkpoint(FOLDER / "router" / "obs_moe_g2_s1" / "moe.safetensors")
    assert card.network["experts"] == ["x", "y", "z"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["stage=dance"], "stage is one of all, coalition, router, not 'dance'"),
        (["router_over=luck"], "router_over is one of coalition, checkpoints"),
        (["num_groups=3"], "num_groups is 1 .* or 2 .*, not 3"),
        (["router=luck"], "no router/luck; router is one of adaptive, obs_moe, traj_attention"),
        (["router.colour=red"], "router obs_moe has no option colour"),
        (["coalition.env.colour=red"], "coalition.env: unknown setting colour"),
        (["coalition.million_steps=0"], "coalition: million_steps must be positive"),
        (["experts=[base,arm,tail]"], "2 experts in .*, but 3 names: base, arm, tail"),
        (["stage=router"], "no checkpoint at .*coalition/base.safetensors: train it first"),
        (["base_ckpt_path=nowhere.safetensors"], "no checkpoint at nowhere.safetensors: train it first"),
    ],
)
def test_mistakes_are_one_line(
    specialists: None, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert re.search(message, _fails(capsys, *arguments))


def test_experts_of_another_layout_are_named(specialists: None, capsys: pytest.CaptureFixture[str]) -> None:
    _specialist(Path("other.safetensors"), "base", DEFAULT_TERMS[1:])
    error = _fails(capsys, "base_ckpt_path=other.safetensors")
    assert f"other.safetensors has another layout: observation lacks {DEFAULT_TERMS[0].name}" in error


def test_foreign_checkpoint_is_one_line(specialists: None, capsys: pytest.CaptureFixture[str]) -> None:
    Path("foreign.pt").write_bytes(b"\x80\x04cos\nsystem\n.")
    assert "foreign.pt is not a readable safetensors file" in _fails(capsys, "base_ckpt_path=foreign.pt")
