"""judo's controller and CEM with the interface of our planners. Only judo's interpreter imports this.

The task that judo sees is ours to the last number: the same compiled model, start, commands and cost terms. What is
judo's own is all the rest: warm start, sampling, threads, rollouts, elites, update.
"""

from __future__ import annotations

import time
from typing import Any

import mujoco
import numpy as np
from cem_planner import splines
from cem_planner.backends import Backend, padded
from cem_planner.backends.physics import control, terms
from cem_planner.backends.physics.given import FeedForward, Given, given
from cem_planner.backends.physics.model import PhysicsOptions, rollout_model
from cem_planner.cem import knot_box
from cem_planner.coordinates import NUM_COORDINATES
from cem_planner.costs import Weights, rate_scale
from cem_planner.executor import GravityModel
from cem_planner.plan import Plan, PlanSeconds
from cem_planner.problem import Problem
from cem_planner.settings import PlannerSettings
from judo.controller import Controller, ControllerConfig
from judo.controller.controller import make_spline
from judo.optimizers import CrossEntropyMethod, CrossEntropyMethodConfig
from judo.tasks import Task, TaskConfig
from numpy.typing import NDArray

Array = NDArray[np.float64]


class StandingTask(Task[TaskConfig]):
    """The standing robot. Controls are the plan's coordinates over our first sigma, since judo has one sigma for all.

    judo's constructor is not called: it loads a file, and meshes from the network.
    """

    config_t = TaskConfig

    def __init__(self, settings: PlannerSettings, weights: Weights, sigma: Array) -> None:
        options = PhysicsOptions()
        self.config = TaskConfig()
        self.model = self.sim_model = rollout_model(settings, options)
        self.data = mujoco.MjData(self.model)
        self._sigma, self._weights = sigma, weights.array().astype(np.float64)
        self._box = np.stack(knot_box(settings), axis=1).astype(np.float64) / sigma[:, None]
        self._basis = control.control_basis(settings, options)
        self._scale = rate_scale(settings).astype(np.float64)
        times = self.model.opt.timestep * np.arange(round(settings.plan_horizon / self.model.opt.timestep))
        # judo hands over the spline, our commands are made of its knots
        self._to_knots = np.linalg.pinv(
            splines.basis(times, settings.plan_horizon, settings.num_knots, settings.spline)
        )
        self._substeps, self._steps = options.substeps, settings.num_steps
        self._feed_forward = FeedForward(GravityModel())
        self.facts: Given | None = None
        self.begin = np.zeros(NUM_COORDINATES)

    @property
    def nu(self) -> int:
        """Twelve coordinates, not the model's 18 actuators."""
        return NUM_COORDINATES

    @property
    def actuator_ctrlrange(self) -> Array:
        """Where knots may lie, shape (12, 2)."""
        return self._box

    def pose(self, problem: Problem) -> Array:
        """Take a problem and return the start of its rollouts, qpos and qvel, shape (49,)."""
        self.facts = given(problem, self._feed_forward)
        return np.concatenate([self.facts.qpos, self.facts.qvel])

    def reset(self) -> None:
        """Nothing: states come from outside."""

    def optimizer_warm_start(self) -> Array:
        """Return the command in force at the beginning."""
        return self.begin / self._sigma

    def task_to_sim_ctrl(self, controls: Array) -> Array:
        """Return the actuators' targets: as our backend makes them, from the same knots."""
        assert self.facts is not None
        return control.controls(self.facts, self._knots(controls), self._basis)

    def reward(
        self, states: Array, sensors: Array, controls: Array, system_metadata: dict[str, Any] | None = None
    ) -> Array:
        """Return minus our cost."""
        assert self.facts is not None
        intact = np.any(states[:, -1] != states[:, -2], axis=-1)  # MuJoCo repeats the last state where it gave up
        every, nq = self._substeps, self.model.nq
        seen, measured = states[:, every - 1 :: every][:, : self._steps], sensors[:, every::every]
        values = terms.terms(self.facts, measured, seen[..., :nq], seen[..., nq:])
        return -terms.total(self.facts, values, self._knots(controls), self._weights, self._scale, intact)

    def _knots(self, controls: Array) -> Array:
        return np.asarray((self._to_knots @ controls) * self._sigma)


class JudoRollouts:
    """judo's rollouts of given knots, as a backend: they must cost what ours do."""

    name, rung, startup_seconds = "judo", "c", 0.0

    def __init__(self, controller: Controller, task: StandingTask, sigma: Array) -> None:
        self.chunk = controller.optimizer.config.num_rollouts
        self._controller, self._task, self._sigma = controller, task, sigma

    def rollout(
        self, problem: Problem, knots: NDArray[np.floating], weights: NDArray[np.float32]
    ) -> NDArray[np.floating]:
        """Return the cost of each sample, as `Backend.rollout`; with the task's own weights."""
        controller, task = self._controller, self._task
        start, full = task.pose(problem), padded(np.asarray(knots, np.float64) / self._sigma, self.chunk)
        spline = make_spline(controller.spline_timesteps, full, controller.spline_order)
        controls = spline(controller.rollout_times)
        states, sensors, _ = controller.rollout_backend.rollout(start, task.task_to_sim_ctrl(controls))
        return -task.reward(states, sensors, controls)[: len(knots)]


class JudoPlanner:
    """Plans as our planners do; see `cem_planner.planning.MakesPlans`."""

    def __init__(self, settings: PlannerSettings, sigma: Array, least_sigma: float, elites: int, seed: int) -> None:
        """Make judo's controller.

        Args:
            settings: samples, horizon, knots, spline.
            sigma: the first of each coordinate, m and rad, shape (12,).
            least_sigma: judo's `sigma_min`, times sigma; its `sigma_max` is 1.
            elites: of a plan.
            seed: of NumPy's global noise, which judo draws from.
        """
        self.settings, self.weights = settings, Weights()
        self.task = StandingTask(settings, self.weights, sigma)
        config = CrossEntropyMethodConfig(
            num_rollouts=settings.num_samples, num_nodes=settings.num_knots, sigma_min=least_sigma, sigma_max=1.0,
            num_elites=elites,
        )  # fmt: skip
        controls = ControllerConfig(
            horizon=settings.plan_horizon, spline_order=settings.spline, control_freq=settings.frequency
        )
        self.controller = Controller(controls, self.task, CrossEntropyMethod(config, NUM_COORDINATES))
        self.backend: Backend = JudoRollouts(self.controller, self.task, sigma)
        self._sigma, self._seed = sigma, seed
        self._fresh = True

    def reset(self) -> None:
        """Forget the plan before."""
        self._fresh = True

    def warm_up(self, problem: Problem, rounds: int = 3) -> None:
        """Nothing compiles."""

    def plan(
        self,
        problem: Problem,
        stamp: float,
        deadline_seconds: float | None = None,
        priors: Any = (),
        nn_seconds: float = 0.0,
    ) -> Plan:
        """Return a plan of all samples; judo knows no deadline and no priors."""
        begin = time.perf_counter()
        controller, settings = self.controller, self.settings
        controller.current_state, controller.time = self.task.pose(problem), stamp
        if self._fresh:
            self._fresh, self.task.begin = False, problem.previous_command
            controller.optimizer.sigma = np.ones_like(controller.optimizer.sigma)
            controller.reset()
            np.random.seed(self._seed)
        controller.update_action()
        knots = controller.nominal_knots * self._sigma
        best = controller.candidate_knots[np.argmax(controller.rewards)] * self._sigma
        return Plan(
            knots=knots, horizon=settings.plan_horizon, kind=settings.spline, stamp=stamp,
            cost=-float(np.max(controller.rewards)), samples_used=settings.num_samples, iterations_used=1,
            backend="judo", rung="c", seconds=PlanSeconds(cem=time.perf_counter() - begin), best=best, mean=knots,
        )  # fmt: skip
