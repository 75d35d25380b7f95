"""The closed-loop trials behind the figures of docs/planner.md: goals, mismatches and pushes; a table and a file.

`python -m cem_planner.closed_loop` runs a few of each, with `--full` the 30 + 10 goals and all disturbances.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from .backends import Backend, BackendError
from .closed_loop import ClosedLoop, Episode, LoopOptions
from .factory import default_directory, make_backend
from .goal_sampler import GoalSampler
from .network import NetworkError, PlanNetwork
from .problem import Goal
from .settings import PlannerSettings, SettingsError
from .standing_plant import Push, World

DURATION = 4.0
"""s of an episode."""
PUSH_START = 3.0
PUSHED_DURATION = 5.0
"""s; the robot holds its goal when it is pushed, and has 1.8 s to come back."""


@dataclass(frozen=True)
class Trial:
    """Goals under one condition."""

    name: str
    goals: Sequence[Goal]
    world: World = World()
    push: Push | None = None

    @property
    def duration(self) -> float:
        """s of each episode."""
        return DURATION if self.push is None else PUSHED_DURATION


def trials(seed: int = 0, full: bool = False) -> list[Trial]:
    """Return the trials: 30 reachable goals, 10 beyond the arm, 10 for each disturbance; two or three if not full."""
    sampler = GoalSampler(seed)
    reachable, beyond = sampler.reachable(30 if full else 3), sampler.beyond(10 if full else 2)
    few = reachable[: 10 if full else 2]
    return [
        Trial("reachable", reachable),
        Trial("beyond the arm", beyond),
        Trial("payload 0.5 kg", few, World(payload=0.5)),
        Trial("gains x 0.8", few, World(gain_factor=0.8)),
        Trial("friction 0.4", few, World(friction=0.4)),
        Trial("30 N to the left", few, push=Push((0.0, 30.0, 0.0), PUSH_START)),
        Trial("30 N forward", few, push=Push((30.0, 0.0, 0.0), PUSH_START)),
    ]


def run(
    trial: Trial,
    settings: PlannerSettings,
    backend: Backend,
    options: LoopOptions,
    progress: Progress,
    network: PlanNetwork | None = None,
) -> list[Episode]:
    """Run all goals of a trial."""
    loop = ClosedLoop(settings, backend, world=trial.world, options=options, network=network)
    return [
        loop.run(goal, trial.duration, trial.push)
        for goal in progress.track(trial.goals, description=trial.name, total=len(trial.goals))
    ]


def summary(trial: Trial, episodes: Sequence[Episode]) -> dict[str, float | int | str | None]:
    """Return the figures of a trial: errors in mm and degrees, recovery in s."""
    position = np.array([1e3 * episode.position_error for episode in episodes])
    turned = np.degrees([episode.orientation_error for episode in episodes])
    wanted = trial.goals[0].orientation_weight > 0.0
    return {
        "trial": trial.name,
        "goals": len(episodes),
        "position_median_mm": float(np.median(position)),
        "position_max_mm": float(position.max()),
        "orientation_median_deg": float(np.median(turned)) if wanted else None,
        "orientation_p90_deg": float(np.quantile(turned, 0.9)) if wanted else None,
        "falls": sum(episode.fell for episode in episodes),
        "largest_tilt_deg": float(np.degrees(max(episode.largest_tilt for episode in episodes))),
        "slip_max_mm": 1e3 * max(episode.slip for episode in episodes),
        "peak_max_mm": 1e3 * max(episode.peak_error for episode in episodes),
        "first_second_mm": float(np.mean([_early(episode) for episode in episodes])),
        "recovery_max_s": max(episode.recovery for episode in episodes),
        "plan_cpu_ms": float(np.median([episode.plan_cpu_ms for episode in episodes])),
    }


def _early(episode: Episode) -> float:
    """Return the mean position error of the first second, mm."""
    errors, times = np.array(episode.errors), np.array(episode.times)
    return 1e3 * float(errors[times <= 1.0].mean())


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the trials; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m cem_planner.closed_loop", description=__doc__.splitlines()[0])
    parser.add_argument("--full", action="store_true", help="all goals, not a few of each; some minutes of a core")
    parser.add_argument("--seed", type=int, default=0, help="of the goals")
    parser.add_argument("--iterations", type=int, default=1, help="of each plan")
    parser.add_argument("--latency", type=float, default=0.005, help="of a plan, s of simulated time")
    parser.add_argument("--no-prior", action="store_true", help="without inverse kinematics as a candidate")
    parser.add_argument("--network", default="", help="file of a network that proposes plans (training.planner)")
    parser.add_argument("--no-observer", action="store_true", help="without the estimate of offsets")
    parser.add_argument("--only", default="", help="trials whose name contains this")
    parser.add_argument("--out", type=Path, default=None, help="folder for closed_loop.json")
    given = parser.parse_args(arguments)
    console = Console(stderr=True)
    try:
        settings = replace(PlannerSettings(), iterations=given.iterations)
        backend = make_backend("reduced", settings, default_directory(), False, lambda line: None)
        network = PlanNetwork(given.network, settings) if given.network else None
    except (BackendError, SettingsError, NetworkError) as error:
        console.print(f"closed loop: {error}", style="red", markup=False)
        return 2
    options = LoopOptions(given.latency, observe=not given.no_observer, use_prior=not given.no_prior)
    chosen = [trial for trial in trials(given.seed, given.full) if given.only in trial.name]
    if not chosen:
        console.print(f"closed loop: no trial is called {given.only!r}", style="red", markup=False)
        return 2
    rows, details = [], {}
    with Progress(console=console, disable=not console.is_terminal) as progress:
        for trial in chosen:
            episodes = run(trial, settings, backend, options, progress, network)
            row = summary(trial, episodes)
            rows.append(row)
            details[trial.name] = [asdict(episode) for episode in episodes]
            console.print(
                f"{trial.name}: {row['position_median_mm']:.1f} mm median, {row['falls']} falls", markup=False
            )
            if given.out is not None:  # after each, so that an interrupted run leaves what it has
                given.out.mkdir(parents=True, exist_ok=True)
                text = json.dumps({"summary": rows, "episodes": details}, indent=1)
                (given.out / "closed_loop.json").write_text(text)
    Console(file=sys.stdout, width=150 if not sys.stdout.isatty() else None).print(_table(rows))
    return 0


def _table(rows: Sequence[dict[str, float | int | str | None]]) -> Table:
    table = Table(title="Closed loop: settled errors, mean of the last 0.5 s")
    for name in rows[0]:
        table.add_column(name.replace("_", " "), justify="left" if name == "trial" else "right")
    for row in rows:
        table.add_row(*("-" if value is None else f"{value:.2f}" if isinstance(value, float) else str(value)
                        for value in row.values()))  # fmt: skip
    return table
