"""Runs both sides in turns and compares: equal samples, equal time, starts, and the limit of raw rollouts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .systems import JUDO, OURS

ROOT = Path(__file__).resolve().parents[2]
JUDO_PYTHON = Path("~/.cache/go2_piper/judo/bin/python").expanduser()
REQUIRED_SHARE = 0.9
"""Of raw `mujoco.rollout`."""
RESAMPLINGS = 5000
STARTS, ROUNDS = 3, 4
FEW, MANY = 16, 64
"""Samples between which the price of one is measured."""
LARGEST_DIFFERENCE = 1e-6
"""Between costs of the same samples, as a share."""
LATENCY = 0.015
"""s of simulated time from a state to its plan's effect: so much less than a period that each begins with a plan."""


@dataclass(frozen=True)
class Size:
    """How much is run."""

    seeds: int = 10
    samples: int = 24
    """Of every system, where samples are equal."""
    budget_ms: float = 20.0
    """CPU time of a plan, where time is equal: what one core has at 50 Hz."""
    duration: float = 2.0
    """s of simulated time for each goal."""


class Side:
    """A child process that answers requests."""

    def __init__(self, python: Path | str) -> None:
        self._python = python
        self._process = subprocess.Popen(
            [str(python), "-m", "benchmarks.cem.side"], cwd=ROOT, env=environment(), text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def ask(self, **request: Any) -> Any:
        """Return the answer. Raises RuntimeError, in one line, where the child ended."""
        process = self._process
        assert process.stdin is not None and process.stdout is not None and process.stderr is not None
        try:
            process.stdin.write(json.dumps(request) + "\n")
            process.stdin.flush()
        except BrokenPipeError:
            pass
        line = process.stdout.readline()
        if not line:
            last = process.stderr.read().strip().splitlines()[-1:] or ["it says nothing"]
            raise RuntimeError(f"{self._python} ended: {last[0]}")
        return json.loads(line)

    def close(self) -> None:
        """End the child."""
        self._process.kill()
        self._process.communicate()


def environment() -> dict[str, str]:
    """Return the environment in which judo's interpreter finds this project's packages."""
    sources = [str(path) for path in sorted((ROOT / "ros2_ws" / "src").iterdir())]
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sources]), "OMP_NUM_THREADS": "1"}


def run(size: Size | None = None, judo: Path = JUDO_PYTHON, out: Path | None = None) -> Iterator[str]:
    """Yield the lines of the report.

    Args:
        size: how much is run.
        judo: python of judo's environment; without it ours are measured alone.
        out: file for every episode, JSON.
    """
    size = size or Size()
    pythons: dict[str, Path] = {name: Path(sys.executable) for name in OURS}
    if judo.is_file():
        pythons |= {name: judo for name in JUDO}
    else:
        yield f"cem: judo is not installed at {judo}: its figures are left out (benchmarks/cem/__init__.py says how)"
    yield f"load {os.getloadavg()[0]:.1f} on {len(os.sched_getaffinity(0))} processors"
    with ExitStack() as stack:
        children = {}
        for python in set(pythons.values()):
            children[python] = Side(python)
            stack.callback(children[python].close)
        sides = {name: children[python] for name, python in pythons.items()}
        yield same_costs(sides)
        found = {}
        equal = dict.fromkeys(sides, size.samples)
        yield f"equal samples: {size.samples} rollouts a plan, {size.seeds} goals of {size.duration:g} s"
        found["equal samples"] = episodes(sides, equal, size)
        yield from table(found["equal samples"], equal)
        yield from limit(sides, size.samples)
        affordable = {name: samples_for(side, name, size.budget_ms) for name, side in sides.items()}
        yield f"equal time: {size.budget_ms:g} CPU ms a plan buy the samples in brackets"
        found["equal time"] = episodes(sides, affordable, size)
        yield from table(found["equal time"], affordable)
    if out is not None:
        out.write_text(json.dumps(found, indent=1))
    yield from starts(pythons, size.samples)


def same_costs(sides: dict[str, Side]) -> str:
    """Return whether the same samples cost the same on both sides. Raises RuntimeError where they do not."""
    costs = {name: np.array(side.ask(do="cost", system=name, samples=8, seed=0)) for name, side in sides.items()}
    first = next(iter(costs.values()))
    apart = max(float(np.max(np.abs(cost / first - 1.0))) for cost in costs.values())
    if apart > LARGEST_DIFFERENCE:
        raise RuntimeError(f"the same samples cost different: {costs}")
    return f"the same samples cost the same in all systems, to {apart:.0e} of the cost"


def episodes(sides: dict[str, Side], samples: dict[str, int], size: Size) -> dict[str, list[dict[str, float]]]:
    """Return the outcome of each seed, by system; in turns, so that a busy machine disturbs all alike."""
    found: dict[str, list[dict[str, float]]] = {name: [] for name in sides}
    for seed in range(size.seeds):
        for name, side in sides.items():
            found[name].append(
                side.ask(
                    do="episode", system=name, samples=samples[name], seed=seed, duration=size.duration, latency=LATENCY
                )
            )
    return found


def samples_for(side: Side, system: str, budget_ms: float) -> int:
    """Return how many rollouts a plan may have within a CPU time, by a straight line through two sizes."""
    few, many = (
        float(np.median(side.ask(do="time", system=system, samples=count, seed=0, repeats=20))) for count in (FEW, MANY)
    )
    price = max((many - few) / (MANY - FEW), 1e-3)
    return int(np.clip(FEW + (budget_ms - few) / price, 4, 512))


def table(found: dict[str, list[dict[str, float]]], samples: dict[str, int]) -> Iterator[str]:
    """Yield a line for each system, and what may be said of ours against judo."""
    costs = {name: np.array([one["cost"] for one in runs]) for name, runs in found.items()}
    for name, runs in found.items():
        low, high = interval(costs[name])
        early = np.array([one["early_cost"] for one in runs])
        cpu, wall = (np.median([one[key] for one in runs]) for key in ("cpu_ms", "wall_ms"))
        yield (
            f"  {name:27} [{samples[name]:3}] cost {costs[name].mean():.3f} [{low:.3f}, {high:.3f}], first second "
            f"{early.mean():.3f} [{interval(early)[0]:.3f}, {interval(early)[1]:.3f}]; settled median "
            f"{np.median([one['error_mm'] for one in runs]):.1f} mm, "
            f"{np.median([one['angle_deg'] for one in runs]):.1f} degrees; {sum(bool(one['fell']) for one in runs)} "
            f"falls; {cpu:.1f} CPU ms a plan, {1e3 / cpu:.0f} plans per CPU s ({1e3 / wall:.0f} per s of this machine)"
        )
    for ours in OURS:
        for judo in JUDO:
            if ours in costs and judo in costs:
                more = costs[judo] - costs[ours]
                low, high = interval(more)
                yield (
                    f"  {ours} against {judo}: {verdict(costs[ours], costs[judo])}; on the same goals judo's is higher "
                    f"by {more.mean():.3f} [{low:.3f}, {high:.3f}]"
                )


def verdict(ours: np.ndarray, judo: np.ndarray) -> str:
    """Say whose cost is lower, where the intervals do not overlap."""
    (low, high), (other_low, other_high) = interval(ours), interval(judo)
    if high < other_low:
        return "lower cost, intervals apart"
    if other_high < low:
        return "higher cost, intervals apart"
    return "intervals of the cost overlap, nothing to claim"


def interval(values: np.ndarray) -> tuple[float, float]:
    """Return a bootstrap interval of the mean, 95 %."""
    drawn = np.random.default_rng(0).choice(values, (RESAMPLINGS, len(values))).mean(axis=1)
    return float(np.quantile(drawn, 0.025)), float(np.quantile(drawn, 0.975))


def limit(sides: dict[str, Side], samples: int) -> Iterator[str]:
    """Yield what a plan costs against raw `mujoco.rollout` of as many samples."""
    ours = next(iter(sides.values()))
    raw: list[float] = []
    plans: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(ROUNDS):
        raw += ours.ask(do="raw", samples=samples, repeats=10)
        for name, side in sides.items():
            plans[name] += side.ask(do="time", system=name, samples=samples, seed=0, repeats=10)
    least = np.median(raw)
    yield f"  raw mujoco.rollout of {samples} samples, the limit: {least:.1f} CPU ms"
    for name, times in plans.items():
        wanted = f" (wanted of the backend: {REQUIRED_SHARE:.0%}, `python -m benchmarks rollouts`)"
        yield f"  {name:27} a plan is at {least / np.median(times):.0%} of it{wanted if name == 'ours' else ''}"


def starts(pythons: dict[str, Path], samples: int) -> Iterator[str]:
    """Yield what a fresh process costs until its first plan."""
    yield f"start to first plan of {samples} samples, CPU s, median of {STARTS} fresh processes:"
    for name, python in pythons.items():
        found: list[dict[str, float]] = []
        for _ in range(STARTS):
            command: Sequence[str] = [str(python), "-m", "benchmarks.cem.side", "--first", name, str(samples)]
            ended = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, check=False)
            if ended.returncode:
                raise RuntimeError(f"{' '.join(command)} failed: {ended.stderr.strip()[-300:]}")
            found.append(json.loads(ended.stdout))
        parts = {key: float(np.median([one[key] for one in found])) for key in found[0]}
        yield (
            f"  {name:27} {sum(parts.values()):.2f}: imports {parts['imports']:.2f}, start {parts['start']:.2f}, "
            f"plan {parts['plan']:.3f}"
        )
