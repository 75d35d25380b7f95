"""What a network is worth: plans of one iteration with and without it, with and without inverse kinematics."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from cem_planner.factory import default_directory, make_backend
from cem_planner.guide import Guide
from cem_planner.network import PlanNetwork
from cem_planner.planner import Planner
from cem_planner.settings import PlannerSettings

from .collect import some_goals
from .loop import ReducedLoop

SECONDS = 1.0
"""For each goal, from the nominal pose."""
FIRST = 5
"""Plans at the beginning whose cost is told."""


def judge(settings: PlannerSettings, network: PlanNetwork, goals: int, seed: int) -> Iterator[str]:
    """Yield a line for each way to plan, on goals that the network has not seen if the seed is another one.

    Args:
        settings: of the plans.
        network: that is judged.
        goals: how many.
        seed: of goals and noise.
    """
    backend = make_backend("reduced", settings, default_directory(), False, lambda line: None)
    chosen, steps = list(some_goals(goals, seed)), round(SECONDS / settings.period)
    yield f"{goals} goals, seed {seed}, {SECONDS:g} s each in the reduced model, {settings.iterations} iteration(s):"
    for name, guided, proposing in (
        ("neither", False, None), ("network", False, network), ("inverse kinematics", True, None),
        ("both", True, network),
    ):  # fmt: skip
        errors, costs = np.empty((goals, steps)), np.empty((goals, steps))
        for row, goal in enumerate(chosen):
            guide = Guide(settings)  # of which all know how to measure the distance
            loop = ReducedLoop(Planner(settings, backend), guide if guided else None, proposing, seed + row)
            for column in range(steps):
                _, plan = loop.step(goal, np.zeros(12))
                place, _ = guide.prior.pose(loop.place[None])
                errors[row, column], costs[row, column] = np.linalg.norm(place[0] - goal.position), plan.cost
        spread = 1e3 * errors.mean(axis=1).std(ddof=1) / np.sqrt(goals)
        yield (
            f"  {name:18} position error over a second {1e3 * errors.mean():.0f} mm (+- {spread:.0f}), at "
            f"its end median {1e3 * np.median(errors[:, -1]):.1f} mm; cost of the first {FIRST} plans "
            f"{costs[:, :FIRST].mean():.3f}, of the last {costs[:, -1].mean():.3f}"
        )
