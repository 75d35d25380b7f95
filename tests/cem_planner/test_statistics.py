"""Statistics of planning: percentiles of each part, misses, rates, and what is not known yet."""

from __future__ import annotations

import json

import numpy as np
import pytest
from cem_planner.plan import Plan, PlanSeconds
from cem_planner.statistics import PlanStatistics

KNOTS = np.zeros((4, 12))


def _plan(cem: float, nn: float = 0.0, samples: int = 500, missed: bool = False, rung: str = "jit") -> Plan:
    seconds = PlanSeconds(nn, cem, 0.001)
    return Plan(KNOTS, 0.5, "linear", 0.0, 1.0, samples, 1, "reduced", rung, seconds, KNOTS, KNOTS, missed=missed)


def _statistics(plans: int = 101) -> PlanStatistics:
    statistics = PlanStatistics(frequency=50.0)
    for turn in range(plans):
        statistics.add(_plan(1e-3 * turn, nn=0.002, samples=500 - turn, missed=turn >= 91), finished=0.025 * turn)
    return statistics


def test_percentiles_of_each_part() -> None:
    statistics = _statistics()
    for percent in (50.0, 95.0, 99.0):
        assert statistics.percentile("cem", percent) == pytest.approx(1e-3 * percent)
        assert statistics.percentile("total", percent) == pytest.approx(1e-3 * percent + 0.003)
        assert statistics.percentile("nn", percent) == pytest.approx(0.002)
        assert statistics.percentile("other", percent) == pytest.approx(0.001)


def test_summary() -> None:
    statistics = _statistics()
    statistics.add_fault()
    summary = statistics.summary()
    assert (summary["plans"], summary["misses"], summary["faults"]) == (101, 10, 1)
    assert summary["frequency"] == 50.0 and summary["frequency_achieved"] == pytest.approx(40.0)
    assert summary["plan_ms_p95"] == pytest.approx(98.0) and summary["cem_ms_p50"] == pytest.approx(50.0)
    assert summary["samples_used_mean"] == pytest.approx(450.0) and summary["samples_used_min"] == 400
    assert summary["backend"] == "reduced/jit"
    json.dumps(summary, allow_nan=False)


def test_before_the_first_plan_nothing_is_known() -> None:
    summary = PlanStatistics(50.0).summary()
    assert summary["plans"] == 0 and summary["plan_ms_p99"] is None and summary["frequency_achieved"] is None
    json.dumps(summary, allow_nan=False)
    one = PlanStatistics(50.0)
    one.add(_plan(0.001), 0.0)
    assert one.summary()["frequency_achieved"] is None


def test_percentiles_are_of_the_latest_plans_and_counts_of_all() -> None:
    statistics = PlanStatistics(50.0, window=10)
    for turn in range(100):
        statistics.add(_plan(1.0 if turn < 90 else 0.004, missed=turn < 90), finished=float(turn))
    assert statistics.percentile("cem", 99.0) == pytest.approx(0.004)
    assert statistics.plans == 100 and statistics.misses == 90


def test_a_frequency_out_of_reach_is_told_with_the_one_that_is_not() -> None:
    statistics = PlanStatistics(50.0)
    assert statistics.warning() is None
    for turn in range(100):
        statistics.add(_plan(0.039), 0.04 * turn)
    warning = statistics.warning()
    assert warning is not None and "50 Hz is out of reach" in warning and "25 Hz" in warning and "\n" not in warning
    assert statistics.achievable_rate == pytest.approx(25.0)


def test_a_frequency_within_reach_is_not_told() -> None:
    statistics = PlanStatistics(50.0)
    for turn in range(100):
        statistics.add(_plan(0.018), 0.02 * turn)
    assert statistics.warning() is None


def test_diagnostics_are_pairs_of_text() -> None:
    for statistics in (PlanStatistics(50.0), _statistics()):
        values = statistics.diagnostics()
        assert [key for key, _ in values] == list(statistics.summary())
        assert all(isinstance(text, str) and text != "nan" for _, text in values)
    assert dict(_statistics().diagnostics())["plan_ms_p50"] == "53.000"
    assert dict(PlanStatistics(50.0).diagnostics())["plan_ms_p50"] == "-"


def test_every_rung_that_was_used_is_named() -> None:
    statistics = PlanStatistics(50.0)
    for rung in ("executable", "jit", "executable"):
        statistics.add(_plan(0.001, rung=rung), 0.0)
    assert statistics.summary()["backend"] == "reduced/executable, reduced/jit"
