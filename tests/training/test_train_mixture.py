"""The mixture's command on tiny runs: stages, routers, expert counts, and one line for every mistake."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from moe_controller.observation import DEFAULT_TERMS, ROUTER_TERMS, terms_size

from tests.support.settings import changed
from training.checkpoint import Card, CheckpointError, load_checkpoint, save_checkpoint
from training.configuration import compose_config
from training.mixture_run import train_mixture
from training.models.expert import Expert
from training.models.loading import load_torch_policy
from training.settings import MixtureSettings
from training.stage import Stage
from training.structured import ConfigError, from_dict
from training.train import main
from training.world import World

TINY = {
    f"{prefix}{name}": value
    for prefix in ("", "coalition.")
    for name, value in (
        ("env.num_envs", 4),
        ("runner.num_steps_per_env", 4),
        ("runner.critic_warm_up", 0),
        ("runner.clone_steps", 4),
        ("runner.algorithm.num_mini_batches", 2),
        ("million_steps", 32e-6),
    )
} | {"coalition.finish.million_steps": 16e-6}
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


@pytest.fixture(scope="module")
def example() -> dict[str, Any]:
    """The composed example, made tiny."""
    return changed(compose_config("train_moe_example"), TINY)


def _train(example: dict[str, Any], **changes: Any) -> None:
    settings = from_dict(MixtureSettings, changed(example, {k.replace("__", "."): v for k, v in changes.items()}))
    torch.set_num_threads(1)
    train_mixture(settings, FOLDER, World(), "cpu")


def test_one_command_trains_the_coalition_and_then_the_router(
    specialists: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--config-name=train_moe_example", *(f"{name}={value}" for name, value in TINY.items())]) == 0
    before, _ = load_checkpoint(Path("runs/combo_go2Piper_locomotion/seed_1/base.safetensors"))
    base, card = load_checkpoint(FOLDER / "coalition" / "base.safetensors")
    assert not torch.equal(before["mlp.0.weight"], base["mlp.0.weight"])
    assert torch.equal(before["normalizer._mean"], base["normalizer._mean"])
    assert (card.kind, card.name, card.network) == ("expert", "base", {"hidden_dims": [8]})
    assert card.steps == 48, "two iterations of the coalition and one of its finish"
    state, card = load_checkpoint(FOLDER / "router" / "obs_moe_g2_s1" / "moe.safetensors")
    assert all(torch.equal(state[f"experts.base.{key}"], value) for key, value in base.items())
    assert card.kind == "moe" and card.network["experts"] == ["base", "arm"] and card.router_observation == ()
    header = (FOLDER / "router" / "obs_moe_g2_s1" / "losses.csv").read_text().splitlines()[0]
    assert "load_balance" in header  # rsl_rl still calls the hook
    assert "coalition" in capsys.readouterr().out


def test_finish_is_the_environment_of_the_coalition_with_what_its_settings_say(
    example: dict, monkeypatch: pytest.MonkeyPatch
) -> None:
    stages: list[Stage] = []
    monkeypatch.setattr("training.mixture_run.run_stage", lambda stage, *_: stages.append(stage))
    _train(example, stage="coalition", coalition__env__num_envs=6, coalition__finish__fall=-9.0)
    first, last = stages
    assert last.million_steps == pytest.approx(48e-6) and last.folder == first.folder
    assert last.env.num_envs == first.env.num_envs == 6 and last.env.modes == first.env.modes
    assert last.env.rewards == replace(first.env.rewards, fall=-9.0)
    assert last.env.sudden_stops > first.env.sudden_stops == 0.0
    assert last.env.terminations.tilt < first.env.terminations.tilt


def test_router_stage_alone_with_another_router_keeps_the_coalition(example: dict, specialists: None) -> None:
    _train(example, stage="coalition")
    written = (FOLDER / "coalition" / "base.safetensors").read_bytes()
    router = {"kind": "traj_attention", "width": 8, "latents": 2, "heads": 2, "preference": 2.0}
    _train(example, stage="router", router=router, num_groups=1, router_seed=3)
    policy = load_torch_policy(FOLDER / "router" / "traj_attention_g1_s3" / "moe.safetensors")
    assert policy.card.router_observation == ROUTER_TERMS and policy.card.seed == 3
    assert policy.groups == ("all",) and policy.card.network["router"]["preference"] == 0.0
    assert (FOLDER / "coalition" / "base.safetensors").read_bytes() == written


def test_finished_stage_keeps_its_files(example: dict, specialists: None) -> None:
    _train(example, stage="coalition")
    card = FOLDER / "coalition" / "base.yaml"
    card.write_text("mine")
    _train(example)
    assert card.read_text() == "mine"
    assert (FOLDER / "router" / "obs_moe_g2_s1" / "moe.safetensors").is_file()


def test_any_number_of_experts_without_a_coalition(example: dict) -> None:
    paths = [str(_specialist(Path(f"{name}.safetensors"), name)) for name in ("a", "b", "c")]
    _train(example, experts=["x", "y", "z"], expert_ckpt_paths=paths, stage="router", router_over="checkpoints")
    _, card = load_checkpoint(FOLDER / "router" / "obs_moe_g2_s1" / "moe.safetensors")
    assert card.network["experts"] == ["x", "y", "z"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"stage": "dance"}, "^stage is one of all, coalition, router, not 'dance'"),
        ({"router_over": "luck"}, "^router_over is one of coalition, checkpoints"),
        ({"num_groups": 3}, "^num_groups is 1 .* or 2 .*, not 3"),
        ({"coalition__env__colour": "red"}, "^coalition.env: unknown setting colour"),
        ({"coalition__million_steps": 0}, "^coalition: million_steps must be positive"),
        ({"coalition__finish__million_steps": 0}, "^coalition.finish: million_steps must be positive"),
        ({"coalition__finish__colour": "red"}, "^coalition.finish: unknown setting colour"),
        ({"router__kind": 3}, "^router: wanted a kind"),
        ({"experts": ["base", "arm", "tail"]}, "2 experts in .*, but 3 names: base, arm, tail"),
        ({"stage": "router"}, "no checkpoint at .*coalition/base.safetensors: train it first"),
        ({"base_ckpt_path": "nowhere.safetensors"}, "no checkpoint at nowhere.safetensors: train it first"),
        ({"arm_ckpt_path": None}, "1 experts in .*, but 2 names"),
    ],
)
def test_mistakes_are_one_line(example: dict, specialists: None, changes: dict[str, Any], message: str) -> None:
    with pytest.raises((ConfigError, CheckpointError), match=message) as info:
        _train(example, **changes)
    assert "\n" not in str(info.value)


def test_unknown_router_option_is_one_line(example: dict) -> None:
    path = str(_specialist(Path("a.safetensors"), "a"))
    choice = {"experts": ["a"], "expert_ckpt_paths": [path], "stage": "router", "router_over": "checkpoints"}
    with pytest.raises(ConfigError, match="^runner: router obs_moe has no option colour"):
        _train(example, **choice, router__colour="red")


def test_experts_of_another_layout_are_named(example: dict, specialists: None) -> None:
    _specialist(Path("other.safetensors"), "base", DEFAULT_TERMS[1:])
    message = f"other.safetensors has another layout: observation lacks {DEFAULT_TERMS[0].name}"
    with pytest.raises(CheckpointError, match=message):
        _train(example, base_ckpt_path="other.safetensors")


def test_pickle_is_refused_unread(example: dict, specialists: None) -> None:
    Path("foreign.pt").write_bytes(b"\x80\x04cos\nsystem\n.")
    with pytest.raises(CheckpointError, match="foreign.pt is not a readable safetensors file"):
        _train(example, base_ckpt_path="foreign.pt")
