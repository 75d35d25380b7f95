"""Figures from samples made by hand."""

from __future__ import annotations

import numpy as np
import pytest

from training.evaluation.score import (
    FIGURES,
    QUANTILES,
    balanced_reward,
    distributions,
    score,
    score_parts,
    usage,
    usage_parts,
)

from .fixtures import PERIOD, samples


def test_all_figures_are_there() -> None:
    assert list(score(samples())) == list(FIGURES)


def test_velocity_errors_are_of_moving_robots() -> None:
    s = samples()
    s.velocity[:, 0] += [0.3, 0.4, 0.2]
    s.command[:, 1] = [0.05, 0.0, 0.0]  # too little to count
    figures = score(s)
    assert figures["linear_error"] == pytest.approx(0.5)
    assert figures["yaw_error"] == pytest.approx(0.2)


def test_velocity_errors_after_a_second_leave_out_the_start() -> None:
    s = samples()
    s.velocity[s.since <= 1.0, 0] += 1.0
    figures = score(s)
    assert figures["linear_error"] == pytest.approx(0.2)
    assert figures["linear_error_settled"] == pytest.approx(0.0)


def test_commands_that_do_not_count_give_no_error() -> None:
    s = samples()
    s.walk[:] = False
    assert score(s)["linear_error"] is None


def test_settled_errors_begin_two_seconds_after_the_target() -> None:
    s = samples()
    s.ee_error[s.since <= 2.0], s.ee_angle[s.since <= 2.0] = 0.5, 1.0
    s.ee_error[s.since > 2.0], s.ee_angle[s.since > 2.0] = 0.01, np.radians(3.0)
    figures = score(s)
    assert figures["ee_cm"] == pytest.approx(1.0)
    assert figures["ee_deg_p90"] == pytest.approx(3.0)
    assert figures["ee_mean_cm"] == pytest.approx(0.4 * 50.0 + 0.6 * 1.0)


def test_walking_error_is_of_robots_with_a_command() -> None:
    s = samples()
    s.ee_error[:, 0], s.ee_error[:, 1] = 0.02, 0.1
    s.command[:, 1] = 0.0
    assert score(s)["ee_walk_cm"] == pytest.approx(2.0)


def test_errors_of_angles_that_are_not_wanted_are_left_out() -> None:
    s = samples()
    s.ee_angle[:, 0], s.ee_angle[:, 1] = np.nan, 0.1
    assert score(s)["ee_end_deg"] == pytest.approx(np.degrees(0.1))
    assert len(distributions(s)["ee_deg"]) == QUANTILES


def test_falls_are_counted_per_ten_seconds() -> None:
    s = samples(steps=250, robots=4)  # 5 s each
    s.fallen[100, 1] = s.fallen[200, 1] = True
    figures = score(s)
    assert figures["falls"] == pytest.approx(100.0)  # two in 20 s
    assert figures["fallen"] == pytest.approx(25.0)
    assert figures["success"] == pytest.approx(75.0)


def test_samples_of_a_fall_do_not_count_as_errors() -> None:
    s = samples()
    s.fallen[-1] = True
    s.velocity[-1], s.ee_error[-1] = 9.0, 9.0
    assert score(s)["linear_error"] == 0.0
    assert score(s)["ee_cm_p90"] == 0.0


def test_success_is_judged_at_the_end_of_each_target() -> None:
    s = samples(steps=100, robots=1, tolerance=np.array([[0.05, 0.2]]))
    s.since[50:, 0] = PERIOD * np.arange(1, 51)
    s.ee_error[:20] = 1.0  # on the way
    assert score(s)["success"] == 100.0
    s.ee_angle[70:] = 0.3
    assert score(s)["success"] == 50.0
    s.fallen[49] = True
    assert score(s)["success"] == 0.0


def test_drift_is_net_speed_without_a_command() -> None:
    s = samples(steps=301, robots=2)
    s.command[:, 0] = 0.0
    s.place[:, 0, 0] = 0.01 * s.since[:, 0]
    s.place[:, 0, 2] = np.pi - 0.01 + 0.1 * s.since[:, 0]
    s.place[:, 0, 2] = (s.place[:, 0, 2] + np.pi) % (2 * np.pi) - np.pi  # passes +-pi
    s.place[:, 1, 0] = s.since[:, 1]  # has a command
    figures = score(s)
    assert figures["drift_cm_s"] == pytest.approx(1.0)
    assert figures["turn_deg_s"] == pytest.approx(np.degrees(0.1))


def test_parts_have_figures_of_their_own() -> None:
    s = samples(parts=("a", "b"))
    s.part[:, 1] = 1
    s.reward[:, 1] = 3.0
    parts = score_parts(s)
    assert (parts["a"]["reward"], parts["b"]["reward"], score(s)["reward"]) == (1.0, 3.0, 2.0)


def test_balanced_reward_does_not_depend_on_how_much_of_each_part_came() -> None:
    parts: dict[str, dict[str, float | None]] = {"a": {"reward": 1.0}, "b": {"reward": 3.0}, "c": {"reward": None}}
    assert balanced_reward(parts, {"a": 0.3, "b": 0.1, "c": 0.6}) == pytest.approx(1.5)
    assert balanced_reward(parts, {"c": 1.0}) is None
    s = samples(robots=4, parts=("a", "b"))
    s.part[:, 1:] = 1
    s.reward[:, 1:] = 3.0
    assert score(s)["reward"] == 2.5
    assert balanced_reward(score_parts(s), {"a": 0.5, "b": 0.5}) == pytest.approx(2.0)


def test_a_part_without_samples_has_no_figures() -> None:
    assert set(score_parts(samples(parts=("a", "b")))["b"].values()) == {None}
    assert usage_parts(samples(parts=("a", "b")), ("x", "y"), ("all",))["b"] == {}


def test_usage_of_experts() -> None:
    s = samples(steps=4, robots=1, weights=np.zeros((4, 1, 2, 2)))
    s.weights[:, 0, 0] = [[0.9, 0.1], [0.9, 0.1], [0.9, 0.1], [0.1, 0.9]]
    s.weights[:, 0, 1] = [0.5, 0.5]
    found = usage(s, ("base", "arm"), ("legs", "arm"))
    legs = found["groups"]["legs"]["experts"]["base"]
    assert legs["mean"] == pytest.approx(0.7)
    assert legs["largest"] == pytest.approx(0.75)
    assert legs["std"] == pytest.approx(np.std([0.9, 0.9, 0.9, 0.1]))
    assert found["groups"]["arm"]["entropy"] == pytest.approx(np.log(2.0))
    assert found["use"] == pytest.approx({"base": 0.6, "arm": 0.4})
