"""The steering environment with motion features: N robots, NumPy above the stepper."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .features import MotionState, disc_state, home_state, joint_addresses, motion_state
from .key_points import key_points
from .motion import Motion
from .robot import RobotConfig, robot_model
from .steering import Range, Steering, SteeringConfig
from .stepper import Stepper

Array = NDArray[np.float64]
Floats = NDArray[np.float32]
Ids = NDArray[np.int64]
ACTION_CLIP = 6.0
"""Of raw actions, as in the other trainings."""
RATE_SCALE, SPEED_SCALE = 0.25, 0.05
"""Of turn rates and joint speeds in the observation, as in `moe_controller.observation.DEFAULT_TERMS`."""


@dataclass(frozen=True)
class Disturbances:
    """What differs from robot to robot, drawn per episode; the default is the nominal robot."""

    friction: Range = (1.0, 1.0)
    """Factor."""
    mass: Range = (0.0, 0.0)
    """kg, added to the root."""
    delay: Range = (0.0, 0.0)
    """s from command to joint; rounded to physics steps, at most one control period."""
    push_interval: float = 0.0
    """s between kicks; 0 for none."""
    push_velocity: float = 0.0
    """m/s, largest kick in x and y."""


@dataclass(frozen=True)
class EpisodeConfig:
    """How episodes begin and end."""

    length: float = 20.0
    """s"""
    reference_start: float = 0.7
    """Part of the episodes that begin in a frame of the reference motion; the others begin at home."""
    home_spread: float = 0.1
    """rad, on the joints at home."""


class Observation(NamedTuple):
    """What actor and critic see."""

    actor: Floats
    """Turn rate, gravity, velocity command, joints from home, joint speeds, last action; scaled. (N, D)"""
    critic: Floats
    """The same, and what no sensor of the robot tells."""


class Step(NamedTuple):
    """One control step."""

    observation: Observation
    """Of the next step; of a new episode where one ended."""
    transition: Floats
    """What the discriminator sees: before and after the step, never across a reset, (N, D)."""
    reward: Floats
    """Of the task, (N,)."""
    terminated: NDArray[np.bool_]
    """Falls."""
    timed_out: NDArray[np.bool_]


class SteeringEnv:
    """N robots that steer.

    Args:
        robot: which one.
        stepper: simulates N of it.
        steering: the task.
        disturbances: what is drawn per episode.
        episodes: how they begin and end.
        motion: for reference starts; None for none.
        seed: of all that is drawn; several numbers for one of several environments.
    """

    def __init__(
        self,
        robot: RobotConfig,
        stepper: Stepper,
        steering: SteeringConfig,
        disturbances: Disturbances,
        episodes: EpisodeConfig,
        motion: Motion | None,
        seed: int | Sequence[int],
    ) -> None:
        self.robot, self.stepper, self.disturbances, self.episodes = robot, stepper, disturbances, episodes
        self.num_envs = n = len(stepper.qpos)
        self._all = np.arange(n)
        self._rng = np.random.default_rng(seed)
        self._motion = motion.select(robot.joints) if motion is not None else None
        self.steering = Steering(steering, n, robot.control_period, self._rng)
        self._prepare_control()
        self.last_action = np.zeros((n, self.num_actions))
        self._ctrl = np.tile(self._home_ctrl, (n, 1))
        self._wanted = self._ctrl.copy()
        self._delay = np.zeros(n, dtype=np.int64)
        self._age = np.zeros(n, dtype=np.int64)
        self._length = round(episodes.length / robot.control_period)
        self._state = self._measure(self._all)
        self._before = disc_state(self._state)
        self.reset(self._all)
        self._observation = self._observe()

    def _prepare_control(self) -> None:
        model, robot = robot_model(self.robot), self.robot
        self._home = home_state(model, robot)
        self._places, self._dofs = joint_addresses(model, robot)
        self._keys = key_points(robot)
        motors = {int(model.actuator_trnid[i, 0]): i for i in range(model.nu)}
        self._motors = np.array([motors[model.joint(name).id] for name in robot.joints])
        self.num_actions = len(self._motors)
        self._home_ctrl = np.zeros(model.nu)
        limits = np.where(model.actuator_ctrllimited[:, None], model.actuator_ctrlrange, [-np.inf, np.inf])
        self._low, self._high = limits.T
        if robot.torque_control:
            self._scale = np.where(np.isfinite(self._high), self._high, 1.0)[self._motors] * robot.action_scale
        else:
            for index in range(model.nu):
                joint = model.actuator_trnid[index, 0]
                self._home_ctrl[index] = self._home[model.jnt_qposadr[joint]]
                if model.jnt_limited[joint]:
                    self._low[index] = max(self._low[index], model.jnt_range[joint, 0])
                    self._high[index] = min(self._high[index], model.jnt_range[joint, 1])
            self._scale = np.full(self.num_actions, robot.action_scale)

    # -- episodes ------------------------------------------------------------------------------------------------------

    def reseed(self, seed: Sequence[int]) -> None:
        """Start all episodes anew at staggered ages, drawn from these numbers.

        A run that resumes at an iteration then goes on exactly as one that was never stopped.
        """
        self._rng.bit_generator.state = np.random.default_rng(seed).bit_generator.state
        self.reset(self._all)
        self._age[:] = self._rng.integers(0, self._length, self.num_envs)
        self._observation = self._observe()

    def reset(self, ids: Ids) -> None:
        """Begin new episodes."""
        if len(ids) == 0:
            return
        rng, n, d = self._rng, len(ids), self.disturbances
        self.stepper.dress(ids, rng.uniform(*d.friction, n), rng.uniform(*d.mass, n))
        qpos, qvel = self._starts(n)
        self.stepper.place(ids, qpos, qvel)
        self._delay[ids] = np.round(rng.uniform(*d.delay, n) / self.robot.physics_timestep)
        targets = np.tile(self._home_ctrl, (n, 1))
        if not self.robot.torque_control:
            targets[:, self._motors] = qpos[:, self._places]
        self._ctrl[ids] = self._wanted[ids] = targets
        self.last_action[ids] = (targets - self._home_ctrl)[:, self._motors] / self._scale
        self._age[ids] = 0
        fresh = self._measure(ids)
        self._state = self._state.with_rows(ids, fresh)
        self._before = self._before.copy()
        self._before[ids] = disc_state(fresh)
        self.steering.begin(ids, fresh.yaw)

    def _starts(self, n: int) -> tuple[Array, Array]:
        qpos, qvel = np.tile(self._home, (n, 1)), np.zeros((n, self.stepper.qvel.shape[1]))
        spread = self.episodes.home_spread
        qpos[:, self._places] += self._rng.uniform(-spread, spread, (n, self.num_actions))
        if self._motion is not None:
            chosen = self._rng.random(n) < self.episodes.reference_start
            frames = self._rng.integers(len(self._motion.qpos), size=n)
            known, speeds = self._motion.qpos[frames], self._motion.qvel[frames]
            qpos[chosen, 2:7] = known[chosen, 2:7]
            qvel[chosen, :6] = speeds[chosen, :6]
            rows = np.flatnonzero(chosen)
            qpos[np.ix_(rows, self._places)] = known[rows, 7:]
            qvel[np.ix_(rows, self._dofs)] = speeds[rows, 6:]
        return qpos, qvel

    # -- steps ---------------------------------------------------------------------------------------------------------

    @property
    def observation(self) -> Observation:
        """What actor and critic see now."""
        return self._observation

    @property
    def state(self) -> MotionState:
        """All robots now; where an episode ended, already those of the next."""
        return self._state

    def step(self, actions: Array) -> Step:
        """Advance all robots by one control period; actions (N, A) raw."""
        action = np.clip(actions, -ACTION_CLIP, ACTION_CLIP)
        self._push()
        self.stepper.run(self._controls(action))
        self.last_action = action
        self._age += 1
        state = self._measure(self._all)
        after = disc_state(state)
        transition = np.hstack([self._before, after])
        robot = self.robot
        fallen = (state.position[:, 2] < robot.fall_height) | (state.gravity[:, 2] > -np.cos(robot.fall_tilt))
        timed_out = (self._age >= self._length) & ~fallen
        reward = self.steering.reward(state).astype(np.float32)
        self._state, self._before = state, after
        self.steering.step()
        self.reset(np.flatnonzero(fallen | timed_out))
        self._observation = self._observe()
        return Step(self._observation, transition, reward, fallen, timed_out)

    def _push(self) -> None:
        d = self.disturbances
        if d.push_interval <= 0.0:
            return
        pushed = self._rng.random(self.num_envs) < self.robot.control_period / d.push_interval
        kick = self._rng.uniform(-d.push_velocity, d.push_velocity, (self.num_envs, 2))
        self.stepper.push(kick * pushed[:, None])

    def _controls(self, action: Array) -> Array:
        """Return the motors' inputs of each physics step, (S, N, nu): late by the delay, not faster than the gate."""
        wanted = np.tile(self._home_ctrl, (self.num_envs, 1))
        wanted[:, self._motors] += self._scale * action
        wanted = np.clip(wanted, self._low, self._high)
        largest = self.robot.target_rate * self.robot.physics_timestep or np.inf
        controls = np.empty((self.robot.substeps, *wanted.shape))
        for substep in range(self.robot.substeps):
            goal = np.where((self._delay <= substep)[:, None], wanted, self._wanted)
            self._ctrl = np.clip(goal, self._ctrl - largest, self._ctrl + largest)
            controls[substep] = self._ctrl
        self._wanted = wanted
        return controls

    def _measure(self, ids: Ids) -> MotionState:
        qpos, qvel = self.stepper.qpos[ids], self.stepper.qvel[ids]
        joints = qpos[:, self._places]
        return motion_state(qpos[:, :7], qvel[:, :6], joints, qvel[:, self._dofs], self._keys(joints))

    def _observe(self) -> Observation:
        state, steering = self._state, self.steering
        actor = np.concatenate(
            [
                RATE_SCALE * state.rate,
                state.gravity,
                steering.command(state.yaw),
                state.joints - self._home[self._places],
                SPEED_SCALE * state.speeds,
                self.last_action,
            ],
            axis=1,
            dtype=np.float32,
        )
        speed, heading = steering.errors(state)
        hidden = [
            2.0 * state.velocity,
            self.stepper.contacts(),
            state.position[:, 2:],
            speed[:, None],
            np.cos(heading)[:, None],
            np.sin(heading)[:, None],
            steering.speed[:, None],
        ]
        return Observation(actor, np.concatenate([actor, *hidden], axis=1, dtype=np.float32))
