"""Replays of recordings: the same numbers, and honest words where that is not possible."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.console import Console

pytest.importorskip("rclpy")

from moe_controller.controller import MoeController
from moe_controller.recording.bag_reader import BagReadError, read_bag
from moe_controller.replay.run import Replay, Replayed
from moe_controller.replay.steps import USED, steps_of
from moe_controller.replay.table import report

from .recorded_run import TARGETS, VELOCITIES, MixingPolicy, Moment, record

MOMENTS = st.builds(
    Moment,
    goal=st.one_of(st.none(), st.sampled_from((*TARGETS, *VELOCITIES))),
    executing=st.booleans(),
    restart=st.integers(0, 9).map(lambda n: n == 0),
)


def replay(path: Path, seed: int = 0, *, blended: bool = False, forced: bool = False) -> Replayed:
    bag = read_bag(path, USED)
    return Replay(MoeController(MixingPolicy(seed)), bag, blended, forced).run(steps_of(bag))


def text(replayed: Replayed) -> str:
    console = Console(file=io.StringIO(), width=120)
    report(replayed, MixingPolicy().contract, console)
    return console.file.getvalue()  # type: ignore[attr-defined]


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(moments=st.lists(MOMENTS, min_size=1, max_size=20))
def test_whatever_happened_the_numbers_are_the_same(tmp_path: Path, moments: list[Moment]) -> None:
    path = tmp_path / "bag.mcap"
    path.unlink(missing_ok=True)
    record(path, moments)
    replayed = replay(path)
    assert len(replayed.times) == replayed.steps == len(moments) and not replayed.left_out
    assert replayed.identical
    assert "identical to the last bit" in text(replayed)


def test_another_policy_is_compared_joint_by_joint(tmp_path: Path) -> None:
    record(tmp_path / "bag.mcap", [Moment(goal=TARGETS[0])] + [Moment()] * 20)
    replayed = replay(tmp_path / "bag.mcap", seed=1, forced=True)
    assert not replayed.identical and len(replayed.times) == 21
    shown = text(replayed)
    assert "different" in shown and "piper_joint6" in shown and "legs: base" in shown


def test_a_recording_that_began_later_is_replayed_from_where_everything_is_known(tmp_path: Path) -> None:
    moments = [Moment()] * 5 + [Moment(executing=False)] * 30 + [Moment(goal=TARGETS[1])] + [Moment()] * 10
    record(tmp_path / "bag.mcap", moments, first_step=4)
    replayed = replay(tmp_path / "bag.mcap")
    assert replayed.left_out["the recording began while the robot moved"] == 5
    assert replayed.left_out["the observation looks back to before the recording"] == 16
    assert replayed.identical and len(replayed.times) == 46 - 21


def test_a_goal_from_before_the_recording_is_not_guessed(tmp_path: Path) -> None:
    moments = [Moment(goal=TARGETS[0], goal_is_lost=True)] + [Moment()] * 5 + [Moment(goal=TARGETS[1])] + [Moment()]
    record(tmp_path / "bag.mcap", moments)
    assert replay(tmp_path / "bag.mcap").left_out["their goal was given before the recording began"] == 6


def test_steps_without_their_state_are_left_out(tmp_path: Path) -> None:
    moments = [Moment()] * 5 + [Moment(state_is_lost=True)] + [Moment()] * 5
    record(tmp_path / "bag.mcap", moments)
    replayed = replay(tmp_path / "bag.mcap")
    assert replayed.left_out["their state is not in the recording"] == 1
    assert len(replayed.times) == 5, "what follows depends on the lost step"
    assert replayed.identical


def test_a_planner_s_commands_are_not_the_policy_s(tmp_path: Path) -> None:
    record(tmp_path / "bag.mcap", [Moment()] * 10)
    replayed = replay(tmp_path / "bag.mcap", blended=True)
    assert np.all(np.isnan(replayed.recorded)) and not np.any(np.isnan(replayed.recorded_weights))


def test_a_recording_of_another_robot_is_refused(tmp_path: Path) -> None:
    record(tmp_path / "bag.mcap", [Moment()] * 3, joints="spot_")
    with pytest.raises(BagReadError, match="is of another robot: its joints .spot_FL_hip_joint") as error:
        replay(tmp_path / "bag.mcap")
    assert "\n" not in str(error.value)


def test_a_recording_without_the_inputs_is_refused(tmp_path: Path) -> None:
    record(tmp_path / "bag.mcap", [])
    with pytest.raises(BagReadError, match="has no /joint_states, /imu/data, /joint_commands, /control_inputs"):
        replay(tmp_path / "bag.mcap")
