"""What a plan of the default backend costs, alone and with bridge and policy beside it.

`python -m benchmarks planner`. CPU seconds count the whole process. On a busy machine they rise too, since two
processors that share a core slow each other down: run it on an idle one.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from cem_planner.factory import default_directory, make_backend, make_kinematics
from cem_planner.planner import Planner
from cem_planner.planning import BODY
from cem_planner.settings import PlannerSettings

from .closed_loop import simulate
from .rollouts import standing

REQUIRED_CPU_MS = 1.5
REQUIRED_P99_MS = 20.0
ROUNDS, PLANS = 20, 50
SECONDS = 60


def run() -> list[str]:
    """Return the lines of the report."""
    return [f"load {os.getloadavg()[0]:.1f} on {len(os.sched_getaffinity(0))} processors", *_alone(), *_in_the_graph()]


def _alone() -> list[str]:
    settings = PlannerSettings()
    backend = make_backend("reduced", settings, default_directory(), False, lambda line: None)
    planner, kinematics = Planner(settings, backend), make_kinematics(settings)[BODY]
    planner.warm_up(standing())
    plan = planner.plan(standing(), 0.0)

    def search(turn: int) -> None:
        planner.plan(standing(turn), turn * settings.period)

    def with_prior(turn: int) -> None:
        problem = standing(turn)
        problem = replace(problem, previous_command=plan.knots[0].astype(float))
        planner.plan(problem, turn * settings.period, priors=[kinematics.prepare(problem)[1]])

    lines = [f"a plan of {settings.num_samples} samples, {backend.rung}, CPU ms of {ROUNDS} rounds of {PLANS} plans:"]
    for name, call in (("search", search), ("with inverse kinematics of a moving goal", with_prior)):
        times = _cpu_ms(call)
        lines.append(
            f"  {name}: least {times.min():.2f}, median {np.median(times):.2f}, most {times.max():.2f}"
            + (f" (wanted: {REQUIRED_CPU_MS:g})" if call is search else "")
        )
    return lines


def _cpu_ms(call: Callable[[int], None]) -> np.ndarray:
    """Return the CPU time of a call in each round, ms, shape (ROUNDS,)."""
    times = []
    for turn in range(ROUNDS):
        begin = time.process_time()
        for index in range(PLANS):
            call(turn * PLANS + index)
        times.append(1e3 * (time.process_time() - begin) / PLANS)
    return np.array(times)


def _in_the_graph() -> list[str]:
    lines = [f"in real time with bridge, policy and operator on the same processors, {SECONDS} s of reaching:"]
    for controller in ("cem", "hybrid"):
        summary = simulate("--controller", controller, "--scenario", "reach", "--duration", str(SECONDS))
        found = summary["planner"]
        lines.append(
            f"  {controller}: plan p50 / p95 / p99 {found['plan_ms']['p50']:.1f} / {found['plan_ms']['p95']:.1f} / "
            f"{found['plan_ms']['p99']:.1f} ms (wanted p99: {REQUIRED_P99_MS:g}), {found['misses']} of "
            f"{found['plans']} missed, {found['faults']} faults, {found['samples_used_mean']:.0f} samples used, "
            f"falls {summary['falls']}"
        )
    return lines
