"""Train the planner's network: `python -m training.planner --out plans.npz`; some minutes of one core."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from cem_planner.backends import BackendError
from cem_planner.network import PlanNetwork, save
from cem_planner.settings import PlannerSettings

from .collect import collect
from .judge import judge


def main(arguments: Sequence[str] | None = None) -> int:
    """Collect, fit, save, judge. Returns 0, or 2 where it could not start."""
    parser = argparse.ArgumentParser(prog="python -m training.planner", description=(__doc__ or "").split(":")[0])
    parser.add_argument("--goals", type=int, default=2000, help="to collect plans from (%(default)s)")
    parser.add_argument("--steps", type=int, default=6000, help="of the optimiser (%(default)s)")
    parser.add_argument("--judged", type=int, default=20, help="goals on which it is then judged (%(default)s)")
    parser.add_argument("--seed", type=int, default=1000, help="of goals, noise and weights (%(default)s)")
    parser.add_argument("--out", type=Path, required=True, help="file to write, npz")
    given = parser.parse_args(arguments)
    if min(given.goals, given.judged) < 2 or given.steps < 1 or given.seed < 0:
        return _refuse("goals and judged must be 2 or more, steps 1 or more, the seed not negative")
    if given.out.suffix != ".npz" or not given.out.parent.is_dir():
        return _refuse(f"cannot write {given.out}: give a file .npz in a folder that exists")
    try:
        from .fit import Fit, fit
    except ImportError as error:
        return _refuse(f"{error.name} is missing: pip install '.[planner,train]'")
    settings, begin = PlannerSettings(), time.perf_counter()
    try:
        plans = collect(settings, given.goals, given.seed)
    except BackendError as error:
        return _refuse(str(error))
    print(f"{len(plans.seen)} plans of {given.goals} goals after {time.perf_counter() - begin:.0f} s")
    fitted = fit(plans, settings, Fit(steps=given.steps, seed=given.seed))
    made = f"{given.goals} goals, seed {given.seed}, {given.steps} steps, error {fitted.error:.3f} sigma"
    save(given.out, fitted.layers, fitted.scale, settings, made)
    print(f"{given.out}: {made}; holding the command is {fitted.error_of_holding:.3f} sigma off")
    for line in judge(settings, PlanNetwork(given.out, settings), given.judged, given.seed + 1):
        print(line, flush=True)
    return 0


def _refuse(line: str) -> int:
    print(f"training.planner: {line}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
