"""One goal in closed loop, the same for every planner: full robot, our executor, and the cost of what happened."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import mujoco
import numpy as np
from cem_planner.backends.mujoco_rollout import MujocoBackend
from cem_planner.backends.physics import terms
from cem_planner.backends.physics.given import FeedForward, given
from cem_planner.backends.physics.model import rollout_model
from cem_planner.closed_loop import SETTLED, ClosedLoop, Cycle, LoopOptions
from cem_planner.costs import Weights, fallen, rate_scale
from cem_planner.executor import GravityModel
from cem_planner.goal_sampler import GoalSampler
from cem_planner.plan import Plan
from cem_planner.planning import MakesPlans
from cem_planner.problem import Goal, PlanState, Problem
from cem_planner.settings import PlannerSettings
from cem_planner.stance import Stance, StanceError
from go2_piper_description.joints import joint_array

_EARLY = 1.0
"""s."""


@dataclass(frozen=True)
class Outcome:
    """How one episode went."""

    cost: float
    """Mean over the steps of the state's cost, without the terms that only a plan has (rate, terminal)."""
    early_cost: float
    """The same over the first second, in which the robot moves."""
    error_mm: float
    """Settled position error of the end-effector; infinite after a fall."""
    angle_deg: float
    fell: bool
    plans: int
    cpu_ms: float
    """Process CPU time of a plan, median."""
    wall_ms: float
    """Wall time, median; says something only on an idle machine."""


class Timed:
    """A planner that keeps the times of its plans; all else is the planner's."""

    def __init__(self, planner: MakesPlans) -> None:
        self._planner = planner
        self.seconds: list[tuple[float, float]] = []
        """CPU and wall time of each plan, s."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._planner, name)

    def plan(self, problem: Problem, stamp: float, **more: Any) -> Plan:
        """Make a plan of all samples."""
        cpu, wall = time.process_time(), time.perf_counter()
        plan = self._planner.plan(problem, stamp)
        self.seconds.append((time.process_time() - cpu, time.perf_counter() - wall))
        return plan


class StateCost:
    """The planner's cost of single states."""

    def __init__(self, settings: PlannerSettings) -> None:
        self._model = rollout_model(settings)
        self._data = mujoco.MjData(self._model)
        self._feed_forward = FeedForward(GravityModel())
        self._weights = Weights(command_rate=0.0, terminal_ee=0.0).array().astype(np.float64)
        self._scale = rate_scale(settings).astype(np.float64)

    def of(self, cycle: Cycle, goal: Goal, stance: Stance) -> float:
        """Return the cost of the state in which a control step began."""
        command, state = cycle.execution.command, PlanState(*stance.coordinates(cycle.state))
        facts = given(Problem(state, goal, command, np.zeros(12), stance.feet), self._feed_forward)
        data, targets = self._data, cycle.execution.targets
        data.qpos[:], data.qvel[:] = facts.qpos, facts.qvel
        data.ctrl[:] = targets.position + targets.effort / joint_array("kp")
        mujoco.mj_forward(self._model, data)
        values = terms.terms(facts, data.sensordata[None, None], facts.qpos[None, None], facts.qvel[None, None])
        knots = np.tile(command, (1, 1, 1))
        return float(terms.total(facts, values, knots, self._weights, self._scale, np.ones(1, bool))[0])


def run(planner: MakesPlans, seed: int, duration: float, latency: float) -> Outcome:
    """Reach for the goal of a seed: a place and an orientation that the arm can take.

    Args:
        planner: plans from the beginning; its own settings say with how many samples.
        seed: of the goal.
        duration: s of simulated time.
        latency: s of simulated time from a state to its plan's effect.
    """
    settings = PlannerSettings()
    goal = GoalSampler(seed).reachable(1)[0]
    loop = ClosedLoop(settings, MujocoBackend(settings), options=LoopOptions(latency, use_prior=False))
    timed = Timed(planner)
    loop.planner = timed  # type: ignore[assignment]
    judge, costs, late, fell = StateCost(settings), [], [], False
    for cycle in loop.cycles(goal, duration):
        assert loop.stance is not None
        try:
            costs.append(judge.of(cycle, goal, loop.stance))
        except StanceError:  # it lies on its side
            fell = True
            break
        x, y, _, _ = cycle.state.orientation
        assert cycle.state.base is not None
        fell = fell or bool(fallen(cycle.state.base.position[2], 1.0 - 2.0 * (x * x + y * y)))
        if cycle.time >= duration - SETTLED - 1e-9:
            late.append((cycle.position_error, np.degrees(cycle.orientation_error)))
    steps, early = round(duration / settings.period), round(_EARLY / settings.period)
    costs += [Weights().fall] * (steps - len(costs))  # the least that lying costs
    position, angle = (np.inf, np.inf) if fell else np.mean(late, axis=0)
    cpu, wall = 1e3 * np.median(timed.seconds, axis=0)
    return Outcome(
        cost=float(np.mean(costs)), early_cost=float(np.mean(costs[:early])), error_mm=1e3 * float(position),
        angle_deg=float(angle), fell=fell, plans=len(timed.seconds), cpu_ms=float(cpu), wall_ms=float(wall),
    )  # fmt: skip
