"""Where plans are made: inside the control step (deterministic), or in a thread beside it (never late for the robot).

There are two searches over the same backend: `BODY` moves trunk and arm, `ARM` leaves the trunk at its nominal pose,
for goals that move with the trunk and for a base that walks.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from .backends import Backend, Knots
from .costs import Weights
from .guide import Guide
from .network import PlanNetwork
from .plan import Plan
from .problem import Problem
from .settings import PlannerSettings
from .statistics import PlanStatistics

BODY, ARM = "body", "arm"
_FROZEN = 1e-6
"""m and rad: what is left to the trunk in `ARM`; settings want something above 0."""


def arm_only(settings: PlannerSettings) -> PlannerSettings:
    """Return the settings of a search that leaves the trunk at its nominal pose."""
    trunk: dict[str, Any] = {
        f"{kind}_{part}": _FROZEN for kind in ("sigma", "floor") for part in ("trunk_position", "trunk_rotation")
    } | {f"box_{part}": _FROZEN for part in ("x", "y", "z_down", "z_up", "tilt", "yaw")}
    return replace(settings, **trunk)


class MakesPlans(Protocol):
    """`Planner`, `CentredPlanner`."""

    weights: Weights

    @property
    def settings(self) -> PlannerSettings:
        """What is searched."""

    @property
    def backend(self) -> Backend:
        """What turns samples into costs."""

    def plan(
        self,
        problem: Problem,
        stamp: float,
        deadline_seconds: float | None = None,
        priors: Sequence[Knots] = (),
        nn_seconds: float = 0.0,
    ) -> Plan:
        """Return a plan, as `Planner.plan`."""

    def reset(self) -> None:
        """Forget the plan before."""

    def warm_up(self, problem: Problem, rounds: int = 3) -> None:
        """Prepare, as `Planner.warm_up`."""


@dataclass(frozen=True)
class Job:
    """One plan to be made."""

    kind: str
    """BODY or ARM."""
    problem: Problem
    stamp: float
    """When the plan begins, s on the clock of the states."""
    priors: tuple[Knots, ...] = ()
    """Of other sources than inverse kinematics, each of shape (K, 12)."""
    nn_seconds: float = 0.0
    """What they took."""
    run: int = 0
    """Number of the run that it belongs to; a new number makes the planners forget what was before."""


@dataclass(frozen=True)
class Made:
    """A plan and what it was made for."""

    plan: Plan
    job: Job


class Planning(Protocol):
    """What the controller needs."""

    @property
    def newest(self) -> Made | None:
        """The latest plan; None before the first."""

    def submit(self, job: Job) -> None:
        """Ask for a plan; of those that wait only the latest is made."""

    def diagnostics(self) -> dict[str, str]:
        """Return statistics of the plans, keys and texts."""

    def warning(self, after: int) -> str | None:
        """Return, in one line, that the frequency is out of reach; None where all is well or plans are fewer."""

    def close(self) -> None:
        """End what runs."""


class _Workshop:
    """The planners and their statistics."""

    def __init__(
        self,
        planners: Mapping[str, MakesPlans],
        deadline: float | None,
        kinematics: Mapping[str, Guide],
        network: PlanNetwork | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._planners, self._kinematics = dict(planners), dict(kinematics)
        self._deadline, self._network = deadline, network
        self._clock = clock
        self._run = 0
        self.statistics = PlanStatistics(self._planners[BODY].settings.frequency)
        self.last_fault = "none"

    def make(self, job: Job) -> Made | None:
        """Make a plan without raising; None where there is none."""
        if job.run != self._run:
            self._run = job.run
            parts: list[MakesPlans | Guide] = [*self._planners.values(), *self._kinematics.values()]
            for part in parts:
                part.reset()
        planner, kinematics = self._planners[job.kind], self._kinematics.get(job.kind)
        begin, problem, priors = self._clock(), job.problem, job.priors
        try:
            if kinematics is not None and job.problem.fault() is None:
                problem, prior = kinematics.prepare(problem)
                priors = (prior, *priors)
            if self._network is not None and job.kind == BODY and problem.fault() is None:
                priors = (*priors, self._network.knots(problem))
            spent = self._clock() - begin
            left = None if self._deadline is None else self._deadline - spent
            return Made(planner.plan(problem, job.stamp, left, priors, job.nn_seconds + spent), job)
        except (RuntimeError, ValueError) as fault:  # PlanFault, BackendError, and what a runtime may raise
            self.last_fault = str(fault)
            return None

    def count(self, made: Made | None) -> None:
        """Add a plan, or that there is none, to the statistics."""
        if made is None:
            self.statistics.add_fault()
        else:
            self.statistics.add(made.plan, self._clock())

    def diagnostics(self) -> dict[str, str]:
        return {**dict(self.statistics.diagnostics()), "last_plan_fault": self.last_fault}

    def warning(self, after: int) -> str | None:
        return self.statistics.warning() if self.statistics.plans >= after else None


class InlinePlanning:
    """Makes each plan within `submit`."""

    def __init__(
        self,
        planners: Mapping[str, MakesPlans],
        deadline: float | None = None,
        kinematics: Mapping[str, Guide] | None = None,
        network: PlanNetwork | None = None,
    ) -> None:
        """Take the planners.

        Args:
            planners: for BODY and ARM.
            deadline: s for one plan; None takes all samples, whatever the time: deterministic.
            kinematics: guides by inverse kinematics, for BODY and ARM; None plans without.
            network: that proposes plans of the body; None plans without.
        """
        self._workshop = _Workshop(planners, deadline, kinematics or {}, network)
        self._newest: Made | None = None

    @property
    def newest(self) -> Made | None:
        """The latest plan; None before the first of a run."""
        return self._newest

    @property
    def statistics(self) -> PlanStatistics:
        """Of all plans so far."""
        return self._workshop.statistics

    def submit(self, job: Job) -> None:
        """Make a plan."""
        if self._newest is not None and self._newest.job.run != job.run:
            self._newest = None
        made = self._workshop.make(job)
        self._workshop.count(made)
        self._newest = made or self._newest

    def diagnostics(self) -> dict[str, str]:
        """Return statistics of the plans."""
        return self._workshop.diagnostics()

    def warning(self, after: int) -> str | None:
        """Return that the frequency is out of reach, as `Planning`."""
        return self._workshop.warning(after)

    def close(self) -> None:
        """Nothing runs."""


class ThreadPlanning:
    """Makes plans in a thread; a backend that hangs makes plans old, not commands late."""

    def __init__(
        self,
        planners: Mapping[str, MakesPlans],
        deadline: float | None = None,
        kinematics: Mapping[str, Guide] | None = None,
        network: PlanNetwork | None = None,
    ) -> None:
        """Start the thread; arguments as those of `InlinePlanning`."""
        self._workshop = _Workshop(planners, deadline, kinematics or {}, network)
        self._change = threading.Condition()
        self._job: Job | None = None
        self._newest: Made | None = None
        self._run = 0
        self._closed = False
        self._thread = threading.Thread(target=self._work, name="planner", daemon=True)
        self._thread.start()

    @property
    def newest(self) -> Made | None:
        """The latest plan of this run; None before the first."""
        with self._change:
            return self._newest

    def submit(self, job: Job) -> None:
        """Hand a problem to the thread."""
        with self._change:
            if job.run != self._run:
                self._run, self._newest = job.run, None
            self._job = job
            self._change.notify()

    def diagnostics(self) -> dict[str, str]:
        """Return statistics of the plans."""
        with self._change:
            return self._workshop.diagnostics()

    def warning(self, after: int) -> str | None:
        """Return that the frequency is out of reach, as `Planning`."""
        with self._change:
            return self._workshop.warning(after)

    def close(self) -> None:
        """Let the thread end after its present plan; one that hangs ends with the process."""
        with self._change:
            self._closed = True
            self._change.notify()
        self._thread.join(timeout=1.0)

    def _work(self) -> None:
        while True:
            with self._change:
                self._change.wait_for(lambda: self._closed or self._job is not None)
                if self._closed:
                    return
                job, self._job = self._job, None
            assert job is not None
            made = self._workshop.make(job)
            with self._change:
                self._workshop.count(made)
                if made is not None and job.run == self._run:
                    self._newest = made
