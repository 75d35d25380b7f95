"""The planner in closed loop with its own reduced model: much quicker than in MuJoCo, problems of the same kind."""

from __future__ import annotations

import numpy as np
from cem_planner.backends import Knots
from cem_planner.executor import ExecutorSettings
from cem_planner.factory import standing_problem
from cem_planner.guide import Guide
from cem_planner.lag import LagParameters
from cem_planner.network import PlanNetwork
from cem_planner.plan import Plan
from cem_planner.planner import Planner
from cem_planner.problem import Goal, PlanState, Problem
from numpy.typing import NDArray

STATE_NOISE = np.array([0.002] * 3 + [0.005] * 3 + [0.01] * 6)
"""Deviation of the measured from the model's place, m and rad."""


class ReducedLoop:
    """A robot that follows its commands as the lag says. It begins in its nominal pose."""

    def __init__(self, planner: Planner, guide: Guide | None, network: PlanNetwork | None, seed: int) -> None:
        """Begin; `guide` and `network` propose plans, None for neither."""
        self._planner, self._guide, self._network = planner, guide, network
        self._random, self._lag = np.random.default_rng(seed), LagParameters()
        period = planner.settings.period
        self._step, self._slew = self._lag.discrete(period), ExecutorSettings().slew * period
        start = standing_problem()
        self.place, self._rate, self._command = start.state.position, start.state.velocity, start.previous_command
        self._feet, self._stamp = start.feet, 0.0
        planner.reset()

    def step(self, goal: Goal, offset: NDArray[np.float64]) -> tuple[Problem, Plan]:
        """Plan towards a goal, let a period pass and return what was planned; offset in m and rad, shape (12,)."""
        measured = PlanState(self.place + self._random.normal(0.0, STATE_NOISE), self._rate)
        problem = Problem(measured, goal, self._command, offset, self._feet)
        priors: list[Knots] = []
        if self._guide is not None:
            problem, prior = self._guide.prepare(problem)
            priors.append(prior)
        if self._network is not None:
            priors.append(self._network.knots(problem))
        plan = self._planner.plan(problem, self._stamp, priors=priors)
        self._stamp += self._planner.settings.period
        self._command = np.clip(plan.sample(self._stamp), self._command - self._slew, self._command + self._slew)
        target = self._lag.target(self._command, offset)
        self.place, self._rate = self._step.apply(self.place, self._rate, target)
        return problem, plan
