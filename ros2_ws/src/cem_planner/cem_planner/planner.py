"""The anytime planner: warm start, sampling in chunks up to a deadline, the best so far returned."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Sequence

import numpy as np

from . import splines
from .backends import MOST_PRIORS, Backend, Iterated, Iterates, Iteration, Knots, KnowsGoalError, chunks
from .cem import CemUpdate, NoisePool, Numbers, initial_sigma, layout, propose, ranges, sigma_floor, update
from .coordinates import NUM_COORDINATES
from .costs import Weights
from .plan import Plan, PlanFault, PlanSeconds
from .problem import Problem
from .settings import PlannerSettings

Clock = Callable[[], float]


class DurationEstimate:
    """What a repeated piece of work will take: the 95th percentile of the latest times, or their average if larger."""

    WINDOW = 64
    _AVERAGE_SHARE = 0.2

    def __init__(self) -> None:
        self._latest: deque[float] = deque(maxlen=self.WINDOW)
        self._average = 0.0
        self._estimate: float | None = None

    def add(self, seconds: float) -> None:
        """Add a measured duration, s."""
        self._average += (seconds - self._average) * (self._AVERAGE_SHARE if self._latest else 1.0)
        self._latest.append(seconds)
        self._estimate = None

    def seconds(self) -> float | None:
        """Return the estimate, s; None before the first measurement."""
        if self._estimate is None and self._latest:
            ranked = sorted(self._latest)
            self._estimate = max(ranked[math.ceil(0.95 * len(ranked)) - 1], self._average)
        return self._estimate

    def clear(self) -> None:
        """Forget all measurements."""
        self._latest.clear()
        self._estimate = None


class Planner:
    """Plans at a fixed rate, each plan starting from the one before. One thread; deterministic for a seed and a clock.

    Each iteration samples around the mean. The candidates are always among the samples, and the first of them: the
    mean of the plan before and its best sample, both shifted in time, the command in force, and the priors.
    """

    def __init__(
        self,
        settings: PlannerSettings,
        backend: Backend,
        weights: Weights | None = None,
        clock: Clock = time.perf_counter,
    ) -> None:
        """Prepare to plan; nothing is computed yet.

        Args:
            settings: what to search.
            backend: what turns samples into costs.
            weights: of the cost terms; None takes the defaults. May be replaced between plans.
            clock: s, for deadlines and statistics.
        """
        self.settings = settings
        self.backend = backend
        self.weights = weights or Weights()
        self.priors_refused = 0
        """Priors of a wrong shape or with a number that is not finite; the plan then did without."""
        self._clock = clock
        self._knows_error = backend if isinstance(backend, KnowsGoalError) else None
        self._iterates = backend if isinstance(backend, Iterates) and backend.chunk >= settings.num_samples else None
        self._ranges = ranges(settings)
        self._lower, self._upper = self._ranges.lower, self._ranges.upper
        self._sigma0 = initial_sigma(settings)
        self._chunk_time, self._update_time = DurationEstimate(), DurationEstimate()
        self.reset()

    # --- what the next plan starts from --------------------------------------------------------------------------

    @property
    def last(self) -> Plan | None:
        """The plan before; None at the beginning. A fault leaves it as it is."""
        return self._last

    @property
    def weights(self) -> Weights:
        """Weights of the cost terms."""
        return self._weights

    @weights.setter
    def weights(self, weights: Weights) -> None:
        self._weights = weights
        self._weight_array = weights.array()

    def reset(self) -> None:
        """Forget the plan before, and begin the noise anew. Measured times stay."""
        self._last: Plan | None = None
        self._sigma: Numbers = self._sigma0
        self._error: float | None = None
        self._noise = NoisePool(self.settings)

    def warm_up(self, problem: Problem, rounds: int = 3) -> None:
        """Plan some times without a deadline, to compile and to measure, and forget it all but the measured times.

        Args:
            problem: any that is finite.
            rounds: of planning; the times of the first are not kept, since it may compile.

        Raises:
            PlanFault: if the backend cannot plan.
        """
        for turn in range(rounds):
            self.plan(problem, stamp=turn * self.settings.period)
            if turn == 0:
                self._chunk_time.clear()
                self._update_time.clear()
        self.reset()

    # --- planning ------------------------------------------------------------------------------------------------

    def plan(
        self,
        problem: Problem,
        stamp: float,
        deadline_seconds: float | None = None,
        priors: Sequence[Knots] = (),
        nn_seconds: float = 0.0,
    ) -> Plan:
        """Return the best plan that time allows; one chunk of samples is always evaluated.

        Args:
            problem: the state at `stamp`, the goal and the rest.
            stamp: time at which the plan begins, s: that of the state, after prediction.
            deadline_seconds: from now on. No chunk is begun that is expected to end later. None: all samples.
            priors: knots that other sources propose, such as the policy, m and rad, each of shape (K, 12); at most
                MOST_PRIORS. One that cannot be used is left out and counted.
            nn_seconds: what making the priors took, s; only handed on to the plan's timing.

        Raises:
            PlanFault: if the problem is not finite or no sample has a finite cost. The plan before is kept.
        """
        begin = self._clock()
        until = math.inf if deadline_seconds is None else begin + deadline_seconds
        self._check(problem, stamp)
        usable = self._usable(priors)
        mean, best, sigma = self._warm_start(problem, stamp)
        sampling = self._clock()
        search = self._search(problem, until, mean, best, sigma, usable)
        end = self._clock()
        cem, total = end - sampling, end - begin
        new = search.result
        knots = new.best_knots if self.settings.returned == "best" else new.mean
        plan = Plan(
            knots=knots,
            horizon=self.settings.plan_horizon,
            kind=self.settings.spline,
            stamp=stamp,
            cost=new.best_cost,
            samples_used=search.samples,
            iterations_used=search.iterations,
            backend=self.backend.name,
            rung=self.backend.rung,
            seconds=PlanSeconds(nn_seconds, cem, total - cem),
            best=new.best_knots,
            mean=new.mean,
            sigma=new.sigma,
            missed=not end <= until,
        )
        self._last = plan
        self._sigma = new.sigma
        return plan

    def _check(self, problem: Problem, stamp: float) -> None:
        fault = problem.fault()
        if fault is None and not math.isfinite(stamp):
            fault = "stamp is not finite"
        if fault is not None:
            raise PlanFault(f"plan: {fault}")

    def _usable(self, priors: Sequence[Knots]) -> list[Numbers]:
        shape = (self.settings.num_knots, NUM_COORDINATES)
        good = [prior for prior in priors if np.shape(prior) == shape and np.isfinite(prior).all()][:MOST_PRIORS]
        self.priors_refused += len(priors) - len(good)
        return [self._inside(prior) for prior in good]

    def _warm_start(self, problem: Problem, stamp: float) -> tuple[Numbers, Numbers | None, Numbers]:
        """Return mean, best sample of the plan before and sigma, as the spline's beginning moves to the stamp.

        Without a plan before, or where time went back or on by more than a horizon, the mean is the command in force.
        """
        last = self._last
        elapsed = 0.0 if last is None else stamp - last.stamp
        if last is None or not 0.0 <= elapsed <= self.settings.plan_horizon:
            return self._held(problem), None, self._sigma0
        both = np.stack([last.mean, last.best])
        moved = splines.shift(both, elapsed, self.settings.plan_horizon, self.settings.spline)
        mean, best = self._inside(moved)
        return mean, best, self._sigma

    def _held(self, problem: Problem) -> Numbers:
        """Return the knots that hold the command in force."""
        return np.broadcast_to(self._inside(problem.previous_command), self._sigma0.shape)

    def _inside(self, knots: Knots) -> Numbers:
        """Return knots moved into the box, float32."""
        return np.minimum(np.maximum(knots, self._lower), self._upper).astype(np.float32)

    def _search(
        self,
        problem: Problem,
        until: float,
        mean: Numbers,
        best: Numbers | None,
        sigma: Numbers,
        priors: Sequence[Numbers],
    ) -> _Search:
        """Iterate until all is done or time is short; raises PlanFault where nothing has a finite cost."""
        held = self._held(problem)
        candidates = [mean, held, *priors] if best is None else [mean, best, held, *priors]
        around = candidates
        result, samples, iterations = CemUpdate(mean, sigma, mean, math.inf, np.zeros(0, np.intp)), 0, 0
        for turn in range(self.settings.iterations):
            if turn > 0 and not self._time_for_chunk(until):
                break
            start = self._start(around, len(candidates), len(priors), result.sigma)
            found, evaluated = self._iterate(problem, start, until)
            new, self._error = found.update, found.goal_error
            samples += evaluated
            whole = len(new.elites) == self.settings.num_elites
            if turn == 0 or whole:
                result = new  # no worse: the best so far is among its candidates
                iterations += len(new.elites) > 0
            elif new.best_cost < result.best_cost:  # too few samples to move a mean that is made of more
                result = CemUpdate(result.mean, result.sigma, new.best_knots, new.best_cost, result.elites)
            candidates = [result.mean, result.best_knots]
            around = [*candidates, *priors]
        if not math.isfinite(result.best_cost):
            raise PlanFault(
                f"plan: none of {samples} samples has a finite cost (backend {self.backend.name}, {self.backend.rung})"
            )
        return _Search(result, samples, iterations)

    def _start(self, centres: Sequence[Numbers], candidates: int, priors: int, sigma: Numbers) -> Iteration:
        """Return what an iteration starts from; the priors are the last of the centres."""
        settings, count = self.settings, len(centres)
        around = tuple(range(count - priors, count))
        made_of = layout(settings.num_samples, candidates, around, settings.prior_share, settings.prior_spread)
        return Iteration(np.stack(centres), made_of, sigma, *self._noise.draw(), self._error, self._ranges)

    def _iterate(self, problem: Problem, start: Iteration, until: float) -> tuple[Iterated, int]:
        """Return what one iteration came to, and how many samples it has evaluated."""
        if self._iterates is None:
            return self._iterate_in_chunks(problem, start, until)
        begin = self._clock()
        found = self._iterates.iterate(problem, self._weight_array, start)
        self._chunk_time.add(self._clock() - begin)
        return found, self.settings.num_samples

    def _iterate_in_chunks(self, problem: Problem, start: Iteration, until: float) -> tuple[Iterated, int]:
        """Evaluate the first chunk in any case and others as long as there is time, then update."""
        mean, error = start.centres[0], start.goal_error
        if self._knows_error is not None:
            error = self._knows_error.goal_error(problem, mean)
        floor = sigma_floor(self.settings, error)
        sigma = np.minimum(np.maximum(start.sigma, floor), self._sigma0)
        knots = propose(start.centres, sigma * start.signs, start.noise, start.made_of, self._lower, self._upper)
        costs = self._evaluate(problem, knots, until)
        begin = self._clock()
        new = update(knots[: len(costs)], costs, mean, sigma, self.settings, floor)
        self._update_time.add(self._clock() - begin)
        return Iterated(new, math.inf if error is None else error), len(costs)

    def _evaluate(self, problem: Problem, knots: Numbers, until: float) -> Numbers:
        """Return the costs of the first chunks: of the first one always, then as long as there is time."""
        found: list[Numbers] = []
        for part in chunks(len(knots), self.backend.chunk):
            if found and not self._time_for_chunk(until):
                break
            started = self._clock()
            costs = np.asarray(self.backend.rollout(problem, knots[part], self._weight_array))
            self._chunk_time.add(self._clock() - started)
            if costs.shape != (part.stop - part.start,):
                raise PlanFault(
                    f"plan: backend {self.backend.name} returned costs of shape {costs.shape} "
                    f"for {part.stop - part.start} samples"
                )
            found.append(costs)
        return np.concatenate(found)

    def _time_for_chunk(self, until: float) -> bool:
        """Return whether another chunk, and the update after it, are expected to end in time."""
        if until == math.inf:
            return True
        ahead = (self._chunk_time.seconds() or 0.0) + (self._update_time.seconds() or 0.0)
        return self._clock() + ahead <= until


class _Search:
    """What the iterations of one plan came to."""

    def __init__(self, result: CemUpdate, samples: int, iterations: int) -> None:
        self.result = result
        self.samples = samples
        self.iterations = iterations
