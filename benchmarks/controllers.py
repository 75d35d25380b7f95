"""`hybrid` against `moe` and `cem`: seeded runs of walk-and-reach through the whole graph, in lockstep.

`python -m benchmarks.controllers --seeds 10`; half an hour of an idle machine. Simulated time: the figures do not
depend on the machine.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .closed_loop import simulate

CONTROLLERS = ("moe", "cem", "hybrid")
RESAMPLINGS = 2000


@dataclass(frozen=True)
class Run:
    """One run."""

    seed: int
    errors: tuple[float, ...]
    """Settled error of each target, m."""
    falls: int
    ended: str
    """Why it ended; empty where it was played to its end."""


def play(controller: str, seed: int, scenario: str, duration: float) -> Run:
    """Play one run."""
    options = ["--lockstep", "--scenario", scenario, "--seed", str(seed), "--controller", controller]
    summary = simulate(*options, *(["--duration", f"{duration:g}"] if duration else []))
    errors = tuple(float(error) for error in summary["ee_targets"]["settled_errors_m"])
    return Run(seed, errors, int(summary["falls"]), "" if summary["success"] else str(summary["exit_reason"]))


def interval(values: np.ndarray) -> tuple[float, float]:
    """Return a bootstrap interval, 95 %, of the median over runs."""
    random = np.random.default_rng(0)
    drawn = np.median(random.choice(values, (RESAMPLINGS, len(values))), axis=1)
    return float(np.quantile(drawn, 0.025)), float(np.quantile(drawn, 0.975))


def report(runs: dict[str, list[Run]]) -> list[str]:
    """Return the lines of the report: of each controller the median over runs of a run's median error, and falls."""
    lines, medians, falls = [], {}, {}
    for name, made in runs.items():
        per_run = np.array([np.median(run.errors) if run.errors else np.inf for run in made])
        medians[name], falls[name] = float(np.median(per_run)), sum(run.falls for run in made)
        low, high = interval(per_run)
        lines.append(
            f"  {name:7} settled EE error {1e3 * medians[name]:7.1f} mm [{1e3 * low:.1f}, {1e3 * high:.1f}], "
            f"worst run {1e3 * per_run.max():.1f}, {falls[name]} falls, "
            f"{sum(bool(run.ended) for run in made)} of {len(made)} ended early"
        )
    if set(CONTROLLERS) <= set(medians):
        best = min(medians["moe"], medians["cem"])
        good = medians["hybrid"] <= best and falls["hybrid"] <= min(falls["moe"], falls["cem"])
        lines.append(f"  hybrid is {'' if good else 'not '}at least as good as the better of the others")
    return lines


def main(argv: Sequence[str] | None = None) -> int:
    """Run it."""
    parser = argparse.ArgumentParser(prog="benchmarks.controllers", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--scenario", default="walk-and-reach")
    parser.add_argument("--duration", type=float, default=0.0, help="s; 0 for the scenario's own length")
    parser.add_argument("--controllers", nargs="+", choices=CONTROLLERS, default=list(CONTROLLERS))
    parser.add_argument("--out", type=Path, help="file for all of it, JSON")
    given = parser.parse_args(argv)
    runs: dict[str, list[Run]] = {name: [] for name in given.controllers}
    for seed in range(given.first_seed, given.first_seed + given.seeds):
        for name in given.controllers:
            run = play(name, seed, given.scenario, given.duration)
            runs[name].append(run)
            shown = " ".join(f"{1e3 * error:.0f}" for error in run.errors)
            print(f"seed {seed} {name}: errors mm {shown}; falls {run.falls} {run.ended}", flush=True)
            if given.out is not None:  # after each, so that an interrupted run leaves what it has
                given.out.write_text(json.dumps({n: [vars(r) for r in made] for n, made in runs.items()}, indent=1))
    print(f"{given.scenario}, {given.seeds} seeds:", *report(runs), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
