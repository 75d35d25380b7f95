"""The Go2 + Piper as a vectorised environment for rsl_rl: MuJoCo's own thread pool below, NumPy above."""

from __future__ import annotations

from dataclasses import asdict, fields
from pathlib import Path

import numpy as np
import torch
from go2_piper_description.joints import ARM_SLICE, NUM_JOINTS, joint_array
from go2_piper_description.kinematics import ArmKinematics
from moe_controller.observation import ObservationBuilder, projected_gravity
from numpy.typing import NDArray
from robot_bridge.gate_params import GateParams
from rsl_rl.env import VecEnv
from scipy.spatial.transform import Rotation
from tensordict import TensorDict

from ..trajectories import load_trajectories
from .commands import ArmScript
from .config import EnvConfig
from .goals import Goals, RandomGoals
from .physics import Physics
from .rewards import RewardInputs, total_reward
from .trajectory_goals import TrajectoryGoals

Array = NDArray[np.float64]
Ids = NDArray[np.int64]

MODE_FLAGS = ("walk", "reach", "stand", "arm_neutral", "scripted_arm")


class Go2PiperEnv(VecEnv):
    """Velocity commands and end-effector targets on flat ground; what counts is set by the episode's mode.

    Observation groups: `policy` (what experts see), `router` (what an attention router sees beside it, if configured),
    `mixing` (base expert's share for legs and arm), `privileged` (for the critic only).
    """

    def __init__(self, config: EnvConfig, goals: Goals | None = None) -> None:
        """Build the simulators and begin.

        Args:
            config: all numbers.
            goals: where commands and targets come from; None for random ones as the modes say.
        """
        self.config = config
        self.cfg = asdict(config)
        self.num_envs = n = config.num_envs
        self.num_actions = NUM_JOINTS
        self.max_episode_length = round(config.episode_length / config.control_period)
        self.device = "cpu"
        self.episode_length_buf = torch.zeros(n, dtype=torch.long)
        self._rng = np.random.default_rng(config.seed)
        self.physics = Physics(config, self._rng)
        self.arm = ArmKinematics()
        terms = config.observation + config.router_observation
        self._builder = ObservationBuilder(terms, self.arm)
        self._policy_size = ObservationBuilder(config.observation, self.arm).size
        self._ahead = np.array(self._builder.times)
        self._script = ArmScript(n, self._rng)
        self.modes = list(config.modes.values())
        self.mode_names = list(config.modes)
        self.random_goals = RandomGoals(config, self.arm, self.modes, self._rng)
        self.goals: Goals = goals or self._goals_of_config()
        self.default = joint_array("stand")
        self.action_scale = np.full(NUM_JOINTS, config.leg_action_scale)
        self.action_scale[ARM_SLICE] = config.arm_action_scale
        self._low, self._high = joint_array("lower"), joint_array("upper")
        # the safety gate limits how fast targets move: policies must know their robot with that limit
        gate = GateParams()
        self._max_step = np.full(NUM_JOINTS, gate.leg_target_rate * config.physics_timestep)
        self._max_step[ARM_SLICE] = gate.arm_target_rate * config.physics_timestep
        self.last_action = np.zeros((n, NUM_JOINTS))
        self._goal = np.tile(self.default, (n, 1))
        self._last_joint_velocity = np.zeros((n, NUM_JOINTS))
        self._last_foot_position = np.zeros((n, 4, 2))
        self._air_time = np.zeros((n, 4))
        self._told = np.zeros((n, 3))
        self.base_weights = np.ones((n, 2))
        self._mode_flags = {name: np.array([getattr(mode, name) for mode in self.modes]) for name in MODE_FLAGS}
        self._push_scale = 1.0
        self.terms: dict[str, Array] = {}
        self._reset(np.arange(n))
        self._refresh()

    def _goals_of_config(self) -> Goals:
        file = self.config.targets.trajectory_file
        if not file:
            return self.random_goals
        sequences = load_trajectories(Path(file))
        return TrajectoryGoals(sequences, self.num_envs, self.config.control_period, self._rng)

    # --- rsl_rl's interface ------------------------------------------------------------------------------------

    def get_observations(self) -> TensorDict:
        """Return the observation groups as float32 tensors, those of the last step."""
        return self._observation

    def step(self, actions: torch.Tensor) -> tuple[TensorDict, torch.Tensor, torch.Tensor, dict]:
        """Advance all environments by one control period."""
        clip = self.config.action_clip
        action = np.clip(actions.detach().numpy().astype(np.float64), -clip, clip)
        scripted = self.flag("scripted_arm")
        if scripted.any():
            targets = self._script.step(self.config.control_period)
            raw = (targets - self.default[ARM_SLICE]) / self.action_scale[ARM_SLICE]
            action[scripted, ARM_SLICE] = raw[scripted]
        self._simulate(np.clip(self.default + self.action_scale * action, self._low, self._high))
        self._push()
        self._measure()
        self.episode_length_buf += 1
        limits = self.config.terminations
        fallen = (self.physics.qpos[:, 2] < limits.height) | (self._gravity[:, 2] > -np.cos(limits.tilt))
        reward = self._reward(action, fallen)
        self.last_action = action
        time_outs = (self.episode_length_buf.numpy() >= self.max_episode_length) & ~fallen
        done = fallen | time_outs
        extras = {"time_outs": torch.from_numpy(time_outs), "log": self._log(fallen, done)}
        renewed = self.goals.step(self)
        if self.config.phases:
            self._draw_weights(renewed)
        self._reset(np.flatnonzero(done))
        if done.any():
            self._measure()
        self._observe()
        return (
            self._observation,
            torch.from_numpy(reward.astype(np.float32)),
            torch.from_numpy(done.astype(np.int64)),
            extras,
        )

    # --- what the training loop adds ---------------------------------------------------------------------------------

    def reseed(self, seed: int, iteration: int) -> None:
        """Start all episodes anew from a generator of (seed, iteration), at staggered ages.

        A run that resumes at an iteration then goes on exactly as one that was never stopped.
        """
        fresh = np.random.default_rng([seed, iteration])
        self._rng.bit_generator.state = fresh.bit_generator.state
        self._reset(np.arange(self.num_envs))
        self.episode_length_buf[:] = torch.from_numpy(self._rng.integers(0, self.max_episode_length, self.num_envs))
        self._refresh()

    def set_progress(self, progress: float) -> None:
        """Tell the curriculum how much of the run is over, 0 to 1."""
        curriculum = self.config.curriculum
        self.random_goals.progress = progress
        self._push_scale = curriculum.factor(curriculum.push, progress)

    # --- what evaluation and play read --------------------------------------------------------------------------------

    @property
    def command(self) -> Array:
        """What the policies are told: vx, vy, wz in base_link, (N, 3). It follows the goals' as fast as it may."""
        return self._told

    @property
    def mode(self) -> NDArray[np.int64]:
        """Index of each environment's mode in `mode_names`, (N,)."""
        return self.random_goals.mode

    def flag(self, name: str) -> NDArray[np.bool_]:
        """Return a mode's flag (MODE_FLAGS) for each environment, (N,)."""
        return self._mode_flags[name][self.mode]

    # --- one control step ------------------------------------------------------------------------------------------

    def _simulate(self, target: Array) -> None:
        physics = self.physics
        for substep in range(physics.substeps):
            goal = np.where((physics.delay <= substep)[:, None], target, self._goal)
            physics.ctrl[:] = np.clip(goal, physics.ctrl - self._max_step, physics.ctrl + self._max_step)
            physics.batch.step()
        self._goal = target

    def _push(self) -> None:
        r = self.config.randomization
        if r.push_interval <= 0:
            return
        pushed = np.flatnonzero(self._rng.random(self.num_envs) < self.config.control_period / r.push_interval)
        largest = r.push_velocity * self._push_scale
        self.physics.qvel[pushed, :2] += self._rng.uniform(-largest, largest, (pushed.size, 2))

    def _refresh(self) -> None:
        self._measure()
        self._observe()

    def _measure(self) -> None:
        """Read the batch into the arrays that observation, reward and evaluation use."""
        physics = self.physics
        quaternion = physics.qpos[:, 3:7]
        self.base_orientation = quaternion[:, [1, 2, 3, 0]] / np.linalg.norm(quaternion, axis=1, keepdims=True)
        self.base_position = physics.qpos[:, :3].copy()
        self.base_rotation = Rotation.from_quat(self.base_orientation).as_matrix()
        self._gravity = projected_gravity(self.base_orientation)
        self.base_angular_velocity = physics.qvel[:, 3:6].copy()
        self.base_linear_velocity = np.einsum("nji,nj->ni", self.base_rotation, physics.qvel[:, :3])
        self.joint_position = physics.qpos[:, 7:].copy()
        self.joint_velocity = physics.qvel[:, 6:].copy()
        self.torque = physics.force.copy()
        self.ee_position, self.ee_rotation = physics.ee_pose()
        self.foot_contact = physics.foot_contact()

    def _observe(self) -> None:
        """Build the observation groups. Once per step: terms with a history remember."""
        r, n = self.config.randomization, self.num_envs
        self._told = self.config.velocity_limits.ramp(self._told, self.goals.command, self.config.control_period)
        self.target_position, self.target_rotation = self.goals.targets(self._ahead, self)
        orientation, rate = self.base_orientation, self.base_angular_velocity
        position, velocity = self.joint_position, self.joint_velocity
        if r.joint_position_noise > 0:
            position = position + self._rng.normal(0.0, r.joint_position_noise, position.shape)
            velocity = velocity + self._rng.normal(0.0, r.joint_velocity_noise, velocity.shape)
            rate = rate + self._rng.normal(0.0, r.gyro_noise, rate.shape)
            tilt = Rotation.from_rotvec(self._rng.normal(0.0, r.tilt_noise, (n, 3)))
            orientation = (Rotation.from_quat(orientation) * tilt).as_quat()
        columns = self._builder.build(
            self._builder.inputs(
                orientation=orientation,
                angular_velocity=rate,
                joint_position=position,
                joint_velocity=velocity,
                velocity_command=self.command,
                target_position=self.target_position,
                target_rotation=self.target_rotation,
                last_action=self.last_action,
            )
        )
        offset = self.target_position[:, 0] - self.ee_position
        turn = np.einsum("nji,njk->nik", self.ee_rotation, self.target_rotation[:, 0])
        privileged = [
            self.base_linear_velocity,
            offset,
            turn[:, 0],
            turn[:, 1],
            self.foot_contact,
            self.base_position[:, 2:3],
            *(self.flag(name)[:, None] for name in MODE_FLAGS),
        ]
        groups = {
            "policy": torch.from_numpy(columns[:, : self._policy_size]),
            "mixing": torch.from_numpy(self.base_weights.astype(np.float32)),
            "privileged": torch.from_numpy(np.concatenate(privileged, axis=1).astype(np.float32)),
        }
        if self.config.router_observation:
            groups["router"] = torch.from_numpy(columns[:, self._policy_size :])
        self._observation = TensorDict(groups, batch_size=[n])

    def _track(self) -> None:
        """Compare the end effector with the target that the last observation showed."""
        at = self._builder.times.index(0.0)
        self.ee_error = np.linalg.norm(self.target_position[:, at] - self.ee_position, axis=1)
        trace = np.einsum("nij,nij->n", self.ee_rotation, self.target_rotation[:, at])
        self.ee_angle = np.arccos(np.clip(0.5 * (trace - 1.0), -1.0, 1.0))

    def _reward(self, action: Array, fallen: NDArray[np.bool_]) -> Array:
        period = self.config.control_period
        feet = self.physics.foot_position()
        speed = np.linalg.norm(feet - self._last_foot_position, axis=2) / period
        self._last_foot_position = feet
        touchdown = self.foot_contact & (self._air_time > 0)
        air_time = np.where(touchdown, self._air_time, 0.0)
        self._air_time = np.where(self.foot_contact, 0.0, self._air_time + period)
        self._track()
        inputs = RewardInputs(
            linear_velocity=self.base_linear_velocity,
            angular_velocity=self.base_angular_velocity,
            gravity=self._gravity,
            height=self.base_position[:, 2],
            joint_position=self.joint_position,
            joint_velocity=self.joint_velocity,
            joint_acceleration=(self.joint_velocity - self._last_joint_velocity) / period,
            torque=self.torque,
            command=self.command,
            ee_error=self.ee_error,
            ee_angle=self.ee_angle,
            action=action,
            last_action=self.last_action,
            foot_contact=self.foot_contact,
            foot_speed=speed,
            air_time_at_touchdown=air_time,
            fallen=fallen,
            **{name: self.flag(name) for name in MODE_FLAGS if name in _REWARD_FIELDS},
        )
        self.action_rate = np.sum((action - self.last_action) ** 2, axis=1)
        self.power = np.sum(np.abs(self.torque * self.joint_velocity), axis=1)
        self._last_joint_velocity = self.joint_velocity
        reward, self.terms = total_reward(inputs, self.config.rewards, period)
        return reward

    def _log(self, fallen: NDArray[np.bool_], done: NDArray[np.bool_]) -> dict[str, float]:
        walk, reach = self.flag("walk"), self.flag("reach")
        log = {"/falls": float(fallen.sum()) * self.max_episode_length / self.num_envs}  # per episode of full length
        if walk.any():
            error = self.base_linear_velocity[walk, :2] - self.command[walk, :2]
            log["/linear_error"] = float(np.linalg.norm(error, axis=1).mean())
            log["/yaw_error"] = float(np.abs(self.base_angular_velocity[walk, 2] - self.command[walk, 2]).mean())
        if reach.any():
            log["/ee_error"] = float(self.ee_error[reach].mean())
            log["/ee_angle"] = float(self.ee_angle[reach].mean())
        return log

    # --- starting episodes ---------------------------------------------------------------------------------------

    def _reset(self, ids: Ids) -> None:
        if ids.size == 0:
            return
        rng, n, physics = self._rng, ids.size, self.physics
        physics.reset(ids)
        joints = self.default + rng.uniform(-0.1, 0.1, (n, NUM_JOINTS))
        physics.qpos[ids, 7:] = np.clip(joints, self._low, self._high)
        yaw = rng.uniform(-np.pi, np.pi, n)
        physics.qpos[ids, 3], physics.qpos[ids, 6] = np.cos(yaw / 2), np.sin(yaw / 2)
        physics.qvel[ids, :6] = rng.uniform(-0.1, 0.1, (n, 6))
        physics.batch.forward(ids)
        self.episode_length_buf[torch.from_numpy(ids)] = 0
        self.last_action[ids] = 0.0
        self._goal[ids] = self.default
        self._told[ids] = 0.0
        self._last_joint_velocity[ids] = 0.0
        self._last_foot_position[ids] = physics.foot_position()[ids]
        self._air_time[ids] = 0.0
        self._builder.reset(ids)
        self._script.reset(ids)
        self._measure()
        self.random_goals.reset(ids, self)
        if self.goals is not self.random_goals:
            self.goals.reset(ids, self)
        self._draw_weights(ids)

    def _draw_weights(self, ids: Ids) -> None:
        share = self._rng.random(ids.size)  # one draw for both groups: equal ranges give equal weights
        for column, name in enumerate(("base_weight_legs", "base_weight_arm")):
            low, high = np.array([getattr(mode, name) for mode in self.modes])[self.mode[ids]].T
            self.base_weights[ids, column] = low + share * (high - low)


_REWARD_FIELDS = {field.name for field in fields(RewardInputs)}
