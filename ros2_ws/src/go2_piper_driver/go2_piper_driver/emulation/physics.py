"""One physics of dog and arm, which both emulators share, so that the arm's motion moves the dog."""

from __future__ import annotations

from dataclasses import dataclass

import mujoco
import numpy as np
from go2_piper_description.joints import ARM_SLICE, GRIPPER, LEG_SLICE, LEGS, NUM_JOINTS, joint_array
from go2_piper_description.mjcf import REST_HEIGHT
from numpy.typing import NDArray
from sim_bridge.model import load_model, make_torque_actuators

Array = NDArray[np.float64]

PERIOD = 0.002
"""s of one step: the rate of the Go2's states."""
_SETTLE_TIME = 1.8
_HELD_TIME = 0.8
_SETTLE_KD = 3.0


@dataclass(frozen=True, eq=False)
class Drive:
    """What motors do: tau = kp (position - q) + kd (velocity - dq) + effort, limited to the joint's effort.

    Zero gains and effort are a motor without power.
    """

    position: Array
    velocity: Array
    effort: Array
    kp: Array
    kd: Array

    @staticmethod
    def off(count: int) -> Drive:
        """Return motors without power."""
        zeros = np.zeros(count)
        return Drive(zeros, zeros, zeros, zeros, zeros)

    @staticmethod
    def damping(count: int, kd: float) -> Drive:
        """Return motors that damp."""
        zeros = np.zeros(count)
        return Drive(zeros, zeros, zeros, zeros, np.full(count, kd))


class Physics:
    """MuJoCo with the robot on a floor. Joint arrays are in canonical order, legs (12,), arm (6,)."""

    def __init__(self) -> None:
        self.robot = load_model()
        make_torque_actuators(self.robot)
        self.model = self.robot.model
        self.model.opt.timestep = PERIOD
        self.data = mujoco.MjData(self.model)
        self._feet = [self.model.sensor(f"{leg}_touch").adr[0] for leg in LEGS]
        self._imu = {name: self.model.sensor(name).adr[0] for name in ("imu_quat", "imu_gyro", "imu_accel")}
        if mujoco.get_mju_user_warning() is None:
            mujoco.set_mju_user_warning(lambda _: None)  # by default MuJoCo writes a log file where it runs
        self.lay_down()

    def lay_down(self) -> None:
        """Put the robot on its belly, at rest."""
        robot, data, rest = self.robot, self.data, joint_array("rest")
        mujoco.mj_resetData(self.model, data)
        data.qpos[robot.base_qpos : robot.base_qpos + 7] = (0.0, 0.0, REST_HEIGHT, 1.0, 0.0, 0.0, 0.0)
        data.qpos[robot.joint_qpos] = rest
        zeros, kd = np.zeros(NUM_JOINTS), np.full(NUM_JOINTS, _SETTLE_KD)
        for seconds, kp in ((_HELD_TIME, joint_array("kp")), (_SETTLE_TIME - _HELD_TIME, zeros)):
            self._drive(slice(0, NUM_JOINTS), Drive(rest, zeros, zeros, kp, kd))
            for _ in range(round(seconds / PERIOD)):
                mujoco.mj_step(self.model, data)
        data.time = 0.0

    def _drive(self, joints: slice, drive: Drive) -> None:
        index = self.robot.actuators[joints]
        self.model.actuator_biasprm[index, 1] = -drive.kp
        self.model.actuator_biasprm[index, 2] = -drive.kd
        self.data.ctrl[index] = drive.kp * drive.position + drive.kd * drive.velocity + drive.effort

    def drive_legs(self, drive: Drive) -> None:
        """Set what the legs' motors do from now on."""
        self._drive(LEG_SLICE, drive)

    def drive_arm(self, drive: Drive) -> None:
        """Set what the arm's motors do from now on."""
        self._drive(ARM_SLICE, drive)

    def drive_gripper(self, travel: float | None) -> None:
        """Move each finger to `travel`, m; None: without power."""
        index = self.robot.gripper_actuator
        assert index is not None
        on = travel is not None
        self.model.actuator_biasprm[index, 1:3] = (-GRIPPER.kp, -GRIPPER.kd) if on else (0.0, 0.0)
        self.data.ctrl[index] = GRIPPER.kp * travel if travel is not None else 0.0

    def step(self) -> None:
        """Let `PERIOD` pass."""
        mujoco.mj_step(self.model, self.data)

    def kick(self, velocity: Array) -> None:
        """Change the velocity of the trunk at once, m/s in the world, shape (3,)."""
        self.data.qvel[self.robot.base_qvel : self.robot.base_qvel + 3] += velocity

    # -- what is measured ----------------------------------------------------------------------------------------------

    @property
    def time(self) -> float:
        """s since the robot was laid down."""
        return float(self.data.time)

    @property
    def position(self) -> Array:
        """rad, shape (18,)."""
        return self.data.qpos[self.robot.joint_qpos]

    @property
    def velocity(self) -> Array:
        """rad/s, shape (18,)."""
        return self.data.qvel[self.robot.joint_qvel]

    @property
    def effort(self) -> Array:
        """N m of the motors, shape (18,)."""
        return self.data.actuator_force[self.robot.actuators]

    @property
    def gripper(self) -> tuple[float, float, float]:
        """Travel of each finger m, its velocity m/s, force N."""
        robot, data = self.robot, self.data
        assert robot.gripper_qpos is not None and robot.gripper_actuator is not None
        force = float(data.actuator_force[robot.gripper_actuator])
        return float(data.qpos[robot.gripper_qpos]), float(data.qvel[robot.gripper_qvel]), force

    @property
    def foot_force(self) -> Array:
        """N between each foot and the ground, FL, FR, RL, RR."""
        return self.data.sensordata[self._feet]

    def imu(self) -> tuple[Array, Array, Array]:
        """Return quaternion w, x, y, z; rad/s; m/s2 (specific force), in the trunk's axes."""
        at, values = self._imu, self.data.sensordata
        quaternion = values[at["imu_quat"] : at["imu_quat"] + 4]
        gyro, accel = values[at["imu_gyro"] : at["imu_gyro"] + 3], values[at["imu_accel"] : at["imu_accel"] + 3]
        return quaternion, gyro, accel

    @property
    def base(self) -> tuple[Array, Array, Array]:
        """The truth: position m, quaternion w, x, y, z, velocity m/s in the world."""
        robot, data = self.robot, self.data
        first = robot.base_qpos
        velocity = data.qvel[robot.base_qvel : robot.base_qvel + 3]
        return data.qpos[first : first + 3].copy(), data.qpos[first + 3 : first + 7].copy(), velocity.copy()
