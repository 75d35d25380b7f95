"""What inverse kinematics gives to a plan: a prior, and a way out where the search is stuck.

A goal may need another branch of the arm than the one that the search has gone into. Over a horizon of half a second
the way there only costs, so that no sample takes it and the arm stays where it is, 11 degrees off in one of 30 goals.
Where the command has come to rest, far in its joints from a solution that is clearly better, plans therefore aim for
poses on the straight way to that solution, and being far from their joints costs. The search still decides: balance,
clearance and limits cost what they always do.
"""

from __future__ import annotations

from collections import deque
from dataclasses import replace

import numpy as np
from go2_piper_description.links import Mount
from numpy.typing import NDArray

from . import splines
from .coordinates import ARM_SLICE_12
from .costs import Weights
from .executor import ExecutorSettings
from .ik_prior import NEW_GOAL, IkPrior, apart
from .problem import Goal, Problem
from .settings import PlannerSettings

Array = NDArray[np.float64]

REST_TIME = 0.4
"""s over which the command of a search that is stuck hardly moves."""
REST = 0.1
"""rad that it moves at most."""
FAR = 0.5
"""rad between command and solution in some joint of the arm, from which on it is another branch."""
NEAR = 0.3
"""rad within which the search goes on by itself."""
GAIN = 0.02
"""Of cost that the solution must be better by: 7 degrees, or 1.5 cm."""
HINDRANCE = 0.05
"""Of cost, from trunk and floor, that the way may have anywhere."""
LEAD = 0.3
"""s of the way by which plans aim ahead."""
POSTURE_FACTOR = 200.0
"""Of the posture term on the way: a pose alone would be taken in the old branch as well."""
MOST_TIME = 2.0
"""Times the way at full speed until it is given up, for this goal."""


class Guide:
    """Prepares problems for `Planner.plan`. Deterministic; remembers what it saw from plan to plan."""

    def __init__(self, settings: PlannerSettings, weights: Weights | None = None, mount: Mount | None = None) -> None:
        """Prepare; arguments as those of `IkPrior`."""
        self.prior = IkPrior(settings, weights, mount)
        self._slew = ExecutorSettings().slew
        self._period = settings.period
        self._times = splines.knot_times(settings.plan_horizon, settings.num_knots, settings.spline)
        self._tried = False
        """Whether the way was given up, for this goal."""
        self.reset()

    @property
    def on_the_way(self) -> bool:
        """Whether plans aim for the way to another branch."""
        return self._left > 0.0

    def reset(self) -> None:
        """Forget everything."""
        self.prior.reset()
        self._goal: Goal | None = None
        self._begin()

    def prepare(self, problem: Problem) -> tuple[Problem, Array]:
        """Return the problem to be planned, its goal perhaps one on the way, and a prior, m and rad, shape (K, 12).

        Args:
            problem: must be finite; asked for once per plan.
        """
        knots = self.prior.knots(problem)
        if self._goal is None or apart(problem.goal, self._goal) > NEW_GOAL:
            self._begin()
        self._goal = problem.goal
        way = self.prior.solution - problem.offset - problem.previous_command
        if not self.on_the_way:
            if self._stuck(problem, way):
                self._left = MOST_TIME * float(np.max(np.abs(way) / self._slew))
            return problem, knots
        self._left -= self._period
        if np.max(np.abs(way[ARM_SLICE_12])) < NEAR:
            self._left = 0.0
            return problem, knots
        if not self.on_the_way:
            self._tried = True
            return problem, knots
        return self._towards(problem, way)

    # --- inside --------------------------------------------------------------------------------------------------

    def _begin(self) -> None:
        self._commands: deque[Array] = deque(maxlen=round(REST_TIME / self._period) + 1)
        self._left = 0.0
        """s that the way may still take; 0 off it."""
        self._tried = False

    def _stuck(self, problem: Problem, way: Array) -> bool:
        """Return whether the command rests in another branch than the solution's, to which the way is free."""
        self._commands.append(problem.previous_command[ARM_SLICE_12])
        if problem.goal.orientation_weight == 0.0:
            return False  # any branch can take a position; on the way to another one it is lost for a while
        if self._tried or len(self._commands) < (self._commands.maxlen or 0):
            return False
        if np.max(np.abs(way[ARM_SLICE_12])) < FAR or np.max(np.ptp(self._commands, axis=0)) > REST:
            return False
        places = problem.previous_command + problem.offset + np.linspace(0.0, 1.0, 16)[:, None] * way
        left = self.prior.left(problem.goal, places[[0, -1]])
        return bool(left[0] - left[1] > GAIN and np.max(self.prior.hindrance(places)) < HINDRANCE)

    def _towards(self, problem: Problem, way: Array) -> tuple[Problem, Array]:
        """Aim for a pose on the way, as far ahead as the slowest coordinate gets in LEAD."""
        step = way * min(1.0, LEAD / float(np.max(np.abs(way) / self._slew)))
        begin = problem.previous_command
        (position,), (rotation,) = self.prior.pose((begin + problem.offset + step)[None])
        goal = replace(
            problem.goal, position=position, rotation=rotation, posture=(begin + problem.offset + step)[ARM_SLICE_12],
            posture_factor=POSTURE_FACTOR,
        )  # fmt: skip
        knots = begin + np.clip(self._times / LEAD, 0.0, 1.0)[:, None] * step
        return replace(problem, goal=goal), knots
