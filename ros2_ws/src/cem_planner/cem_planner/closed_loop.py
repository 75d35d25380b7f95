"""The planner and its executor on the simulated robot, without ROS, with the plan's latency applied.

Simulated time is all that counts, so that a run is the same on every machine: a plan that starts at t takes effect at
t + latency, however long it took to compute. `python -m cem_planner.closed_loop` makes the trials of
`trials.py`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from robot_bridge.types import RobotState

from .backends import Backend, Knots
from .coordinates import NUM_COORDINATES
from .costs import FALL_HEIGHT, FALL_UP, Weights
from .executor import Execution, Executor, ExecutorSettings
from .guide import Guide
from .handover import Smoother
from .lag import LagParameters
from .network import PlanNetwork
from .observer import ObserverState, observe
from .plan import Plan
from .planner import Planner
from .planning import MakesPlans
from .prediction import CommandHistory, predict
from .problem import Goal, PlanState, Problem
from .settings import PlannerSettings
from .stance import Stance, StanceError
from .standing_plant import Push, StandingPlant, World

Array = NDArray[np.float64]

_EPSILON = 1e-9


@dataclass(frozen=True)
class Cycle:
    """What happened in one control period."""

    time: float
    """s since the episode's beginning."""
    plan: Plan | None
    """The one in force."""
    execution: Execution
    state: RobotState
    position_error: float
    """m, of `ee_link`."""
    orientation_error: float
    """rad."""


@dataclass(frozen=True)
class Episode:
    """How it went with one goal."""

    position_error: float
    """m, mean over the last `SETTLED` seconds."""
    orientation_error: float
    """rad, the same."""
    largest_tilt: float
    """rad."""
    fell: bool
    peak_error: float
    """m, largest position error after the push; 0 without one."""
    recovery: float
    """s after the push's end until the position error stayed within 2 cm of what it was before; 0 without one, the
    rest of the episode where it did not."""
    slip: float
    """m, the most that a foot went from its place."""
    plans: int
    samples: float
    """Per plan, mean."""
    plan_cpu_ms: float
    """Process CPU time of a plan, mean."""
    times: list[float] = field(default_factory=list, repr=False)
    """s of each cycle."""
    errors: list[float] = field(default_factory=list, repr=False)
    """m of each cycle."""


SETTLED = 0.5
"""s at an episode's end over which errors are averaged."""


@dataclass(frozen=True)
class LoopOptions:
    """How the loop runs."""

    latency: float = 0.005
    """s from the state to the plan's effect, in simulated time; rounded up to physics steps."""
    observe: bool = True
    """Estimate offsets (payload, weak gains)."""
    use_prior: bool = True
    """Offer inverse kinematics as a candidate, and as the way to another branch of the arm."""


class ClosedLoop:
    """One planner on one simulated robot. Deterministic."""

    def __init__(
        self,
        settings: PlannerSettings,
        backend: Backend,
        weights: Weights | None = None,
        world: World | None = None,
        options: LoopOptions | None = None,
        executor: ExecutorSettings | None = None,
        lag: LagParameters | None = None,
        network: PlanNetwork | None = None,
    ) -> None:
        self.settings, self.options = settings, options or LoopOptions()
        self.plant = StandingPlant(world)
        self.planner: MakesPlans = Planner(settings, backend, weights)
        self.executor = Executor(executor)
        self._smoother = Smoother()
        self.lag = lag or LagParameters()
        self._guide, self._network = Guide(settings, weights), network
        self.stance: Stance | None = None

    def run(self, goal: Goal, duration: float = 4.0, push: Push | None = None) -> Episode:
        """Stand up, plan towards a goal for `duration` s and return how it went.

        Args:
            goal: in the stance frame.
            duration: s.
            push: on the trunk.
        """
        record = _Record(push)
        for cycle in self.cycles(goal, duration, push):
            record.add(cycle, self._slip())
        return record.episode(duration, self._plan_seconds, self._samples)

    def cycles(self, goal: Goal, duration: float, push: Push | None = None) -> Iterator[Cycle]:
        """Run an episode and yield after each control step; ends early when the robot has fallen."""
        self.begin(push)
        period, latency = self.settings.period, self.options.latency
        plan: Plan | None = None
        pending: tuple[float, Plan] | None = None
        next_plan, next_step = 0.0, latency % period
        while self.plant.time < duration - _EPSILON:
            now = self.plant.time
            if now >= next_plan - _EPSILON and pending is None:
                pending = (now + latency, self.plan(goal))
                next_plan += period * max(1, np.ceil((latency - _EPSILON) / period))
            if pending is not None and pending[0] <= now + _EPSILON:
                plan, pending = pending[1], None
            if now >= next_step - _EPSILON:
                next_step += period
                try:
                    yield self._execute(plan, goal)
                except StanceError:  # it lies on its side; the record keeps what the last cycle saw
                    yield self._fallen(plan, goal)
                    return
            self.plant.step()

    def begin(self, push: Push | None = None) -> None:
        """Put the robot on its feet and let the executor take over."""
        self.plant.start()
        self.plant.schedule(push)
        state = self._state()
        self.stance = Stance.from_state(state)
        self.executor.start(self.stance, state)
        self._smoother.begin(self.plant.stand_targets.position)
        self._smoother.change()
        self.planner.reset()
        self._guide.reset()
        self._history = CommandHistory()
        self._history.append(state.stamp, self.executor.command)
        self._observer = ObserverState.start(self.stance.coordinates(state)[0])
        self._plan_seconds: list[float] = []
        self._samples: list[int] = []
        self._tick = 0.0
        self._last: Execution | None = None

    def plan(self, goal: Goal) -> Plan:
        """Plan from the state now; the plan begins `latency` later."""
        stance, state = self._required_stance(), self._state()
        measured = PlanState(*stance.coordinates(state))
        offset = self._observer.offset if self.options.observe else np.zeros(NUM_COORDINATES)
        begin = time.process_time()
        stamp = state.stamp + self.options.latency
        predicted = predict(measured, state.stamp, stamp, self._history, self.lag, offset)
        problem = Problem(predicted, goal, self.executor.command, offset, stance.feet)
        priors: list[Knots] = []
        if self.options.use_prior:
            problem, prior = self._guide.prepare(problem)
            priors.append(prior)
        if self._network is not None:
            priors.append(self._network.knots(problem))
        plan = self.planner.plan(problem, stamp, priors=priors)
        self._plan_seconds.append(time.process_time() - begin)
        self._samples.append(plan.samples_used)
        return plan

    def _execute(self, plan: Plan | None, goal: Goal) -> Cycle:
        stance, state, now = self._required_stance(), self._state(), self.plant.time
        measured = PlanState(*stance.coordinates(state))
        period = self.settings.period
        if self._last is not None and self.options.observe:
            self._observer = observe(self._observer, measured, self._last.command, period, self.lag)
        target = self.executor.command if plan is None else plan.sample(now)
        execution = self.executor.step(target, state, period)
        self._last = execution
        self._history.append(now, execution.command)
        position, effort = self._smoother.send(execution.targets.position, execution.targets.effort, period)
        self.plant.write(replace(execution.targets, position=position, effort=effort))
        return self._cycle(plan, execution, state, goal)

    def _cycle(self, plan: Plan | None, execution: Execution, state: RobotState, goal: Goal) -> Cycle:
        position, rotation = self._required_stance().from_odom(*self.plant.ee_pose())
        turned = (np.trace(rotation.T @ goal.rotation) - 1.0) / 2.0
        return Cycle(
            time=self.plant.time,
            plan=plan,
            execution=execution,
            state=state,
            position_error=float(np.linalg.norm(position - goal.position)),
            orientation_error=float(np.arccos(np.clip(turned, -1.0, 1.0))),
        )

    def _fallen(self, plan: Plan | None, goal: Goal) -> Cycle:
        if self._last is None:
            raise StanceError("closed loop: the robot did not stand in the first place")
        return self._cycle(plan, self._last, self._state(), goal)

    def _state(self) -> RobotState:
        state = self.plant.read()
        if state is None:
            raise StanceError("closed loop: the robot has not been started")
        return state

    def _required_stance(self) -> Stance:
        if self.stance is None:
            raise StanceError("closed loop: begin an episode first")
        return self.stance

    def _slip(self) -> float:
        stance = self._required_stance()
        moved = (self.plant.feet() - stance.origin) @ stance.rotation - stance.feet
        return float(np.max(np.linalg.norm(moved[:, :2], axis=1)))


class _Record:
    """Collects an episode."""

    def __init__(self, push: Push | None) -> None:
        self._push = push
        self._times: list[float] = []
        self._position: list[float] = []
        self._orientation: list[float] = []
        self._tilt, self._slip, self._fell = 0.0, 0.0, False

    def add(self, cycle: Cycle, slip: float) -> None:
        self._times.append(cycle.time)
        self._position.append(cycle.position_error)
        self._orientation.append(cycle.orientation_error)
        x, y, _, _ = cycle.state.orientation
        up = 1.0 - 2.0 * (x * x + y * y)
        self._tilt = max(self._tilt, float(np.arccos(np.clip(up, -1.0, 1.0))))
        self._slip = max(self._slip, slip)
        base = cycle.state.base
        self._fell |= bool(up < FALL_UP or (base is not None and base.position[2] < FALL_HEIGHT))

    def episode(self, duration: float, seconds: Sequence[float], samples: Sequence[int]) -> Episode:
        times, errors = np.array(self._times), np.array(self._position)
        late = times >= min(duration, times[-1] + _EPSILON) - SETTLED - _EPSILON
        peak, recovery = self._recovery(times, errors)
        return Episode(
            position_error=float(errors[late].mean()),
            orientation_error=float(np.array(self._orientation)[late].mean()),
            largest_tilt=self._tilt,
            fell=self._fell,
            peak_error=peak,
            recovery=recovery,
            slip=self._slip,
            plans=len(seconds),
            samples=float(np.mean(samples)),
            plan_cpu_ms=1e3 * float(np.mean(seconds)),
            times=self._times,
            errors=self._position,
        )

    def _recovery(self, times: Array, errors: Array) -> tuple[float, float]:
        push = self._push
        if push is None:
            return 0.0, 0.0
        end = push.start + push.duration
        before = errors[(times >= push.start - 0.1) & (times < push.start)]
        after = times >= push.start
        if before.size == 0 or not after.any():
            return 0.0, 0.0
        beyond = after & (errors > before.mean() + 0.02)
        recovery = max(float(times[beyond][-1]) - end, 0.0) if beyond.any() else 0.0
        return float(errors[after].max()), recovery


if __name__ == "__main__":
    from .trials import main

    raise SystemExit(main())
