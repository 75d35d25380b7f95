"""Each thing that can be wrong with a router is named, with its cause."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from training.diagnosis.findings import Finding, find
from training.diagnosis.history import TrainingHistory, read_history
from training.diagnosis.measures import Measures
from training.run_log import write_warm_start

HEALTHY = Measures(
    spread=0.2,
    spread_between=0.15,
    num_situations=6,
    usage={"legs": (0.7, 0.3), "arm": (0.3, 0.7)},
    sure={"legs": 0.1, "arm": 0.0},
    expert_distance=0.8,
    action_size=1.0,
    sensitivity={"velocity_command": 0.1, "ee_preview": 0.05, "last_action": 0.01},
    gradients={"router": 0.5, "base": 1.0, "arm": 1.0},
    balance_gradient=0.01,
    router_samples=1000,
    temperature=1.0,
    top_k=None,
)
CONSTANT = replace(HEALTHY, spread=0.003, spread_between=0.002)


def _find(measures: Measures, history: TrainingHistory | None = None) -> list[Finding]:
    return find(measures, ("base", "arm"), history)


def _problem(measures: Measures, history: TrainingHistory | None = None) -> Finding:
    (problem,) = [finding for finding in _find(measures, history) if finding.level == "problem"]
    return problem


def test_a_healthy_router_is_ok() -> None:
    (finding,) = _find(HEALTHY)
    assert finding.level == "ok" and "follows velocity_command (0.100), ee_preview (0.050)" in finding.text


@pytest.mark.parametrize(
    ("measures", "cause", "remedy"),
    [
        (replace(CONSTANT, router_samples=0), "never trained", "Run the router stage"),
        (replace(CONSTANT, expert_distance=0.02), r"experts agree .their actions differ by 0.020", "different tasks"),
        (replace(CONSTANT, sure={"legs": 1.0, "arm": 0.2}), "saturated", "nearer to uniform"),
        (replace(CONSTANT, balance_gradient=0.6), "pull harder .gradient 0.6. than the task .0.5", "load_balance"),
        (replace(CONSTANT, temperature=10.0), "temperature 10 flattens", "Lower router.temperature"),
        (CONSTANT, "constant blend is about as good", "phases"),
    ],
)
def test_constant_weights_and_why(measures: Measures, cause: str, remedy: str) -> None:
    problem = _problem(measures)
    assert "weights are constant: std 0.002 between 6 situations, 0.003 over all samples" in problem.text
    assert re.search(cause, problem.cause) and remedy in problem.remedy


def test_a_frozen_router_is_seen_in_the_log() -> None:
    problem = _problem(CONSTANT, TrainingHistory((1.0, 0.5), 0.01, gradient_router=0.0))
    assert "frozen" in problem.cause


def test_weights_that_ignore_the_situation() -> None:
    (finding,) = _find(replace(HEALTHY, spread_between=0.001))
    assert finding.level == "note" and "vary but not with the situation" in finding.text


def test_saturated_but_reacting() -> None:
    saturated = replace(HEALTHY, sure={"legs": 0.95, "arm": 0.1})
    assert "saturated for legs" in _find(saturated)[0].text
    assert all("saturated" not in finding.text for finding in _find(replace(saturated, top_k=1)))  # picks by design


def test_dead_and_rare_experts() -> None:
    dead = replace(HEALTHY, usage={"legs": (0.99, 0.01), "arm": (0.97, 0.03)})
    assert "Expert arm is dead: mean weight 0.020" in _problem(dead).text
    rare = replace(HEALTHY, usage={"legs": (0.99, 0.01), "arm": (0.80, 0.20)})
    assert _find(rare)[0].level == "note" and "arm is used little: mean weight 0.105" in _find(rare)[0].text


def test_experts_that_agree_make_routing_empty() -> None:
    assert "choosing between them does nothing" in _problem(replace(HEALTHY, expert_distance=0.01)).text


def test_no_gradient() -> None:
    without = replace(HEALTHY, gradients={"router": 0.0, "base": 1.0, "arm": 1.0})
    assert "No gradient reaches the router" in _problem(without).text


def test_course_of_the_routing_loss() -> None:
    def course(first: float, last: float) -> Finding:
        found = _find(HEALTHY, TrainingHistory((first, last), 0.01, 0.3))
        return next(finding for finding in found if "routing loss" in finding.text)

    assert course(1.0, 0.5).level == "ok" and "fell in training, from 1.000 to 0.500" in course(1.0, 0.5).text
    assert course(1.0, 0.995).level == "note"
    assert course(1.0, 1.5).level == "problem"


def test_history_is_read_from_the_log(tmp_path: Path) -> None:
    rows = "".join(f"{i},{1 - i / 40},0.5\n" for i in range(40))
    (tmp_path / "losses.csv").write_text("iteration,routing,gradient_router\n" + rows)
    history = read_history(tmp_path)
    assert history is not None and history.gradient_router == pytest.approx(0.5)
    assert history.routing == pytest.approx((0.9625, 0.0625)) and 0 < history.error < 0.1
    assert history.taught is None


def test_course_of_what_the_router_was_taught(tmp_path: Path) -> None:
    rows = "".join(f"{i},0.1,0.5\n" for i in range(40))
    (tmp_path / "losses.csv").write_text("iteration,routing,gradient_router\n" + rows)
    write_warm_start(tmp_path, [1.0 - step / 20 for step in range(20)])
    history = read_history(tmp_path)
    assert history is not None and history.taught == pytest.approx((0.975, 0.075))
    taught = next(finding for finding in _find(HEALTHY, history) if "taught shares" in finding.text)
    assert taught.level == "ok" and "from 0.975 to 0.075" in taught.text
    rising = next(f for f in _find(HEALTHY, replace(history, taught=(0.1, 0.2))) if "taught shares" in f.text)
    assert rising.level == "problem"
    (tmp_path / "warm_start.csv").write_text("control_step,loss\n0,x\n")
    assert read_history(tmp_path) is not None and read_history(tmp_path).taught is None  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "text", [None, "", "iteration,value\n1,2\n", "iteration,routing\n1,x\n", "\0\0", "routing\n1\n"]
)
def test_no_history_of_a_router(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "losses.csv").write_text(text)
    assert read_history(tmp_path) is None
