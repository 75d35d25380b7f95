"""Record, summary, plot and status of a run."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from moe_controller.scenario.outcome import PLOT_FILE, RECORD_FILE, SUMMARY_FILE, write_outcome
from moe_controller.scenario.player import Ending, Player, Progress
from moe_controller.scenario.record import Record, Recorder
from moe_controller.scenario.scenarios import goals
from moe_controller.scenario.status import LiveStatus, Status
from moe_controller.scenario.summary import Setting, print_summary, summarise
from rich.console import Console

from .fake_link import FakeLink

SETTING = Setting("reach", 7, True, "moe", "")
DIAGNOSTICS = {
    "robot_bridge: safety gate": {"state_to_command_p50_ms": "1.25", "state_to_command_p99_ms": "3.5"},
    "moe_controller: policy": {"policy_rate_hz": "50.0", "deadline_misses": "2", "inference_p50_ms": "nan"},
}


@pytest.fixture(scope="module")
def played() -> tuple[Record, Ending]:
    link = FakeLink()
    ending = Player(link, goals("walk", 0, 7.0), 7.0).run()
    return link.recorder.finish(), ending


def test_record_survives_the_file(played: tuple[Record, Ending], tmp_path: Path) -> None:
    record, _ = played
    record.save(tmp_path / "record.npz")
    again = Record.load(tmp_path / "record.npz")
    assert again.goals == record.goals and again.gate_events == record.gate_events
    assert (again.groups, again.experts) == (record.groups, record.experts)
    assert np.array_equal(again.joint_position, record.joint_position)
    assert np.array_equal(again.weights, record.weights)


def test_path_goals_survive_the_file(tmp_path: Path) -> None:
    link = FakeLink()
    Player(link, goals("trajectory", 0, 3.0), 3.0).run()
    record = link.recorder.finish()
    record.save(tmp_path / "record.npz")
    assert Record.load(tmp_path / "record.npz").goals == record.goals


def test_states_without_odometry_are_dropped() -> None:
    recorder = Recorder(states=[(0.0, np.zeros(18), np.zeros(18), 0.0), (0.005, np.ones(18), np.ones(18), 0.0)])
    recorder.bases = [(0.005, np.zeros(13))]
    assert recorder.finish().time.tolist() == [0.005]


def test_weights_are_joined_with_the_last_commands() -> None:
    recorder = Recorder(groups=("all",), experts=("base", "arm"), commands=[0.0, 0.02, 0.04])
    recorder.weights = [np.array([[0.1, 0.9]]), np.array([[0.2, 0.8]])]
    record = recorder.finish()
    assert record.weights_time.tolist() == [0.02, 0.04] and record.weights.shape == (2, 1, 2)


def test_summary_has_what_the_issue_asks_for(played: tuple[Record, Ending], tmp_path: Path) -> None:
    record, ending = played
    summary = summarise(record, ending, SETTING, DIAGNOSTICS, 4.2)
    assert summary["success"] and summary["exit_reason"] == "duration reached" and summary["falls"] == 0
    assert summary["duration_s"] == pytest.approx(7.0)
    assert summary["policy_rate_hz"] == 50.0 and summary["deadline_misses"] == 2
    assert summary["state_to_command_latency_ms"] == {"p50": 1.25, "p99": 3.5}
    assert summary["inference_ms"]["p50"] is None  # nan is no number
    assert summary["rms_velocity_error"]["linear_m_s"] == pytest.approx(0.0)
    assert summary["mean_expert_weights"]["arm"] == {"base": 0.1, "arm": 0.9}
    assert [event.split()[1] for event in summary["gate_events"]] == ["HOLD:", "ACTIVE:", "PASSIVE:"]
    write_outcome(record, summary, tmp_path / "out")
    assert json.loads((tmp_path / "out" / SUMMARY_FILE).read_text())["falls"] == 0
    assert (tmp_path / "out" / PLOT_FILE).read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "out" / RECORD_FILE).is_file()


def test_summary_shows_the_planner_if_one_ran(played: tuple[Record, Ending]) -> None:
    record, ending = played
    assert summarise(record, ending, SETTING, DIAGNOSTICS, None)["planner"] is None
    planner = {"plans": "700", "misses": "3", "faults": "0", "plan_ms_p50": "1.5", "plan_ms_p99": "9.25",
               "backend": "reduced/executable", "samples_used_mean": "500.000", "transfers": "4"}  # fmt: skip
    setting = Setting("reach", 7, True, "hybrid", "")
    summary = summarise(record, ending, setting, {"cem_planner: planner": planner}, None)
    assert summary["planner"]["plans"] == 700 and summary["planner"]["misses"] == 3
    assert summary["planner"]["plan_ms"] == {"p50": 1.5, "p95": None, "p99": 9.25}
    screen = io.StringIO()
    print_summary(summary, Console(file=screen, width=120))
    assert "700 (reduced/executable), 3 late" in screen.getvalue()


def test_a_fall_or_an_unfinished_scenario_is_no_success(played: tuple[Record, Ending]) -> None:
    record, ending = played
    assert not summarise(record, Ending("gate", finished=False), SETTING, {}, None)["success"]
    low = Record(**{**vars(record), "base_position": record.base_position * 0.3})
    summary = summarise(low, ending, SETTING, {}, None)
    assert summary["falls"] == 1 and not summary["success"]


def test_empty_record_gives_a_summary_and_a_plot(tmp_path: Path) -> None:
    record = Recorder().finish()
    summary = summarise(record, Ending("no bridge", finished=False), SETTING, {}, None)
    write_outcome(record, summary, tmp_path)
    assert (tmp_path / PLOT_FILE).is_file() and summary["simulation_speed"] is None
    print_summary(summary, Console(file=io.StringIO()))


def test_table_names_the_numbers(played: tuple[Record, Ending]) -> None:
    record, ending = played
    screen = io.StringIO()
    print_summary(summarise(record, ending, SETTING, DIAGNOSTICS, 4.2), Console(file=screen, width=120))
    for words in (
        "ok: duration reached",
        "50.0 Hz, 2 deadlines missed",
        "p50 1.25 ms, p99 3.50 ms",
        "4.20 x real time",
    ):
        assert words in screen.getvalue()


@pytest.mark.parametrize("terminal", [True, False])
def test_live_status_shows_state_rates_error_and_weights(terminal: bool) -> None:
    screen = io.StringIO()
    goal = next(goals("reach", 0))
    status = Status(
        Progress("playing", goal, 1, 0.031), 12.5, 0.99, "ACTIVE", "activated", 200.0, 50.0,
        np.array([[0.25, 0.75]]), ("all",), ("base", "arm"),
    )  # fmt: skip
    with LiveStatus(Console(file=screen, force_terminal=terminal, width=160)) as live:
        assert live.due()
        live.update(status)
        assert not live.due()
    for words in ("ACTIVE", "target 1", "3.1 cm", "200 Hz", "0.75"):
        assert words in screen.getvalue()
