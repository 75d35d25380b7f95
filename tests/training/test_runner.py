"""The loop: same seed, same bits; resumed equals uninterrupted; schedules, logs, signals and the NaN guard."""

from __future__ import annotations

import csv
import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tensordict import TensorDict

from tests.support.tiny_training import TinyEnv, fixed_std, tiny_config
from training.checkpoint import CheckpointError
from training.nan_guard import TrainingDiverged
from training.run_log import last_rows
from training.runner import Runner, Stopped
from training.structured import ConfigError


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def _state(runner: Runner) -> dict[str, torch.Tensor]:
    optimizer = runner.algorithm.optimizer.state_dict()["state"]
    return {
        **{f"actor {key}": value.clone() for key, value in runner.algorithm.actor.state_dict().items()},
        **{f"critic {key}": value.clone() for key, value in runner.algorithm.critic.state_dict().items()},
        **{f"optimizer {i} {key}": value for i, part in optimizer.items() for key, value in part.items()},
    }


def _equal(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


def _trained(folder: Path, iterations: int = 4, seed: int = 1, **changes: Any) -> Runner:
    runner = Runner(TinyEnv(), tiny_config(**changes), folder, seed=seed)
    runner.resume()
    runner.train(iterations)
    return runner


class _Interrupting(TinyEnv):
    """Sends a signal to its own process after some steps."""

    def __init__(self, number: int, after: int) -> None:
        super().__init__()
        self._number, self._after = number, after

    def step(self, actions: torch.Tensor) -> tuple[TensorDict, torch.Tensor, torch.Tensor, dict[str, Any]]:
        result = super().step(actions)
        if self.steps == self._after:
            os.kill(os.getpid(), self._number)
        return result


class _Nan(TinyEnv):
    """Gives one reward or observation that is not finite after some steps."""

    def __init__(self, where: str) -> None:
        super().__init__()
        self._where = where

    def step(self, actions: torch.Tensor) -> tuple[TensorDict, torch.Tensor, torch.Tensor, dict[str, Any]]:
        obs, reward, done, extras = super().step(actions)
        if self.steps == 11:
            (reward if self._where == "rewards" else obs[self._where])[2] = float("nan")
        return obs, reward, done, extras


def test_same_seed_same_bits_and_another_seed_others(tmp_path: Path) -> None:
    a, b, c = (_state(_trained(tmp_path / name, seed=seed)) for name, seed in (("a", 1), ("b", 1), ("c", 2)))
    assert _equal(a, b)
    assert not _equal(a, c)


def test_resumed_run_equals_the_uninterrupted_one_to_the_last_bit(tmp_path: Path) -> None:
    whole = _trained(tmp_path / "whole", 6)
    stopped = Runner(_Interrupting(signal.SIGTERM, after=25), tiny_config(), tmp_path / "halves", seed=1)
    with pytest.raises(Stopped, match="saved at iteration 4 of 6"):
        stopped.train(6)
    resumed = Runner(TinyEnv(), tiny_config(), tmp_path / "halves", seed=1)
    assert resumed.resume() and resumed.iteration == 4
    assert not _equal(_state(resumed), _state(whole))
    resumed.train(6)
    assert _equal(_state(resumed), _state(whole))


def test_environment_starts_anew_at_every_checkpoint_and_hears_the_progress(tmp_path: Path) -> None:
    env = TinyEnv()
    Runner(env, tiny_config(), tmp_path, seed=7).train(4)
    assert env.seeds[1:] == [(7, 0), (7, 2)]
    assert env.progress == [0.0, 0.25, 0.5, 0.75]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_saves_after_the_iteration_and_handlers_come_back(tmp_path: Path, number: int) -> None:
    before = signal.getsignal(number)
    runner = Runner(_Interrupting(number, after=3), tiny_config(), tmp_path)
    with pytest.raises(Stopped):
        runner.train(4)
    assert torch.load(runner.checkpoint, weights_only=True)["iteration"] == 1
    assert signal.getsignal(number) is before


def test_learning_rate_and_std_follow_their_schedules(tmp_path: Path) -> None:
    runner = _trained(tmp_path, 4, actor=fixed_std(dict(tiny_config().actor)), std=(0.4, 0.1))
    rows = last_rows(tmp_path / "losses.csv", 4)
    assert [row["std"] for row in rows] == pytest.approx([0.4 * 0.25 ** (i / 4) for i in range(4)], rel=1e-4)
    rate = runner.algorithm.optimizer.param_groups[0]["lr"]
    assert rate == pytest.approx(1e-3 + 0.75 * (1e-4 - 1e-3))


def test_critic_has_a_learning_rate_of_its_own_that_survives_a_resume(tmp_path: Path) -> None:
    for iterations in (2, 4):
        runner = Runner(TinyEnv(), tiny_config(critic_learning_rate=5e-3), tmp_path)
        assert runner.resume() == (iterations == 4)
        runner.train(iterations)
    actor, critic = runner.algorithm.optimizer.param_groups
    assert (actor["lr"], critic["lr"]) == (pytest.approx(1e-3 + 0.75 * (1e-4 - 1e-3)), 5e-3)
    assert {id(p) for p in critic["params"]} == {id(p) for p in runner.algorithm.critic.parameters()}
    with pytest.raises(ValueError, match="critic_learning_rate must be positive"):
        tiny_config(critic_learning_rate=0.0)


def test_actor_is_frozen_while_the_critic_warms_up(tmp_path: Path) -> None:
    runner = Runner(TinyEnv(), tiny_config(critic_warm_up=2), tmp_path)
    before = _state(runner)
    runner.train(2)
    changed = {key for key, value in _state(runner).items() if key in before and not torch.equal(value, before[key])}
    assert any(key.startswith("critic mlp") for key in changed)
    assert not any(key.startswith("actor mlp") for key in changed)
    runner.train(3)
    assert not torch.equal(_state(runner)["actor mlp.0.weight"], before["actor mlp.0.weight"])


@pytest.mark.parametrize("where", ["rewards", "policy"])
def test_nan_stops_in_one_line_and_leaves_a_dump(tmp_path: Path, where: str) -> None:
    runner = Runner(_Nan(where), tiny_config(), tmp_path)
    with pytest.raises(
        TrainingDiverged, match=rf"in {where} of 1 environments \(first 2\) at iteration 1; dump"
    ) as info:
        runner.train(4)
    assert "\n" not in str(info.value)
    dump = np.load(tmp_path / "nan_dump.npz")
    assert dump["environments"].tolist() == [2] and dump["iteration"] == 1
    assert dump["actions"].shape == (4, 2) and np.isnan(dump[where][2]).any()
    assert set(torch.load(tmp_path / "nan_model.pt", weights_only=True)) == {"actor", "critic"}


def test_nan_of_the_policy_never_reaches_the_simulator(tmp_path: Path) -> None:
    env = TinyEnv()
    runner = Runner(env, tiny_config(), tmp_path)
    runner.algorithm.actor.mlp[0].weight.data[:] = float("nan")
    with pytest.raises(TrainingDiverged, match="in actions of 4 environments"):
        runner.train(1)
    assert env.steps == 0


def test_nan_after_an_update_is_not_saved(tmp_path: Path) -> None:
    runner = Runner(TinyEnv(), tiny_config(save_every=1), tmp_path)
    update = runner.algorithm.update

    def poisoned() -> dict[str, float]:
        losses = update()
        if runner.iteration == 1:
            runner.algorithm.critic.mlp[0].bias.data[0] = float("inf")
        return losses

    runner.algorithm.update = poisoned
    with pytest.raises(TrainingDiverged, match=r"in critic mlp.0.bias at iteration 1"):
        runner.train(3)
    assert torch.load(runner.checkpoint, weights_only=True)["iteration"] == 1


def test_resumed_run_appends_to_the_csv_and_drops_rows_of_a_lost_attempt(tmp_path: Path) -> None:
    _trained(tmp_path, 2)
    with (tmp_path / "losses.csv").open("a") as file:
        file.write(",".join(["3"] * len(last_rows(tmp_path / "losses.csv")[0])) + "\n")
    _trained(tmp_path, 4)
    assert [row["iteration"] for row in last_rows(tmp_path / "losses.csv", 9)] == [1, 2, 3, 4]
    assert all("distance" in row and "value" in row for row in last_rows(tmp_path / "losses.csv", 9))
    assert list(tmp_path.glob("events.out.tfevents.*"))


def test_new_columns_start_another_file(tmp_path: Path) -> None:
    _trained(tmp_path, 2)
    with (tmp_path / "losses.csv").open(newline="") as file:
        rows = [[cell for i, cell in enumerate(row) if i != 3] for row in csv.reader(file)]
    with (tmp_path / "losses.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    before = (tmp_path / "losses.csv").read_text()
    _trained(tmp_path, 4)
    assert (tmp_path / "losses.csv").read_text() == before
    assert [row["iteration"] for row in last_rows(tmp_path / "losses_2.csv", 9)] == [3, 4]


@pytest.mark.parametrize("content", [b"\x80\x04cos\nsystem\n.", b"", b"text"])
def test_foreign_resume_file_is_refused_unread(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "checkpoint.pt").write_bytes(content)
    with pytest.raises(CheckpointError, match="does not fit this run .*: fresh=true starts over") as info:
        Runner(TinyEnv(), tiny_config(), tmp_path).resume()
    assert "\n" not in str(info.value)


def test_resume_file_of_another_network_is_refused(tmp_path: Path) -> None:
    _trained(tmp_path, 1)
    other = tiny_config(critic={**tiny_config().critic, "hidden_dims": [16]})
    with pytest.raises(CheckpointError, match="does not fit this run"):
        Runner(TinyEnv(), other, tmp_path).resume()


@pytest.mark.parametrize(
    "changes",
    [
        {"critic": {"class_name": "MLPModel", "hidden_dimms": [8]}},
        {"obs_groups": {"actor": ["policy"], "critic": ["smell"]}},
        {"algorithm": {"class_name": "nowhere:PPO"}},
    ],
)
def test_settings_that_rsl_rl_refuses_are_one_line(tmp_path: Path, changes: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="^runner: .*(hidden_dimms|smell|nowhere)") as info:
        Runner(TinyEnv(), tiny_config(**changes), tmp_path)
    assert "\n" not in str(info.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"std": (0.4, 0.1)}, "std needs"),
        ({"std": (0.4, 0.0), "actor": fixed_std(dict(tiny_config().actor))}, "std must be positive"),
        ({"learning_rate": (0.0, 1e-4)}, "learning_rate must be positive"),
        ({"save_every": 0}, "save_every"),
    ],
)
def test_settings_that_make_no_sense_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        tiny_config(**changes)
