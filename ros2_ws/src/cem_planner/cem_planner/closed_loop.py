"""The planner and its executor on the simulated robot, without ROS, with the plan's latency applied.

Simulated time is all that counts, so that a run is the same on every machine: a plan that starts at t takes effect at
t + latency, however long it took to compute. `python -m cem_planner.closed_loop --full` gives the figures of
docs/planner.md.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import mujoco
import numpy as np
from go2_piper_description.joints import ARM_SLICE, joint_array
from go2_piper_description.kinematics import ArmKinematics
from go2_piper_description.links import EE_LINK, TOOL_LENGTH
from numpy.typing import NDArray
from robot_bridge.types import JointTargets, RobotState
from sim_bridge.mujoco_plant import MujocoOptions, MujocoPlant

from .backends import Backend
from .coordinates import NUM_COORDINATES
from .costs import FALL_HEIGHT, FALL_UP, TRUNK_HALF_SIZES, Weights
from .executor import Execution, Executor, ExecutorSettings
from .ik_prior import IkPrior
from .lag import LagParameters
from .observer import ObserverState, observe
from .plan import Plan
from .planner import Planner
from .prediction import CommandHistory, predict
from .problem import Goal, PlanState, Problem
from .settings import PlannerSettings
from .stance import NOMINAL_TRUNK, Stance, StanceError, trunk_rotation

Array = NDArray[np.float64]

_EPSILON = 1e-9
_SETTLE_TIME = 2.0
"""s of standing before an episode; the loaded robot needs them to sink and spread its feet."""
_GRIPPER_LINK = "piper_link6"


# --- the robot -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Push:
    """A force on the trunk."""

    force: tuple[float, float, float]
    """N in `odom`."""
    start: float
    """s since the episode's beginning."""
    duration: float = 0.2
    """s."""


@dataclass(frozen=True)
class World:
    """How the simulated robot differs from the planner's idea of it."""

    model_path: str = ""
    """MJCF of the same robot; empty for the built-in one."""
    payload: float = 0.0
    """kg between the finger pads, unknown to the planner."""
    gain_factor: float = 1.0
    """Times the gains that are asked for."""
    friction: float | None = None
    """Sliding friction of feet and floor; None leaves the model's 0.8."""


class StandingPlant(MujocoPlant):
    """The simulated robot, which begins standing in its stand pose and can be pushed."""

    def __init__(self, world: World | None = None) -> None:
        self.world = world or World()
        super().__init__(MujocoOptions(plant_model=self.world.model_path))
        self._push: Push | None = None
        if self.world.payload:
            self._load(self.world.payload)
        if self.world.friction is not None:
            self.model.geom_friction[:, 0] = self.world.friction
        self._ee_site = self.model.site(EE_LINK).id

    @property
    def stand_targets(self) -> JointTargets:
        """What makes the robot stand before the planner takes over."""
        return JointTargets(joint_array("stand"), kp=joint_array("kp"), kd=joint_array("kd"))

    def start(self) -> None:
        """Stand in the stand pose until the robot has settled; time zero is after that."""
        mujoco.mj_resetDataKeyframe(self.model, self.data, self.model.key("stand").id)
        self._pending.clear()
        self._push = None
        self._apply(self.stand_targets)
        self.data.xfrc_applied[:] = 0.0
        for _ in range(round(_SETTLE_TIME / self.model.opt.timestep)):
            mujoco.mj_step(self.model, self.data)
        self.data.time, self._steps = 0.0, 0
        self._measure()

    def push(self, push: Push | None) -> None:
        """Have the trunk pushed; None for not."""
        self._push = push

    def step(self) -> None:
        """Let `step_period` pass."""
        push, force = self._push, np.zeros(3)
        if push is not None and push.start - _EPSILON <= self.time < push.start + push.duration - _EPSILON:
            force = np.asarray(push.force)
        self.data.xfrc_applied[self.robot.base_body, :3] = force
        super().step()

    def ee_pose(self) -> tuple[Array, Array]:
        """Return the true position, m, shape (3,), and rotation, shape (3, 3), of `ee_link` in `odom`."""
        site = self._ee_site
        return self.data.site_xpos[site].copy(), self.data.site_xmat[site].reshape(3, 3).copy()

    def _apply(self, targets: JointTargets) -> None:
        factor = self.world.gain_factor
        super()._apply(replace(targets, kp=factor * targets.kp, kd=factor * targets.kd))

    def _load(self, mass: float) -> None:
        """Add a point mass between the finger pads."""
        model, body = self.model, self.model.body(_GRIPPER_LINK).id
        old, place = float(model.body_mass[body]), np.array([0.0, 0.0, TOOL_LENGTH])
        arm = place - model.body_ipos[body]
        model.body_mass[body] = old + mass
        model.body_ipos[body] += arm * mass / (old + mass)
        # of a point on the gripper's axis; the axes of inertia lie along the link's up to some degrees
        model.body_inertia[body, :2] += old * mass / (old + mass) * float(arm @ arm)
        mujoco.mj_setConst(model, self.data)


# --- the loop --------------------------------------------------------------------------------------------------------


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
    """Offer the arm's inverse kinematics as a candidate."""


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
    ) -> None:
        self.settings, self.options = settings, options or LoopOptions()
        self.plant = StandingPlant(world)
        self.planner = Planner(settings, backend, weights)
        self.executor = Executor(executor)
        self.lag = lag or LagParameters()
        self._prior = IkPrior(settings, weights)
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
        self.plant.push(push)
        state = self._state()
        self.stance = Stance.from_state(state)
        self.executor.start(self.stance, state, self.plant.stand_targets)
        self.planner.reset()
        self._prior.reset()
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
        prior = self._prior.knots(problem) if self.options.use_prior else None
        plan = self.planner.plan(problem, stamp, prior=prior)
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
        self.plant.write(execution.targets)
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
        feet = np.array([self.plant.data.site(f"{leg}_foot").xpos for leg in ("FL", "FR", "RL", "RR")])
        moved = (feet - stance.origin) @ stance.rotation - stance.feet
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


# --- goals -----------------------------------------------------------------------------------------------------------

LIMIT_MARGIN = 0.1
"""rad that sampled arm joints keep from their limits."""
LEAST_HEIGHT = 0.10
"""m above the feet, and of the wrist."""
TRUNK_MARGIN = 0.10
"""m that elbow, wrist and end-effector of a goal's arm keep from the trunk."""
BEYOND_REACH = (0.02, 0.07)
"""m by which goals that need the trunk lie beyond the stretched arm."""


class GoalSampler:
    """Draws goals for the closed loop: poses that the arm takes from the nominal trunk, or that need the trunk."""

    def __init__(self, seed: int = 0, orientation_weight: float = 0.3) -> None:
        self._random = np.random.default_rng(seed)
        self._weight = orientation_weight
        self._kinematics = ArmKinematics()
        self._plant = MujocoPlant()
        self._lower = joint_array("lower")[ARM_SLICE] + LIMIT_MARGIN
        self._upper = joint_array("upper")[ARM_SLICE] - LIMIT_MARGIN

    def reachable(self, count: int) -> list[Goal]:
        """Return poses of random arm joints: in front, above the floor, clear of the trunk."""
        goals: list[Goal] = []
        while len(goals) < count:
            joints = self._random.uniform(self._lower, self._upper)
            if self._clear(np.zeros(6), joints):
                goals.append(self._goal(np.zeros(6), joints, self._weight))
        return goals

    def beyond(self, count: int) -> list[Goal]:
        """Return positions that the arm alone misses by BEYOND_REACH, and that some trunk offset brings within reach.

        The offsets are drawn from three quarters of the planner's box. Their orientation is free.
        """
        goals: list[Goal] = []
        reach = self._reach()
        box = 0.75 * np.array([0.08, 0.06, 0.06, 0.25, 0.25, 0.3])
        shoulder = self._kinematics.shoulder + NOMINAL_TRUNK
        while len(goals) < count:
            trunk, joints = self._random.uniform(-box, box), self._random.uniform(self._lower, self._upper)
            goal = self._goal(trunk, joints, 0.0)
            short = float(np.linalg.norm(goal.position - shoulder)) - reach
            if BEYOND_REACH[0] <= short <= BEYOND_REACH[1] and self._clear(trunk, joints):
                goals.append(goal)
        return goals

    def _reach(self) -> float:
        """Return the distance of the stretched arm's end from the shoulder, m."""
        points = self._points(np.zeros(6))
        return float(
            np.linalg.norm(points["elbow"] - self._kinematics.shoulder)
            + np.linalg.norm(points["wrist"] - points["elbow"])
            + np.linalg.norm(points["ee"] - points["wrist"])
        )

    def _goal(self, trunk: Array, joints: Array, weight: float) -> Goal:
        turn, pose = trunk_rotation(trunk), self._kinematics.ee_transform(joints)
        return Goal(turn @ pose[:3, 3] + trunk[:3] + NOMINAL_TRUNK, turn @ pose[:3, :3], weight)

    def _clear(self, trunk: Array, joints: Array) -> bool:
        points = self._points(joints)
        turn = trunk_rotation(trunk)
        box = np.asarray(TRUNK_HALF_SIZES)
        for point in points.values():
            if np.linalg.norm(np.maximum(np.abs(point) - box, 0.0)) < TRUNK_MARGIN:
                return False
            if (turn @ point)[2] + trunk[2] + NOMINAL_TRUNK[2] < LEAST_HEIGHT:
                return False
        return bool(points["ee"][0] > self._kinematics.shoulder[0])

    def _points(self, joints: Array) -> dict[str, Array]:
        """Return elbow, wrist and end-effector in `base_link`, m."""
        model, data = self._plant.model, self._plant.data
        data.qpos[:] = 0.0
        data.qpos[3] = 1.0
        data.qpos[self._plant.robot.joint_qpos[ARM_SLICE]] = joints
        mujoco.mj_kinematics(model, data)
        return {
            "elbow": data.body("piper_link3").xpos.copy(),
            "wrist": data.body("piper_link4").xpos.copy(),
            "ee": data.site(EE_LINK).xpos.copy(),
        }
