"""A translucent second robot in a picture or a window: where a plan wants to be."""

from __future__ import annotations

import mujoco
import numpy as np
from robot_bridge.types import Array

from .model import RobotModel

COLOR = (0.20, 0.55, 0.95, 0.30)


def pose(robot: RobotModel, data: mujoco.MjData, base: Array, orientation: Array, joints: Array) -> None:
    """Put a robot somewhere.

    Args:
        robot: the model.
        data: of the model; changed.
        base: position of `base_link` in the world, m, shape (3,).
        orientation: quaternion x, y, z, w, shape (4,).
        joints: rad, shape (18,), canonical order.
    """
    data.qpos[robot.base_qpos : robot.base_qpos + 3] = base
    data.qpos[robot.base_qpos + 3 : robot.base_qpos + 7] = np.asarray(orientation)[[3, 0, 1, 2]]
    data.qpos[robot.joint_qpos] = joints
    mujoco.mj_kinematics(robot.model, data)


def add(scene: mujoco.MjvScene, robot: RobotModel, data: mujoco.MjData) -> None:
    """Draw the robot of `data` into a scene, translucent, beside what is there."""
    first = scene.ngeom
    dynamic = int(mujoco.mjtCatBit.mjCAT_DYNAMIC)
    mujoco.mjv_addGeoms(robot.model, data, mujoco.MjvOption(), mujoco.MjvPerturb(), dynamic, scene)
    for index in range(first, scene.ngeom):
        geom = scene.geoms[index]
        geom.rgba[:] = COLOR
        geom.matid = -1  # a material would bring its own colour
