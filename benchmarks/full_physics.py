"""Closed loop with the `mujoco` backend, standing, latency applied: centred on the reduced plan, and alone.

`python -m benchmarks.full_physics`; some minutes of a core. Simulated time: the figures do not depend on the machine.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
from cem_planner.backends.mujoco_rollout import MujocoBackend
from cem_planner.backends.reduced.backend import ReducedBackend
from cem_planner.centred import CentredPlanner, centred_settings
from cem_planner.closed_loop import ClosedLoop, LoopOptions
from cem_planner.goal_sampler import GoalSampler
from cem_planner.planner import Planner
from cem_planner.settings import PlannerSettings

REQUIRED_MM = 10.0
ALONE_SAMPLES = 64
"""As many as two idle cores roll out in 40 ms (planner.md 3)."""


def run(
    goals: int = 10, duration: float = 4.0, latency: float = 0.04, observe: bool = True, kinds: str = "all"
) -> Iterator[str]:
    """Yield the lines of the report.

    Args:
        goals: places that the arm can reach, orientation free, seed 0.
        duration: of each, s.
        latency: from state to plan in force, s of simulated time; a plan is made in that time.
        observe: estimate offsets.
        kinds: "reduced", "centred", "alone" or "all".
    """
    settings = PlannerSettings()
    reduced = ReducedBackend(settings)
    exact = centred_settings(settings)
    alone = replace(settings, num_samples=ALONE_SAMPLES, num_elites=8)
    makers: dict[str, Callable[[], Planner | CentredPlanner]] = {
        "reduced": lambda: Planner(settings, reduced),
        "centred": lambda: CentredPlanner(Planner(settings, reduced), Planner(exact, MujocoBackend(exact))),
        "alone": lambda: Planner(alone, MujocoBackend(alone)),
    }
    places = [replace(goal, orientation_weight=0.0) for goal in GoalSampler(0).reachable(goals)]
    yield f"closed loop, {goals} goals in reach, {duration:g} s each, latency {1e3 * latency:g} ms:"
    for name, make in makers.items():
        if kinds not in ("all", name):
            continue
        loop = ClosedLoop(settings, reduced, options=LoopOptions(latency, observe))
        loop.planner = make()
        episodes = [loop.run(goal, duration) for goal in places]
        errors = np.array([1e3 * episode.position_error for episode in episodes])
        yield (
            f"  {name:8} {loop.planner.settings.num_samples:4} samples: settled median {np.median(errors):5.1f} mm, "
            f"max {errors.max():6.1f} mm, {sum(episode.fell for episode in episodes)} falls, slip "
            f"{1e3 * max(episode.slip for episode in episodes):.0f} mm, "
            f"{np.mean([episode.plan_cpu_ms for episode in episodes]):.1f} CPU ms a plan"
            + (f" (wanted: median {REQUIRED_MM:g} mm, no fall)" if name == "centred" else "")
        )


def main(argv: list[str] | None = None) -> int:
    """Run it."""
    parser = argparse.ArgumentParser(prog="benchmarks.full_physics", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--goals", type=int, default=10)
    parser.add_argument("--duration", type=float, default=4.0, help="of each goal, s")
    parser.add_argument("--latency", type=float, default=0.04, help="s of simulated time")
    parser.add_argument("--no-observer", action="store_true", help="without the estimate of offsets")
    parser.add_argument("--only", choices=("all", "reduced", "centred", "alone"), default="all")
    given = parser.parse_args(argv)
    for line in run(given.goals, given.duration, given.latency, not given.no_observer, given.only):
        print(line, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
