"""One side of the comparison, in a process and an interpreter of its own: a line of JSON in, a line out.

`python -m benchmarks.cem.side` answers until its input ends; `--first SYSTEM SAMPLES` makes one plan and says what the
process has cost until then.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import asdict
from typing import Any

import numpy as np
from cem_planner.cem import initial_sigma
from cem_planner.planning import MakesPlans


def first_plan(system: str, samples: int) -> dict[str, float]:
    """Return CPU seconds of this process, a fresh one: imports, start, first plan."""
    from ..rollouts import standing
    from .systems import SYSTEMS

    imported = time.process_time()
    planner = SYSTEMS[system](samples, 0)
    ready = time.process_time()
    planner.plan(standing(), 0.0)
    return {"imports": imported, "start": ready - imported, "plan": time.process_time() - ready}


def answer(request: dict[str, Any]) -> Any:
    """Do what is asked: an episode, costs of samples, or CPU times of plans or of raw rollouts, ms."""
    from ..rollouts import raw_and_ours, standing
    from . import episode
    from .systems import SYSTEMS

    samples = int(request["samples"])
    if request["do"] == "raw":
        raw, _, _ = raw_and_ours(samples)
        return _cpu_ms(raw, request["repeats"])
    planner = SYSTEMS[request["system"]](samples, request["seed"])
    if request["do"] == "cost":
        return _costs(planner)
    if request["do"] == "time":
        return _cpu_ms(lambda turn: planner.plan(standing(turn), 0.02 * turn), request["repeats"])
    return asdict(episode.run(planner, request["seed"], request["duration"], request["latency"]))


def _costs(planner: MakesPlans) -> list[float]:
    """Return the costs of always the same samples."""
    from ..rollouts import standing

    noise = np.random.default_rng(0).standard_normal((8, planner.settings.num_knots, 12))
    knots = standing().state.position + noise * initial_sigma(planner.settings)
    return [float(cost) for cost in planner.backend.rollout(standing(), knots, planner.weights.array())]


def _cpu_ms(call: Any, repeats: int) -> list[float]:
    call(0)
    times = []
    for turn in range(repeats):
        begin = time.process_time()
        call(turn + 1)
        times.append(1e3 * (time.process_time() - begin))
    return times


def main(argv: list[str] | None = None) -> int:
    """Answer requests."""
    parser = argparse.ArgumentParser(prog="benchmarks.cem.side")
    parser.add_argument("--first", nargs=2, metavar=("SYSTEM", "SAMPLES"))
    given = parser.parse_args(argv)
    out, sys.stdout = sys.stdout, sys.stderr  # what libraries print is no answer
    if given.first:
        print(json.dumps(first_plan(given.first[0], int(given.first[1]))), file=out)
        return 0
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), file=out, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
