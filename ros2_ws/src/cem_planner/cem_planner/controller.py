"""The planning controller's core: goals and robot state in, joint targets and torques out. ROS-free.

`cem` is the planner alone, `hybrid` the planner with the policy: see `handover`. Time is that of the states' stamps.
A plan is asked for in every period and executed at once from the newest plan there is, sampled at now; plans may be
made inside the step or beside it (`planning`).
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import numpy as np
from go2_piper_description.joints import ARM_SLICE, LEG_SLICE, NUM_JOINTS, joint_array
from go2_piper_description.links import Mount
from moe_controller.controller import STANDSTILL, ControlOutput, MoeController
from moe_controller.goals import finite_velocity
from moe_controller.policy import PolicyFault
from moe_controller.trajectory import IDENTITY, Pose, PoseTrajectory
from numpy.typing import ArrayLike, NDArray
from robot_bridge.types import BaseState, RobotState
from scipy.spatial.transform import Rotation

from .backends import Knots
from .coordinates import ARM_SLICE_12, NUM_COORDINATES
from .executor import Executor, ExecutorError
from .goal import GoalTracker, Wanted
from .handover import Driver, HandoverInputs, HandoverParams, HandoverState, Rates, Smoother, step
from .lag import LagParameters
from .observer import ObserverState, observe
from .plan import Plan
from .planning import ARM, BODY, Job, Made, Planning
from .prediction import CommandHistory, predict
from .prior import PolicyPrior
from .problem import PlanState, Problem
from .rest import RestParams, at_rest, stance_kept
from .settings import PlannerSettings
from .stance import Stance, StanceError

Array = NDArray[np.float64]

CONTROL_PERIOD = 0.02
"""s; with a policy its contract says it."""
_STAND = joint_array("stand")
_NOMINAL_FEET: Array = np.array([[0.19, 0.14, 0.0], [0.19, -0.14, 0.0], [-0.19, 0.14, 0.0], [-0.19, -0.14, 0.0]])
"""m; of a base that walks, whose feet do not matter to the plan of its arm."""


class ControlFault(RuntimeError):
    """There is no command for this step; one line says why."""


@dataclass(frozen=True)
class ControllerParams:
    """Times and borders of the controller; SI units."""

    max_plan_age: float = 0.2
    """s; a plan from an older state is not executed. [A] two fifths of the horizon."""
    prediction_delay: float = 0.0
    """s from a state to its plan's first command; the plan starts from the state predicted for then."""
    goal_lead: float = 0.1
    """s by which a moving goal is followed ahead of time: the arm's lag. [A]"""
    arm_slew: float = 2.0
    """rad/s of the arm's command while the base walks, as the executor's while it stands."""
    handover: HandoverParams = field(default_factory=HandoverParams)
    rest: RestParams = field(default_factory=RestParams)
    rates: Rates = field(default_factory=Rates)


@dataclass(frozen=True)
class CemOutput:
    """What one control step gives."""

    position: Array
    """Joint position targets, rad, shape (18,)."""
    effort: Array
    """Feed-forward torques, N m, shape (18,)."""
    driver: Driver
    reason: str
    """Why this driver."""
    transfers: int
    """Changes of the driver so far."""
    wanted: Wanted
    plan: Plan | None
    """The plan in force; None where none is fresh."""
    plan_kind: str
    """`planning.BODY` or `ARM`."""
    new_plan: bool
    """Whether it is not that of the step before."""
    stance: Stance | None
    """Planted feet, while the planner drives."""
    policy: ControlOutput | None
    """What the policy said; None without one."""

    @property
    def target(self) -> Pose:
        """Wanted pose of `ee_link` in `base_link`."""
        return self.wanted.in_base

    @property
    def walking(self) -> bool:
        """Whether the base walks."""
        return self.driver is Driver.WALK


class CemController:
    """Follows end-effector goals with plans; with a policy also velocity commands and far goals."""

    def __init__(
        self,
        planning: Planning,
        settings: PlannerSettings,
        policy: MoeController | None = None,
        params: ControllerParams | None = None,
        lag: LagParameters | None = None,
        mount: Mount | None = None,
    ) -> None:
        """Prepare.

        Args:
            planning: makes the plans; `close` it at the end.
            settings: of its planners.
            policy: the controller of the policy, for `hybrid`; None for `cem`.
            params: times and borders; None for the defaults.
            lag: of the coordinates; None for the defaults.
            mount: of the arm on the trunk; None for the description's.
        """
        self.planning = planning
        self.settings = settings
        self.params = params or ControllerParams()
        self.policy_faults = 0
        """Steps in which the policy gave nothing while the planner drove."""
        self._policy = policy
        self._lag = lag or LagParameters()
        self._policy_prior = None if policy is None else PolicyPrior(policy, settings, self._lag)
        self._goal = GoalTracker(mount)
        self._executor = Executor(mount=mount)
        self._smoother = Smoother(self.params.rates)
        self._history = CommandHistory()
        self._run = 0
        self.reset()

    @property
    def control_period(self) -> float:
        """s between two steps."""
        return CONTROL_PERIOD if self._policy is None else self._policy.control_period

    def reset(self) -> None:
        """Forget what earlier steps left behind; the end-effector goal stays."""
        if self._policy is not None:
            self._policy.reset()
        if self._policy_prior is not None:
            self._policy_prior.reset()
        self._goal.reset()
        self._smoother.begin(_STAND)
        self._history.clear()
        self._handover = HandoverState()
        self._stance: Stance | None = None
        self._observer: ObserverState | None = None
        self._arm = _STAND[ARM_SLICE].copy()
        self._before: float | None = None
        self._due: float | None = None
        self._shown: Plan | None = None
        self._run += 1

    # -- goals ---------------------------------------------------------------------------------------------------------

    def set_target(
        self, position: ArrayLike, frame: str, base: BaseState | None = None, orientation: ArrayLike = IDENTITY
    ) -> None:
        """Take a new end-effector target; arguments and errors as in `goals.single_target`."""
        self._goal.set_target(position, frame, base, orientation)
        if self._policy is not None:
            self._policy.set_target(position, frame, base, orientation)

    def set_trajectory(
        self, trajectory: PoseTrajectory, frame: str, base: BaseState | None = None, start: float | None = None
    ) -> None:
        """Take a new end-effector trajectory; arguments and errors as in `goals.check_goal`."""
        self._goal.set_trajectory(trajectory, frame, base, start)
        if self._policy is not None:
            self._policy.set_trajectory(trajectory, frame, base, start)

    def set_velocity(self, velocity: ArrayLike) -> None:
        """Take a velocity command vx, vy (m/s), wz (rad/s); `cem` cannot walk and ignores it. Raises GoalError."""
        if self._policy is not None:
            self._policy.set_velocity(velocity)
        else:
            finite_velocity(velocity)

    # -- the step ------------------------------------------------------------------------------------------------------

    def step(self, state: RobotState, now: float, executing: bool) -> CemOutput:
        """Compute joint targets and torques.

        Args:
            state: newest measurement.
            now: time on the clock of the states, s.
            executing: whether the robot follows the commands; while it does not, the stand pose is sent.

        Raises:
            ControlFault: the state is not finite, or the policy is needed and gave nothing.
        """
        self._check(state)
        elapsed = self.control_period if self._before is None else float(np.clip(now - self._before, 0.0, 0.1))
        self._before = now
        began = time.perf_counter()
        policy = self._ask_policy(state, now, executing)
        nn_seconds = time.perf_counter() - began if self._policy is not None else 0.0
        wanted = self._goal.at(now, state.base, self.params.goal_lead)
        self._decide(state, now, executing, policy)
        self._observe(state, elapsed)
        self._ask_plan(state, now, wanted, policy, nn_seconds)
        made = self._fresh(now)
        position, effort = self._drive(state, now, elapsed, policy, made)
        position, effort = self._smoother.send(position, effort, elapsed)
        if executing and self._policy is not None:
            self._policy.executed(position)
        plan = None if made is None else made.plan
        new, self._shown = plan is not None and plan is not self._shown, plan
        return CemOutput(
            position=position,
            effort=effort,
            driver=self._handover.driver,
            reason=self._handover.reason,
            transfers=self._handover.transfers,
            wanted=wanted,
            plan=plan,
            plan_kind="" if made is None else made.job.kind,
            new_plan=new,
            stance=self._stance,
            policy=policy,
        )

    def _check(self, state: RobotState) -> None:
        for name in ("position", "velocity", "effort", "orientation", "angular_velocity"):
            if not np.all(np.isfinite(getattr(state, name))):
                raise ControlFault(f"the state's {name.replace('_', ' ')} is not finite")
        base = state.base
        if base is not None and not all(
            np.all(np.isfinite(v)) for v in (base.position, base.orientation, base.linear_velocity)
        ):
            raise ControlFault("the base's state is not finite")
        if not 0.9 < np.linalg.norm(state.orientation) < 1.1:
            raise ControlFault("the orientation is no unit quaternion")

    def _ask_policy(self, state: RobotState, now: float, executing: bool) -> ControlOutput | None:
        if self._policy is None:
            return None
        try:
            return self._policy.step(state, now, executing)
        except PolicyFault:
            if self._handover.driver is not Driver.PLANNER:
                raise
            self.policy_faults += 1
            return None

    def _decide(self, state: RobotState, now: float, executing: bool, policy: ControlOutput | None) -> None:
        """Find out who drives now, and prepare a new driver."""
        rest = self.params.rest
        must_walk = policy is not None and bool(policy.walking or np.any(np.abs(policy.velocity_command) > STANDSTILL))
        before = self._handover.driver
        inputs = HandoverInputs(
            now=now,
            executing=executing,
            must_walk=must_walk,
            at_rest=before is Driver.PLANNER or at_rest(state, rest),
            stance_kept=self._stance is not None and stance_kept(state, self._stance, rest),
            plan_fresh=self._fresh(now) is not None,
        )
        self._handover = step(self._handover, inputs, self._policy is not None, self.params.handover)
        driver = self._handover.driver
        if driver is before:
            return
        if driver is Driver.PLANNER:
            self._take_over(state)
        else:
            self._stance, self._observer = None, None
        if driver is Driver.IDLE:
            self._smoother.begin(_STAND)
        elif before is Driver.IDLE:
            self._arm = _STAND[ARM_SLICE].copy()
        if {before, driver} != {Driver.WALK, Driver.BACK}:  # those two send the same
            self._smoother.change()

    def _take_over(self, state: RobotState) -> None:
        """Plant the feet where they are."""
        self._stance = Stance.from_state(state)
        self._executor.start(self._stance, state)
        self._observer = ObserverState.start(self._stance.coordinates(state)[0])

    def _observe(self, state: RobotState, elapsed: float) -> None:
        """Let the offset estimate learn from what the last command led to."""
        if self._stance is None or self._observer is None or elapsed <= 0.0:
            return
        measured = PlanState(*self._stance.coordinates(state))
        self._observer = observe(self._observer, measured, self._executor.command, elapsed, self._lag)

    def _fresh(self, now: float) -> Made | None:
        made = self.planning.newest
        if made is None or made.job.run != self._run:
            return None
        age = now - made.job.stamp + self.params.prediction_delay
        return made if -self.params.max_plan_age <= age <= self.params.max_plan_age else None

    # -- plans ---------------------------------------------------------------------------------------------------------

    def _ask_plan(
        self, state: RobotState, now: float, wanted: Wanted, policy: ControlOutput | None, nn_seconds: float
    ) -> None:
        """Ask for a plan if it is time for one."""
        period = self.settings.period
        if self._due is not None and self._due - period - 1e-6 <= now < self._due - 1e-6:
            return
        # in step with the clock, so that a period that is no multiple of the control period is kept on average
        late = self._due is None or not 0.0 <= now - self._due + 1e-6 < period
        self._due = now + period if late or self._due is None else self._due + period
        whole = self._stance is not None and wanted.frame == "odom" and state.base is not None
        stance = self._stance if whole else None
        problem = self._body_problem(state, wanted) if whole else self._arm_problem(state, wanted, policy)
        until = now + self.params.prediction_delay
        if self.params.prediction_delay > 0.0:
            ahead = predict(problem.state, now, until, self._history, self._lag, problem.offset)
            if stance is None:  # the history has the trunk's commands of other plans
                ahead = _with_trunk_at_rest(ahead)
            problem = Problem(ahead, problem.goal, problem.previous_command, problem.offset, problem.feet)
        began, priors = time.perf_counter(), self._priors(problem, now, policy, stance)
        nn_seconds += time.perf_counter() - began
        kind = BODY if whole else ARM
        self.planning.submit(Job(kind, problem, until, priors, nn_seconds, self._run))

    def _priors(
        self, problem: Problem, now: float, policy: ControlOutput | None, stance: Stance | None
    ) -> tuple[Knots, ...]:
        """Return what the policy proposes; nothing without one, or where it fails."""
        if policy is None or self._policy_prior is None:
            return ()
        try:
            return (self._policy_prior.knots(now, problem, policy.position, self._smoother.effort, stance),)
        except PolicyFault:
            self._policy_prior.reset()
            return ()

    def _body_problem(self, state: RobotState, wanted: Wanted) -> Problem:
        assert self._stance is not None and self._observer is not None
        coordinates = PlanState(*self._stance.coordinates(state))
        goal = self._goal.body_goal(wanted, self._stance)
        return Problem(coordinates, goal, self._executor.command, self._observer.offset, self._stance.feet)

    def _arm_problem(self, state: RobotState, wanted: Wanted, policy: ControlOutput | None) -> Problem:
        """Return the problem of a trunk that stays at its nominal pose, whatever it does in truth."""
        pose, turned = wanted.in_base, wanted.turned
        position, rotation = pose.position, Rotation.from_quat(pose.orientation).as_matrix()
        if self._handover.driver is Driver.IDLE:
            home = self._goal.home
            position, rotation, turned = home.position, Rotation.from_quat(home.orientation).as_matrix(), True
        elif self._handover.driver is Driver.WALK and policy is not None:
            position, rotation = policy.shown_target, policy.shown_rotation  # a stretched arm does not walk well
        coordinates = np.zeros((4, NUM_COORDINATES))
        where, speed, command, offset = coordinates
        where[ARM_SLICE_12], speed[ARM_SLICE_12] = state.position[ARM_SLICE], state.velocity[ARM_SLICE]
        command[ARM_SLICE_12] = self._arm
        if self._observer is not None:
            offset[ARM_SLICE_12] = self._observer.offset[ARM_SLICE_12]
        goal = self._goal.arm_goal(position, rotation, turned)
        return Problem(PlanState(where, speed), goal, command, offset, _NOMINAL_FEET)

    # -- commands ------------------------------------------------------------------------------------------------------

    def _drive(
        self, state: RobotState, now: float, elapsed: float, policy: ControlOutput | None, made: Made | None
    ) -> tuple[Array, Array]:
        """Return what the present driver wants: position targets and torques."""
        driver = self._handover.driver
        if driver is Driver.IDLE:
            return _STAND, np.zeros(NUM_JOINTS)
        command = None if made is None else made.plan.sample(now)
        if driver is Driver.PLANNER:
            wanted = self._executor.command if command is None else command
            try:
                execution = self._executor.step(wanted, state, elapsed)
            except (ExecutorError, StanceError) as error:
                raise ControlFault(str(error)) from None
            self._arm = execution.command[ARM_SLICE_12]
            self._history.append(now, execution.command)
            return execution.targets.position, execution.targets.effort
        if policy is None:
            return self._smoother.position, self._smoother.effort
        position, effort = policy.position.copy(), np.zeros(NUM_JOINTS)
        if command is not None:
            most = self.params.arm_slew * elapsed
            self._arm = np.clip(command[ARM_SLICE_12], self._arm - most, self._arm + most)
            position[ARM_SLICE] = self._arm
            joints = np.concatenate([state.position[LEG_SLICE], self._arm])
            turn = Rotation.from_quat(state.orientation).as_matrix()
            effort[ARM_SLICE] = self._executor.gravity.torques(turn, joints)[0][ARM_SLICE]
        else:
            self._arm = self._smoother.position[ARM_SLICE]
        self._history.append(now, np.concatenate([np.zeros(6), self._arm]))
        return position, effort


def _with_trunk_at_rest(state: PlanState) -> PlanState:
    position, velocity = state.position.copy(), state.velocity.copy()
    position[:6] = velocity[:6] = 0.0
    return PlanState(position, velocity)
