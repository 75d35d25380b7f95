"""Plans with the `mjx` backend, for a machine with a GPU: p50 and p99, the most samples that hold 50 Hz, and starts.

`python -m benchmarks.mjx_plan` on the GPU machine; `--tiny` only shows that the command works, on any machine.
Not among the benchmarks that run by default: on a CPU compiling takes minutes and plans take seconds.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from cem_planner.settings import PlannerSettings

DOUBLINGS = (500, 1000, 2000, 4000, 8000, 16000)
"""Samples that are tried in turn until a plan takes longer than its period."""
DOCUMENT_MS = 17.5
"""The document's plan, ms, on its GPU."""


def _settings(samples: int, tiny: bool) -> PlannerSettings:
    if tiny:
        return PlannerSettings(num_samples=samples, num_elites=2, plan_horizon=0.04, num_knots=2)
    return PlannerSettings(num_samples=samples)


def _compiled(settings: PlannerSettings, directory: Path, log: list[str]) -> tuple[Any, Any, str]:
    """Compile the plan cold, in this process, then start it from the file that a first start has left."""
    from cem_planner.aot import build_or_load, take_fingerprint
    from cem_planner.backends import mjx

    function, arguments = mjx.iteration(settings), mjx.example_iteration(settings)
    fingerprint = take_fingerprint(
        settings=dataclasses.asdict(settings),
        sources=("cem_planner.backends", "cem_planner.cem", "cem_planner.costs", "cem_planner.splines"),
        model=mjx.model_bytes(settings),
    )
    name = f"mjx_{settings.num_samples}"
    found = []
    for start in ("first start (compiles)", "second start"):
        begin, cpu = time.perf_counter(), time.process_time()
        built = build_or_load(function, arguments, fingerprint, directory, name)
        log.append(
            f"  {start}: rung {built.rung}, {time.perf_counter() - begin:.2f} s wall, "
            f"{time.process_time() - cpu:.2f} CPU s in this process"
        )
        found.append(built)
    return found[0].call, found[1].call, found[1].rung


def _plan_ms(settings: PlannerSettings, call: Any, rung: str, plans: int) -> np.ndarray:
    """Return what each plan took, ms: warm start, transfer, search and result."""
    from cem_planner.backends import mjx
    from cem_planner.planner import Planner

    from .rollouts import standing

    planner = Planner(settings, mjx.MjxBackend(settings, iterating=call, rung=rung))
    times = []
    for turn in range(plans + 3):
        problem, begin = standing(turn), time.perf_counter()
        planner.plan(problem, turn * settings.period)
        times.append(1e3 * (time.perf_counter() - begin))
    return np.array(times[3:])


def run(samples: tuple[int, ...] = DOUBLINGS, plans: int = 300, tiny: bool = False) -> list[str]:
    """Return the lines of the report.

    Args:
        samples: in a plan, rising.
        plans: that are timed, for each.
        tiny: a horizon of two time steps.
    """
    import jax

    lines = [f"mjx plans on {jax.devices()[0].device_kind} ({jax.default_backend()}), jax {jax.__version__}:"]
    most = 0
    with tempfile.TemporaryDirectory() as folder:
        for count in samples:
            settings = _settings(count, tiny)
            lines.append(
                f" {count} samples, {settings.num_elites} elites, {settings.plan_horizon:g} s, "
                f"{settings.num_knots} knots, {settings.iterations} iteration"
            )
            jit, loaded, rung = _compiled(settings, Path(folder), lines)
            for name, call in (("compiled here (JIT)", jit), (f"loaded ({rung})", loaded)):
                times = _plan_ms(settings, call, rung, plans)
                p50, p99 = np.percentile(times, [50, 99])
                lines.append(f"  {name}: p50 / p99 {p50:.2f} / {p99:.2f} ms (the document: {DOCUMENT_MS} ms)")
            if p99 > 1e3 * settings.period:
                break
            most = count
    lines.append(f" most samples of these whose p99 holds {PlannerSettings().frequency:g} Hz: {most or 'none'}")
    return lines


def main(argv: list[str] | None = None) -> int:
    """Run it."""
    parser = argparse.ArgumentParser(prog="benchmarks.mjx_plan", description="Plans with the mjx backend on a GPU.")
    parser.add_argument("--samples", type=int, nargs="+", default=list(DOUBLINGS), help="in a plan, rising")
    parser.add_argument("--plans", type=int, default=300, help="timed for each")
    parser.add_argument("--tiny", action="store_true", help="show that the command works, on any machine")
    options = parser.parse_args(argv)
    samples, plans = ((4,), 3) if options.tiny else (tuple(options.samples), options.plans)
    for line in run(samples, plans, options.tiny):
        print(line, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
