"""The robot in MuJoCo, behind the plant interface."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import mujoco
import numpy as np
from go2_piper_description.joints import GRIPPER, NUM_JOINTS, joint_array
from go2_piper_description.mjcf import REST_HEIGHT
from robot_bridge.plant import PlantError
from robot_bridge.types import Array, BaseState, JointTargets, RobotState

from .disturbance import Pushes, SensorNoise
from .model import RobotModel, load_model, make_torque_actuators

_HELD_TIME = 0.8
_LOOSE_TIME = 1.0
"""s of physics before time zero, in which the robot comes to lie."""
_SETTLE_KD = 3.0
PUSH_SPEED = 0.5
"""m/s of a push that somebody asks for."""
_TIME_EPSILON = 1e-9
_FATAL = (
    mujoco.mjtWarning.mjWARN_BADQPOS,
    mujoco.mjtWarning.mjWARN_BADQVEL,
    mujoco.mjtWarning.mjWARN_BADQACC,
    mujoco.mjtWarning.mjWARN_BADCTRL,
)


@dataclass(frozen=True)
class MujocoOptions:
    """Options of the plant; parameters `plant_options.*` of the bridge. Raises PlantError, in one line."""

    plant_model: str = ""
    """MJCF file of the same robot; empty for the built-in one. Joints are found by name."""
    step_period: float = 0.005
    """s of one `step`; rounded to a multiple of the model's time step."""
    command_delay: float = 0.0
    """s until targets take effect."""
    sensor_noise: float = 0.0
    """Scale of the noise on joints and IMU, 0 none, 1 as in training; see `SensorNoise`."""
    push_interval: float = 0.0
    """s between pushes; 0 for none."""
    push_velocity: float = 0.5
    """m/s, the largest kick of the base."""
    push_start: float = 5.0
    """s, no push before."""
    seed: int = 0
    """Of noise and pushes."""

    def __post_init__(self) -> None:
        for name in ("command_delay", "sensor_noise", "push_interval", "push_velocity", "push_start"):
            if not (np.isfinite(getattr(self, name)) and getattr(self, name) >= 0.0):
                raise PlantError(f"plant_options.{name} is {getattr(self, name)}: it must be 0 or more")
        if not 0.0 < self.step_period <= 0.1:
            raise PlantError(f"plant_options.step_period is {self.step_period}: it must be above 0 and at most 0.1 s")


class MujocoPlant:
    """A `SteppedPlant`: time passes only in `step`. Deterministic for a given seed and sequence of writes."""

    Options = MujocoOptions

    def __init__(self, options: MujocoOptions | None = None) -> None:
        self.options = options or MujocoOptions()
        self.robot: RobotModel = load_model(self.options.plant_model)
        make_torque_actuators(self.robot)
        self.model = self.robot.model
        self.data = mujoco.MjData(self.model)
        self._substeps = max(1, round(self.options.step_period / self.model.opt.timestep))
        self._pending: deque[tuple[float, JointTargets]] = deque()
        self._steps = 0
        self._noise = SensorNoise(self.options.sensor_noise, self.options.seed)
        self._pushes = Pushes(self.options.push_interval, self.options.push_velocity, self.options.push_start,
                              self.options.seed)  # fmt: skip
        self._kick = np.random.default_rng([self.options.seed, 3])
        self._state: RobotState | None = None

    # -- plant interface ---------------------------------------------------------------------------------------------

    @property
    def time(self) -> float:
        """Simulation time, s, since the end of settling."""
        # a product, not a sum, so that a long run does not drift
        return self._steps * self.step_period

    @property
    def step_period(self) -> float:
        """Simulation time of one `step`, s."""
        return self._substeps * float(self.model.opt.timestep)

    def start(self) -> None:
        """Lay the robot down in its rest pose and let it settle."""
        if mujoco.get_mju_user_warning() is None:
            # by default MuJoCo writes a log file into the working directory; `step` raises instead
            mujoco.set_mju_user_warning(lambda _: None)
        mujoco.mj_resetData(self.model, self.data)
        self._lay_down()
        # held first, so that it does not roll on landing; then loose, as the safety gate will have it
        for kp, seconds in ((joint_array("kp"), _HELD_TIME), (np.zeros(NUM_JOINTS), _LOOSE_TIME)):
            self._apply(JointTargets(joint_array("rest"), kp=kp, kd=np.full(NUM_JOINTS, _SETTLE_KD)))
            for _ in range(round(seconds / self.model.opt.timestep)):
                mujoco.mj_step(self.model, self.data)
        self.data.time = 0.0
        self._steps = 0
        self._pending.clear()
        self._measure()

    def push(self) -> str:
        """Kick the base now; return what was done."""
        kick = self._kick.uniform(-1.0, 1.0, 2)
        kick *= PUSH_SPEED / np.linalg.norm(kick)
        self.data.qvel[self.robot.base_qvel : self.robot.base_qvel + 2] += kick
        return f"pushed by {kick[0]:.2f}, {kick[1]:.2f} m/s"

    def stop(self) -> None:
        """Damp. Nothing is left to release in a simulation."""
        self._apply(JointTargets(np.zeros(NUM_JOINTS), kd=np.full(NUM_JOINTS, 5.0)))

    def read(self) -> RobotState | None:
        """Return the state after the last step; the same object until the next one."""
        return self._state

    def write(self, targets: JointTargets) -> None:
        """Hand over targets, which take effect `command_delay` later."""
        self._pending.append((self.time + self.options.command_delay, targets))

    def step(self) -> None:
        """Let `step_period` pass.

        Raises:
            PlantError: if the simulation has become unstable.
        """
        kick = self._pushes.kick(self.time, self.step_period)
        if kick is not None:
            self.data.qvel[self.robot.base_qvel : self.robot.base_qvel + 2] += kick
        for index in range(self._substeps):
            now = self.time + index * float(self.model.opt.timestep)
            while self._pending and self._pending[0][0] <= now + _TIME_EPSILON:
                self._apply(self._pending.popleft()[1])
            mujoco.mj_step(self.model, self.data)
        self._steps += 1
        if any(self.data.warning[kind].number for kind in _FATAL):
            raise PlantError(f"simulation became unstable at {self.time:.3f} s: check the model and the targets")
        self._measure()

    # -- inside --------------------------------------------------------------------------------------------------------

    def _lay_down(self) -> None:
        """Set the pose of the `rest` keyframe, by joint name; of the joint table where the model has none."""
        robot, data = self.robot, self.data
        data.qpos[robot.base_qpos : robot.base_qpos + 7] = (0.0, 0.0, REST_HEIGHT, 1.0, 0.0, 0.0, 0.0)
        data.qpos[robot.joint_qpos] = joint_array("rest")
        key = mujoco.mj_name2id(self.model, mujoco.mjtObj.mjOBJ_KEY, "rest")
        if key >= 0:
            data.qpos[:] = self.model.key_qpos[key]
            data.qvel[:] = self.model.key_qvel[key]

    def _apply(self, targets: JointTargets) -> None:
        """Set gains and control so that force = kp (position - q) + kd (velocity - dq) + effort."""
        model, index = self.model, self.robot.actuators
        model.actuator_biasprm[index, 1] = -targets.kp
        model.actuator_biasprm[index, 2] = -targets.kd
        self.data.ctrl[index] = targets.kp * targets.position + targets.kd * targets.velocity + targets.effort
        gripper = self.robot.gripper_actuator
        if gripper is not None:
            model.actuator_biasprm[gripper, 1:3] = (-GRIPPER.kp, -GRIPPER.kd)
            if targets.gripper_position is not None:
                self.data.ctrl[gripper] = GRIPPER.kp * targets.gripper_position

    def _measure(self) -> None:
        robot, data = self.robot, self.data
        orientation = data.qpos[robot.base_qpos + 3 : robot.base_qpos + 7][[1, 2, 3, 0]]
        angular_velocity = data.qvel[robot.base_qvel + 3 : robot.base_qvel + 6].copy()
        world_velocity = data.qvel[robot.base_qvel : robot.base_qvel + 3]
        gripper = robot.gripper_qpos
        actuator = robot.gripper_actuator
        truth = RobotState(
            stamp=self.time,
            position=data.qpos[robot.joint_qpos],
            velocity=data.qvel[robot.joint_qvel],
            effort=data.actuator_force[robot.actuators],
            orientation=orientation,
            angular_velocity=angular_velocity,
            linear_acceleration=self._specific_force(),
            gripper_position=0.0 if gripper is None else float(data.qpos[gripper]),
            gripper_velocity=0.0 if gripper is None else float(data.qvel[robot.gripper_qvel]),
            gripper_effort=0.0 if actuator is None else float(data.actuator_force[actuator]),
            base=BaseState(
                position=data.qpos[robot.base_qpos : robot.base_qpos + 3].copy(),
                orientation=orientation,
                linear_velocity=_rotate_inverse(orientation, world_velocity),
                angular_velocity=angular_velocity,
            ),
        )
        self._state = self._noise.apply(truth)

    def _specific_force(self) -> Array:
        """Return what an accelerometer in the IMU reads, m/s2, shape (3,), of the step that has just passed."""
        mujoco.mj_rnePostConstraint(self.model, self.data)
        result = np.zeros(6)
        if self.robot.imu_site is not None:
            kind, index = mujoco.mjtObj.mjOBJ_SITE, self.robot.imu_site
        else:
            kind, index = mujoco.mjtObj.mjOBJ_BODY, self.robot.base_body
        mujoco.mj_objectAcceleration(self.model, self.data, kind, index, result, 1)
        return result[3:]


def _rotate_inverse(quaternion: Array, vector: Array) -> Array:
    """Rotate a vector by the inverse of a quaternion x, y, z, w."""
    xyz, w = quaternion[:3], quaternion[3]
    return vector * (2.0 * w * w - 1.0) - 2.0 * w * np.cross(xyz, vector) + 2.0 * xyz * np.dot(xyz, vector)
