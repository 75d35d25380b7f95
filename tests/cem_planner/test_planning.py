"""Plans made inside the step and beside it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from cem_planner.guide import Guide
from cem_planner.ik_prior import IkPrior
from cem_planner.planner import Planner
from cem_planner.planning import ARM, BODY, InlinePlanning, Job, ThreadPlanning, arm_only
from cem_planner.settings import PlannerSettings

from .bowl import Bowl, problem
from .standing import problem as standing

SETTINGS = PlannerSettings(num_samples=60, num_elites=6)
PATIENCE = 60.0
"""s until a test that waits for a thread gives up."""


def planners(backend: Bowl) -> dict[str, Planner]:
    return {BODY: Planner(SETTINGS, backend), ARM: Planner(arm_only(SETTINGS), backend)}


def job(kind: str = BODY, stamp: float = 0.0, run: int = 1) -> Job:
    return Job(kind, problem(), stamp, run=run)


class Gate:
    """A backend's cost that waits until a test lets it go on."""

    def __init__(self) -> None:
        self.begun, self.go_on = threading.Semaphore(0), threading.Semaphore(0)

    def __call__(self, costs: np.ndarray) -> np.ndarray:
        self.begun.release()
        assert self.go_on.acquire(timeout=PATIENCE)
        return costs


def await_plan(planning: ThreadPlanning, done: Callable[[], bool]) -> None:
    waiting = threading.Event()
    for _ in range(int(PATIENCE / 0.005)):
        if done():
            return
        waiting.wait(0.005)
    raise AssertionError("no plan")


def test_arm_plans_leave_the_trunk_alone() -> None:
    planning = InlinePlanning(planners(Bowl()))
    planning.submit(job(ARM))
    assert planning.newest is not None
    knots = planning.newest.plan.knots
    assert np.abs(knots[:, :6]).max() <= 1e-5
    assert np.abs(knots[:, 6:] - problem().previous_command[6:]).max() > 1e-3
    planning.submit(job(BODY, stamp=0.02))
    assert np.abs(planning.newest.plan.knots[:, :6]).max() > 1e-4


def test_inverse_kinematics_are_the_first_prior_of_every_plan() -> None:
    bowl = Bowl()
    kinematics = {kind: Guide(settings) for kind, settings in ((BODY, SETTINGS), (ARM, arm_only(SETTINGS)))}
    planning = InlinePlanning(planners(bowl), kinematics=kinematics)
    other = np.tile(problem().previous_command, (4, 1)) + 0.01
    planning.submit(Job(BODY, standing(), 0.0, (other,), run=1))
    wanted = IkPrior(SETTINGS).knots(standing())
    np.testing.assert_allclose(bowl.seen[0][2], wanted, atol=1e-6)
    np.testing.assert_allclose(bowl.seen[0][3], other, atol=1e-6)
    assert planning.newest is not None and planning.newest.plan.seconds.nn > 0.0
    planning.submit(Job(ARM, standing(), 0.02, run=1))
    assert np.abs(bowl.seen[-1][2][:, :6]).max() < 1e-5
    planning.submit(Job(BODY, standing(), 0.0, run=2))  # another run begins anew
    np.testing.assert_allclose(bowl.seen[-1][2], wanted, atol=1e-6)
    broken = replace(standing(), offset=np.full(12, np.nan))
    planning.submit(Job(BODY, broken, 0.02, run=2))
    assert "offset is not finite" in planning.diagnostics()["last_plan_fault"]


def test_inline_plans_are_repeatable() -> None:
    results = []
    for _ in range(2):
        planning = InlinePlanning(planners(Bowl()))
        for index in range(5):
            planning.submit(job(stamp=0.02 * index))
        assert planning.newest is not None
        results.append(planning.newest.plan.knots)
    np.testing.assert_array_equal(results[0], results[1])


def test_a_fault_keeps_the_plan_before_and_is_counted() -> None:
    backend = Bowl()
    planning = InlinePlanning(planners(backend))
    planning.submit(job())
    before = planning.newest
    backend.spoil = lambda costs: costs * np.nan
    planning.submit(job(stamp=0.02))
    assert planning.newest is before and before is not None
    assert planning.diagnostics()["faults"] == "1" and "finite cost" in planning.diagnostics()["last_plan_fault"]


def test_what_a_runtime_raises_does_not_end_the_thread() -> None:
    backend = Bowl()

    def fail(costs: np.ndarray) -> np.ndarray:
        raise RuntimeError("device lost")

    backend.spoil = fail
    planning = ThreadPlanning(planners(backend))
    planning.submit(job())
    await_plan(planning, lambda: planning.diagnostics()["faults"] == "1")
    assert planning.diagnostics()["last_plan_fault"] == "device lost"
    backend.spoil = lambda costs: costs
    planning.submit(job(stamp=0.02))
    await_plan(planning, lambda: planning.newest is not None)
    planning.close()


def test_a_slow_backend_holds_up_plans_only_and_skips_old_problems() -> None:
    backend, gate = Bowl(), Gate()
    backend.spoil = gate
    planning = ThreadPlanning(planners(backend))
    planning.submit(job(stamp=0.0))
    assert gate.begun.acquire(timeout=PATIENCE)
    for index in range(1, 4):  # returns at once, though the first plan is still being made
        planning.submit(job(stamp=0.02 * index))
    assert planning.newest is None
    gate.go_on.release(2)
    await_plan(planning, lambda: planning.newest is not None and planning.newest.plan.stamp == 0.06)
    assert planning.diagnostics()["plans"] == "2", "the problems in between were given up"
    gate.go_on.release(10)
    planning.close()


def test_a_plan_of_an_earlier_run_is_not_shown() -> None:
    backend, gate = Bowl(), Gate()
    backend.spoil = gate
    planning = ThreadPlanning(planners(backend))
    planning.submit(job(run=1))
    assert gate.begun.acquire(timeout=PATIENCE)
    planning.submit(job(stamp=5.0, run=2))
    gate.go_on.release()
    assert gate.begun.acquire(timeout=PATIENCE)
    assert planning.newest is None
    gate.go_on.release(10)
    await_plan(planning, lambda: planning.newest is not None and planning.newest.job.run == 2)
    planning.close()


def test_a_frequency_out_of_reach_is_told_once_there_are_enough_plans() -> None:
    planning = InlinePlanning(planners(Bowl()))
    assert planning.warning(after=1) is None
    planning._workshop.statistics.frequency = 1e9
    planning.submit(job())
    assert planning.warning(after=2) is None
    assert "out of reach" in (planning.warning(after=1) or "")


@pytest.mark.parametrize("kind", [InlinePlanning, ThreadPlanning])
def test_closing_twice_is_no_mistake(kind: type) -> None:
    planning = kind(planners(Bowl()))
    planning.close()
    planning.close()
