"""The Go2 + Piper as a vectorised environment for rsl_rl: MuJoCo's own thread pool below, NumPy above."""

from __future__ import annotations

from dataclasses import asdict

import mujoco
import numpy as np
import torch
from go2_piper_description.joints import ARM_SLICE, JOINT_NAMES, LEGS, NUM_JOINTS, joint_array
from go2_piper_description.kinematics import ArmKinematics
from go2_piper_description.links import BASE_LINK, EE_LINK
from go2_piper_description.mjcf import PHYSICS_TIMESTEP, build_mjcf
from moe_controller.observation import DEFAULT_TERMS, ObservationBuilder, ObservationInputs, projected_gravity
from moe_controller.targets import sample_targets
from mujoco.batch import Batch
from numpy.typing import NDArray
from robot_bridge.gate_params import GateParams
from rsl_rl.env import VecEnv
from scipy.spatial.transform import Rotation
from tensordict import TensorDict

from .commands import ArmScript, sample_velocity_commands
from .config import EnvConfig
from .rewards import RewardInputs, total_reward

Array = NDArray[np.float64]
Ids = NDArray[np.int64]

FALL_HEIGHT = 0.15
"""m; lower is a fall."""
FALL_GRAVITY = -0.5
"""Gravity's z component in base_link above this (60 degrees of tilt) is a fall."""


def training_model() -> mujoco.MjModel:
    """Compile the robot for training: fingers welded, only feet touch the floor, no dry joint friction.

    Both prunings together are 1.4 times faster; the full model is what policies are evaluated on in the ROS graph.
    """
    model = mujoco.MjModel.from_xml_string(build_mjcf(fixed_gripper=True))
    keep = {"floor", *(f"{leg}_foot" for leg in LEGS)}
    for index in range(model.ngeom):
        if model.geom(index).name not in keep:
            model.geom_contype[index] = model.geom_conaffinity[index] = 0
    model.dof_frictionloss[:] = 0.0
    if [model.joint(i).name for i in range(1, model.njnt)] != list(JOINT_NAMES):
        raise RuntimeError("the compiled model's joints are not in canonical order")
    return model


class Go2PiperEnv(VecEnv):
    """Velocity commands and end-effector targets on flat ground; what counts is set by the episode's mode.

    Observation groups: `policy` (the deployed observation), `mixing` (base expert's share for legs and arm),
    `privileged` (for the critic only).
    """

    def __init__(self, config: EnvConfig) -> None:
        self.config = config
        self.cfg = asdict(config)
        self.num_envs = config.num_envs
        self.num_actions = NUM_JOINTS
        self.max_episode_length = round(config.episode_length / config.control_period)
        self.device = "cpu"
        self.episode_length_buf = torch.zeros(self.num_envs, dtype=torch.long)
        self.substeps = round(config.control_period / PHYSICS_TIMESTEP)
        self._rng = np.random.default_rng(config.seed)
        self._build_batch()
        self._builder = ObservationBuilder(DEFAULT_TERMS)
        self.shoulder = ArmKinematics().shoulder
        self._script = ArmScript(self.num_envs, self._rng)
        self.default = joint_array("stand")
        self.action_scale = np.full(NUM_JOINTS, config.leg_action_scale)
        self.action_scale[ARM_SLICE] = config.arm_action_scale
        self._low, self._high = joint_array("lower"), joint_array("upper")
        # the safety gate limits how fast targets move: policies must know their robot with that limit
        gate = GateParams()
        self._max_step = np.full(NUM_JOINTS, gate.leg_target_rate * PHYSICS_TIMESTEP)
        self._max_step[ARM_SLICE] = gate.arm_target_rate * PHYSICS_TIMESTEP
        n = self.num_envs
        self.command = np.zeros((n, 3))
        self.ee_target = np.zeros((n, 3))
        self.last_action = np.zeros((n, NUM_JOINTS))
        self._goal = np.tile(self.default, (n, 1))
        self._last_joint_velocity = np.zeros((n, NUM_JOINTS))
        self._last_foot_position = np.zeros((n, 4, 2))
        self._air_time = np.zeros((n, 4))
        self._resample_at = np.zeros(n, dtype=np.int64)
        self._delay = np.zeros(n, dtype=np.int64)
        self.mode = np.zeros(n, dtype=np.int64)
        self.base_weights = np.ones((n, 2))
        self._mode_flags = {
            name: np.array([getattr(mode, name) for mode in config.modes])
            for name in ("walk", "reach", "stand", "arm_neutral", "scripted_arm")
        }
        self.terms: dict[str, Array] = {}
        self._reset(np.arange(n))
        self._refresh()

    def _build_batch(self) -> None:
        self.model = training_model()
        self.batch = Batch(self.model, self.num_envs, self.config.num_threads)
        b = self.batch
        self._qpos, self._qvel, self._ctrl = b.bind("qpos"), b.bind("qvel"), b.bind("ctrl")
        self._xpos, self._xmat, self._site = b.bind("xpos"), b.bind("xmat"), b.bind("site_xpos")
        self._sensors, self._force = b.bind("sensordata"), b.bind("actuator_force")
        self._base = self.model.body(BASE_LINK).id
        self._ee = self.model.site(EE_LINK).id
        self._feet = [self.model.site(f"{leg}_foot").id for leg in LEGS]
        self._touch = [self.model.sensor(f"{leg}_touch").adr[0] for leg in LEGS]
        self._stand_key = self.model.key("stand").id
        self._friction = b.expand("geom_friction")
        self._mass = b.expand("body_mass")
        self._gain, self._bias = b.expand("actuator_gainprm"), b.expand("actuator_biasprm")
        self._foot_geoms = [self.model.geom(f"{leg}_foot").id for leg in LEGS]

    # --- rsl_rl's interface ------------------------------------------------------------------------------------

    def get_observations(self) -> TensorDict:
        """Return the observation groups as float32 tensors."""
        r, n = self.config.randomization, self.num_envs
        orientation, rate = self._orientation, self._angular_velocity
        position, velocity = self._joint_position, self._joint_velocity
        if r.joint_position_noise > 0:
            position = position + self._rng.normal(0.0, r.joint_position_noise, position.shape)
            velocity = velocity + self._rng.normal(0.0, r.joint_velocity_noise, velocity.shape)
            rate = rate + self._rng.normal(0.0, r.gyro_noise, rate.shape)
            tilt = Rotation.from_rotvec(self._rng.normal(0.0, r.tilt_noise, (n, 3)))
            orientation = (Rotation.from_quat(orientation) * tilt).as_quat()
        inputs = ObservationInputs(
            orientation, rate, position, velocity, self.command, self.ee_target, self.last_action
        )
        policy = self._builder.build(inputs)
        privileged = np.concatenate(
            [
                self._linear_velocity,
                self.ee_target - self._ee_position,
                self._foot_contact,
                self._qpos[:, 2:3],
                *(flags[self.mode][:, None] for flags in self._mode_flags.values()),
            ],
            axis=1,
        )
        return TensorDict(
            {
                "policy": torch.from_numpy(policy),
                "mixing": torch.from_numpy(self.base_weights.astype(np.float32)),
                "privileged": torch.from_numpy(privileged.astype(np.float32)),
            },
            batch_size=[n],
        )

    def step(self, actions: torch.Tensor) -> tuple[TensorDict, torch.Tensor, torch.Tensor, dict]:
        """Advance all environments by one control period."""
        clip = self.config.action_clip
        action = np.clip(actions.detach().numpy().astype(np.float64), -clip, clip)
        scripted = self._mode_flags["scripted_arm"][self.mode]
        if scripted.any():
            targets = self._script.step(self.config.control_period)
            raw = (targets - self.default[ARM_SLICE]) / self.action_scale[ARM_SLICE]
            action[scripted, ARM_SLICE] = raw[scripted]
        self._simulate(np.clip(self.default + self.action_scale * action, self._low, self._high))
        self._push()
        self._refresh()
        self.episode_length_buf += 1
        fallen = (self._qpos[:, 2] < FALL_HEIGHT) | (self._gravity[:, 2] > FALL_GRAVITY)
        reward = self._reward(action, fallen)
        self.last_action = action
        time_outs = (self.episode_length_buf.numpy() >= self.max_episode_length) & ~fallen
        done = fallen | time_outs
        extras = {"time_outs": torch.from_numpy(time_outs), "log": self._log(fallen, done)}
        self._reset(np.flatnonzero(done))
        steps = self.episode_length_buf.numpy()
        self._resample(np.flatnonzero(steps >= self._resample_at))
        if done.any():
            self._refresh()
        return (
            self.get_observations(),
            torch.from_numpy(reward.astype(np.float32)),
            torch.from_numpy(done.astype(np.int64)),
            extras,
        )

    @property
    def base_linear_velocity(self) -> Array:
        """m/s in base_link, (N, 3), after the last step."""
        return self._linear_velocity

    @property
    def base_angular_velocity(self) -> Array:
        """rad/s in base_link, (N, 3), after the last step."""
        return self._angular_velocity

    # --- one control step ------------------------------------------------------------------------------------------

    def _simulate(self, target: Array) -> None:
        for substep in range(self.substeps):
            goal = np.where((self._delay <= substep)[:, None], target, self._goal)
            self._ctrl[:] = np.clip(goal, self._ctrl - self._max_step, self._ctrl + self._max_step)
            self.batch.step()
        self._goal = target

    def _push(self) -> None:
        r = self.config.randomization
        if r.push_interval <= 0:
            return
        pushed = np.flatnonzero(self._rng.random(self.num_envs) < self.config.control_period / r.push_interval)
        self._qvel[pushed, :2] += self._rng.uniform(-r.push_velocity, r.push_velocity, (pushed.size, 2))

    def _refresh(self) -> None:
        """Read the batch into the arrays that observation and reward use."""
        quaternion = self._qpos[:, 3:7]
        self._orientation = quaternion[:, [1, 2, 3, 0]] / np.linalg.norm(quaternion, axis=1, keepdims=True)
        self._gravity = projected_gravity(self._orientation)
        self._angular_velocity = self._qvel[:, 3:6].copy()
        rotation = Rotation.from_quat(self._orientation)
        self._linear_velocity = rotation.apply(self._qvel[:, 0:3], inverse=True)
        self._joint_position = self._qpos[:, 7:].copy()
        self._joint_velocity = self._qvel[:, 6:].copy()
        base = self._xmat[:, self._base].reshape(-1, 3, 3)
        offset = self._site[:, self._ee] - self._xpos[:, self._base]
        # derived fields are one substep old, base and tool alike: their difference is consistent
        self._ee_position = np.einsum("nji,nj->ni", base, offset)
        self._foot_contact = self._sensors[:, self._touch] > 1.0

    def _reward(self, action: Array, fallen: NDArray[np.bool_]) -> Array:
        period = self.config.control_period
        feet = self._site[:, self._feet, :2]
        speed = np.linalg.norm(feet - self._last_foot_position, axis=2) / period
        self._last_foot_position = feet.copy()
        touchdown = self._foot_contact & (self._air_time > 0)
        air_time = np.where(touchdown, self._air_time, 0.0)
        self._air_time = np.where(self._foot_contact, 0.0, self._air_time + period)
        flags = {name: values[self.mode] for name, values in self._mode_flags.items() if name != "scripted_arm"}
        self.ee_error = np.linalg.norm(self.ee_target - self._ee_position, axis=1)
        inputs = RewardInputs(
            linear_velocity=self._linear_velocity,
            angular_velocity=self._angular_velocity,
            gravity=self._gravity,
            height=self._qpos[:, 2],
            joint_position=self._joint_position,
            joint_velocity=self._joint_velocity,
            joint_acceleration=(self._joint_velocity - self._last_joint_velocity) / period,
            torque=self._force,
            command=self.command,
            ee_error=self.ee_error,
            action=action,
            last_action=self.last_action,
            foot_contact=self._foot_contact,
            foot_speed=speed,
            air_time_at_touchdown=air_time,
            fallen=fallen,
            **flags,
        )
        self._last_joint_velocity = self._joint_velocity
        reward, self.terms = total_reward(inputs, self.config.rewards, period)
        return reward

    def _log(self, fallen: NDArray[np.bool_], done: NDArray[np.bool_]) -> dict[str, float]:
        walk, reach = (self._mode_flags[name][self.mode] for name in ("walk", "reach"))
        log = {"/falls": float(fallen.sum() / max(done.sum(), 1))}
        if walk.any():
            error = self._linear_velocity[walk, :2] - self.command[walk, :2]
            log["/linear_error"] = float(np.linalg.norm(error, axis=1).mean())
            log["/yaw_error"] = float(np.abs(self._angular_velocity[walk, 2] - self.command[walk, 2]).mean())
        if reach.any():
            log["/ee_error"] = float(self.ee_error[reach].mean())
        return log

    # --- starting episodes ---------------------------------------------------------------------------------------

    def _reset(self, ids: Ids) -> None:
        if ids.size == 0:
            return
        rng, n, r = self._rng, ids.size, self.config.randomization
        self.batch.reset(ids, keyframe=self._stand_key, stage=mujoco.mjtStage.mjSTAGE_NONE.value)
        joints = self.default + rng.uniform(-0.1, 0.1, (n, NUM_JOINTS))
        self._qpos[ids, 7:] = np.clip(joints, self._low, self._high)
        yaw = rng.uniform(-np.pi, np.pi, n)
        self._qpos[ids, 3], self._qpos[ids, 6] = np.cos(yaw / 2), np.sin(yaw / 2)
        self._qvel[ids, :6] = rng.uniform(-0.1, 0.1, (n, 6))
        self._friction[ids[:, None], self._foot_geoms, 0] = rng.uniform(*r.friction, (n, 1))
        self._mass[ids, self._base] = self.model.body_mass[self._base] + rng.uniform(*r.base_mass, n)
        gain = rng.uniform(*r.gain_scale, (n, 1))
        self._gain[ids, :, 0] = gain * self.model.actuator_gainprm[:, 0]
        self._bias[ids, :, 1:3] = gain[:, :, None] * self.model.actuator_biasprm[:, 1:3]
        self._delay[ids] = rng.integers(r.delay_steps[0], r.delay_steps[1] + 1, n)
        self.batch.forward(ids)
        self.episode_length_buf[torch.from_numpy(ids)] = 0
        self.last_action[ids] = 0.0
        self._goal[ids] = self.default
        self._last_joint_velocity[ids] = 0.0
        self._last_foot_position[ids] = self._site[ids][:, self._feet, :2]
        self._air_time[ids] = 0.0
        self._script.reset(ids)
        self._draw_modes(ids)
        self._resample(ids)

    def _draw_modes(self, ids: Ids) -> None:
        modes = self.config.modes
        probability = np.array([mode.probability for mode in modes])
        self.mode[ids] = self._rng.choice(len(modes), ids.size, p=probability / probability.sum())
        share = self._rng.random(ids.size)  # one draw for both groups: equal ranges give equal weights
        for column, name in enumerate(("base_weight_legs", "base_weight_arm")):
            low, high = np.array([getattr(mode, name) for mode in modes])[self.mode[ids]].T
            self.base_weights[ids, column] = low + share * (high - low)

    def _resample(self, ids: Ids) -> None:
        if ids.size == 0:
            return
        c = self.config
        self.command[ids] = sample_velocity_commands(self._rng, ids.size, c.velocity_limits, c.zero_command_probability)
        self.ee_target[ids] = sample_targets(self._rng, ids.size, c.target_region, self.shoulder)
        wait = self._rng.uniform(*c.resample_interval, ids.size) / c.control_period
        self._resample_at[ids] = self.episode_length_buf.numpy()[ids] + wait.astype(np.int64)
