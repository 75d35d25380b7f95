"""Load a MuJoCo model of the robot and find its joints and actuators by name."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import mujoco
import numpy as np
from go2_piper_description.joints import GRIPPER, JOINT_NAMES, JOINTS, Joint
from go2_piper_description.links import BASE_LINK, IMU_LINK
from go2_piper_description.mjcf import build_mjcf
from numpy.typing import NDArray
from robot_bridge.plant import PlantError

IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class RobotModel:
    """A compiled model and where the robot is in it. Index arrays have shape (18,), canonical order."""

    model: mujoco.MjModel
    joint_qpos: IntArray
    joint_qvel: IntArray
    actuators: IntArray
    base_body: int
    base_qpos: int
    """First of the 7 position coordinates of the base."""
    base_qvel: int
    """First of its 6 velocity coordinates."""
    imu_site: int | None
    gripper_qpos: int | None
    """None where the fingers are welded."""
    gripper_qvel: int
    gripper_actuator: int | None


def load_model(path: str = "", mjcf: str = "") -> RobotModel:
    """Compile the robot's model.

    Args:
        path: MJCF file of the same robot; empty for the one built from the joint and link tables.
        mjcf: text of such a file, if `path` is empty.

    Raises:
        PlantError: in one line, if the file cannot be read or lacks a joint or an actuator.
    """
    source = path or "built-in model"
    try:
        if path:
            if not Path(path).is_file():
                raise PlantError(f"plant model {path}: no such file; give the path of an MJCF file")
            model = mujoco.MjModel.from_xml_path(path)
        else:
            model = mujoco.MjModel.from_xml_string(mjcf or build_mjcf())
    except (ValueError, mujoco.FatalError) as error:
        detail = " ".join(str(error).split())
        raise PlantError(f"plant model {source}: MuJoCo cannot load it: {detail}") from error
    return _locate(model, source)


def _locate(model: mujoco.MjModel, source: str) -> RobotModel:
    joints = {model.joint(index).name: index for index in range(model.njnt)}
    missing = [name for name in JOINT_NAMES if name not in joints]
    if missing:
        raise PlantError(
            f"plant model {source}: {len(missing)} of {len(JOINT_NAMES)} joints are missing "
            f"({', '.join(missing[:3])}{', ...' if len(missing) > 3 else ''}); name them as in the joint table"
        )
    driven = _actuators_by_joint(model)
    undriven = [name for name in JOINT_NAMES if len(driven.get(joints[name], [])) != 1]
    if undriven:
        count = len(driven.get(joints[undriven[0]], []))
        raise PlantError(f"plant model {source}: joint {undriven[0]} has {count} actuators, it needs exactly 1")
    free = [index for index in range(model.njnt) if model.jnt_type[index] == mujoco.mjtJoint.mjJNT_FREE]
    if not free:
        raise PlantError(f"plant model {source}: no floating base (a body with a free joint)")
    base = next((index for index in free if model.body(model.jnt_bodyid[index]).name == BASE_LINK), free[0])
    order = [joints[name] for name in JOINT_NAMES]
    gripper = joints.get(GRIPPER.name)
    gripper_actuators = driven.get(gripper, []) if gripper is not None else []
    imu = mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_SITE, IMU_LINK)
    return RobotModel(
        model=model,
        joint_qpos=np.array([model.jnt_qposadr[index] for index in order], dtype=np.int64),
        joint_qvel=np.array([model.jnt_dofadr[index] for index in order], dtype=np.int64),
        actuators=np.array([driven[index][0] for index in order], dtype=np.int64),
        base_body=int(model.jnt_bodyid[base]),
        base_qpos=int(model.jnt_qposadr[base]),
        base_qvel=int(model.jnt_dofadr[base]),
        imu_site=imu if imu >= 0 else None,
        gripper_qpos=None if gripper is None else int(model.jnt_qposadr[gripper]),
        gripper_qvel=0 if gripper is None else int(model.jnt_dofadr[gripper]),
        gripper_actuator=gripper_actuators[0] if gripper_actuators else None,
    )


def _actuators_by_joint(model: mujoco.MjModel) -> dict[int, list[int]]:
    driven: dict[int, list[int]] = {}
    for index in range(model.nu):
        if model.actuator_trntype[index] == mujoco.mjtTrn.mjTRN_JOINT:
            driven.setdefault(int(model.actuator_trnid[index, 0]), []).append(index)
    return driven


def make_torque_actuators(robot: RobotModel) -> None:
    """Turn the robot's actuators into `force = ctrl - kp q - kd dq`, limited to the effort of the joint table.

    MuJoCo evaluates such a force in every physics step and integrates its damping implicitly, so a stiff PD is as
    stable as on the real joint controllers. Gains start at zero.
    """
    pairs: list[tuple[int, Joint]] = list(zip(robot.actuators.tolist(), JOINTS, strict=True))
    if robot.gripper_actuator is not None:
        pairs.append((robot.gripper_actuator, GRIPPER))
    model = robot.model
    for index, joint in pairs:
        model.actuator_dyntype[index] = mujoco.mjtDyn.mjDYN_NONE
        model.actuator_gaintype[index] = mujoco.mjtGain.mjGAIN_FIXED
        model.actuator_biastype[index] = mujoco.mjtBias.mjBIAS_AFFINE
        model.actuator_gainprm[index] = 0.0
        model.actuator_gainprm[index, 0] = 1.0
        model.actuator_biasprm[index] = 0.0
        model.actuator_gear[index] = (1.0, 0.0, 0.0, 0.0, 0.0, 0.0)
        model.actuator_ctrllimited[index] = 0
        model.actuator_forcelimited[index] = 1
        model.actuator_forcerange[index] = (-joint.effort, joint.effort)
