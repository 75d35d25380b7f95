"""Two planners in a row: a quick one finds the centre, a slow and exact one samples around it.

Meant for the `mujoco` backend around the `reduced` one: with a good centre few rollouts of the full robot are enough.
Has the interface of `Planner`.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from .backends import Backend, Knots
from .costs import Weights
from .plan import Plan, PlanFault, PlanSeconds
from .planner import Planner
from .problem import Problem
from .settings import PlannerSettings, SettingsError

CENTRED_SHARE = 0.85
"""Of the samples that are drawn around the centre; the others around the plan before."""
CENTRED_SPREAD = 0.5
"""Sigma around the centre, times the present one."""


def centred_settings(settings: PlannerSettings, num_samples: int = 24, num_elites: int = 4) -> PlannerSettings:
    """Return the settings of the exact planner around a quick one with `settings`.

    Args:
        settings: of the quick planner; horizon, knots, spline and step are kept.
        num_samples: rollouts in a plan.
        num_elites: the best of them.
    """
    return replace(
        settings, num_samples=num_samples, num_elites=num_elites, iterations=1, prior_share=CENTRED_SHARE,
        prior_spread=CENTRED_SPREAD,
    )  # fmt: skip


class CentredPlanner:
    """Plans with a quick backend, then samples around that plan with an exact one.

    Where time is too short for the exact one it still evaluates one chunk, in which the quick plan is.
    """

    def __init__(self, quick: Planner, exact: Planner, clock: Callable[[], float] = time.perf_counter) -> None:
        """Take two planners with the same knots.

        Args:
            quick: finds the centre.
            exact: samples around it; see `centred_settings`.
            clock: s, of deadlines and statistics.

        Raises:
            SettingsError: if their knots do not mean the same.
        """
        for name in ("plan_horizon", "num_knots", "spline"):
            one, other = getattr(quick.settings, name), getattr(exact.settings, name)
            if one != other:
                raise SettingsError(f"centred: {name} is {one} in the quick planner and {other} in the exact one")
        self.quick, self.exact = quick, exact
        self._clock = clock

    @property
    def settings(self) -> PlannerSettings:
        """Those of the exact planner."""
        return self.exact.settings

    @property
    def backend(self) -> Backend:
        """That of the exact planner."""
        return self.exact.backend

    @property
    def last(self) -> Plan | None:
        """The plan before; None at the beginning."""
        return self.exact.last

    @property
    def priors_refused(self) -> int:
        """Priors that could not be used."""
        return self.quick.priors_refused

    @property
    def weights(self) -> Weights:
        """Weights of the cost terms, the same in both."""
        return self.exact.weights

    @weights.setter
    def weights(self, weights: Weights) -> None:
        self.quick.weights = self.exact.weights = weights

    def reset(self) -> None:
        """Forget the plans before."""
        self.quick.reset()
        self.exact.reset()

    def warm_up(self, problem: Problem, rounds: int = 3) -> None:
        """Warm both up, as `Planner.warm_up`."""
        self.quick.warm_up(problem, rounds)
        self.exact.warm_up(problem, rounds)

    def plan(
        self,
        problem: Problem,
        stamp: float,
        deadline_seconds: float | None = None,
        priors: Sequence[Knots] = (),
        nn_seconds: float = 0.0,
    ) -> Plan:
        """Return the exact planner's plan, as `Planner.plan`; the priors go to the quick one.

        Raises:
            PlanFault: if neither has a plan; without one of the exact planner the quick one's is returned.
        """
        begin = self._clock()
        centre = self.quick.plan(problem, stamp, deadline_seconds, priors, nn_seconds)
        left = None if deadline_seconds is None else deadline_seconds - (self._clock() - begin)
        try:
            plan = self.exact.plan(problem, stamp, left, [centre.knots])
        except PlanFault:
            return centre
        seconds = PlanSeconds(
            nn_seconds, centre.seconds.cem + plan.seconds.cem, centre.seconds.other + plan.seconds.other
        )
        late = deadline_seconds is not None and not self._clock() - begin <= deadline_seconds
        return replace(plan, seconds=seconds, missed=late or not math.isfinite(plan.cost))
