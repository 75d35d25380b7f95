"""A plan as people see it: joint positions over its horizon, and the planned robot as simple shapes. ROS-free."""

from __future__ import annotations

from dataclasses import dataclass

import mujoco
import numpy as np
from go2_piper_description.joints import ARM_SLICE, JOINT_NAMES, LEG_SLICE
from go2_piper_description.kinematics import ArmKinematics
from go2_piper_description.links import Mount
from go2_piper_description.mjcf import build_mjcf
from numpy.typing import NDArray
from robot_bridge.types import RobotState
from scipy.spatial.transform import Rotation

from .controller import CemOutput
from .coordinates import ARM_SLICE_12
from .plan import Plan
from .planning import BODY
from .stance import legs_for, trunk_rotation

Array = NDArray[np.float64]

BOX, SPHERE, CYLINDER = "box", "sphere", "cylinder"
PATH_POINTS = 11
_COLLISION_GROUP = 1
_KINDS = {
    mujoco.mjtGeom.mjGEOM_BOX: BOX,
    mujoco.mjtGeom.mjGEOM_SPHERE: SPHERE,
    mujoco.mjtGeom.mjGEOM_CYLINDER: CYLINDER,
    mujoco.mjtGeom.mjGEOM_CAPSULE: CYLINDER,
}


@dataclass(frozen=True)
class Piece:
    """A shape of the planned robot in `base_link` as the robot stands now."""

    kind: str
    """BOX, SPHERE or CYLINDER (along its z axis)."""
    size: tuple[float, float, float]
    """Along x, y and z, m."""
    position: Array
    """m, shape (3,)."""
    orientation: Array
    """Quaternion x, y, z, w, shape (4,)."""


def plan_times(plan: Plan, count: int) -> Array:
    """Return times over the plan's horizon on the clock of its stamp, s, shape (count,)."""
    return np.asarray(plan.stamp + np.linspace(0.0, plan.horizon, count))


def joint_path(output: CemOutput, times: Array) -> Array:
    """Return the 18 joint positions of the plan in force at some times, rad, shape (T, 18).

    Legs that the plan does not move stay where they are commanded now.
    """
    assert output.plan is not None
    coordinates = output.plan.sample_many(times)
    joints = np.tile(output.position, (len(times), 1))
    if output.stance is not None:
        joints[:, LEG_SLICE] = legs_for(coordinates, output.stance.feet)[0]
    joints[:, ARM_SLICE] = coordinates[:, ARM_SLICE_12]
    return joints


def trunk_path(output: CemOutput, state: RobotState, times: Array) -> tuple[Array, Array]:
    """Return the planned trunk in `base_link` as it is now: positions (T, 3), m, and rotations (T, 3, 3)."""
    assert output.plan is not None
    count = len(times)
    if output.stance is None or output.plan_kind != BODY:
        return np.zeros((count, 3)), np.tile(np.eye(3), (count, 1, 1))
    now = output.stance.coordinates(state)[0]
    planned = output.plan.sample_many(times)
    turn = trunk_rotation(now)
    return (planned[:, :3] - now[:3]) @ turn, turn.T @ trunk_rotation(planned)


def planned_pose(output: CemOutput, state: RobotState) -> tuple[Array, Array, Array]:
    """Return the robot at the end of the plan in force, in `odom`.

    Args:
        output: with a plan.
        state: with the base's pose.

    Returns:
        position of `base_link`, m, shape (3,); quaternion x, y, z, w, shape (4,); joints, rad, shape (18,).
    """
    assert output.plan is not None and state.base is not None
    end = plan_times(output.plan, 2)[1:]
    position, rotation = trunk_path(output, state, end)
    turn = Rotation.from_quat(state.base.orientation)
    place = state.base.position + turn.apply(position[0])
    return place, (turn * Rotation.from_matrix(rotation[0])).as_quat(), joint_path(output, end)[0]


class Preview:
    """Draws planned robots from the shapes of the description."""

    def __init__(self, mount: Mount | None = None) -> None:
        self._model = mujoco.MjModel.from_xml_string(build_mjcf(mount, fixed_gripper=True))
        self._data = mujoco.MjData(self._model)
        self._qpos = np.array([self._model.joint(name).qposadr[0] for name in JOINT_NAMES])
        self._arm = ArmKinematics(mount)
        shown = [
            index
            for index in range(self._model.ngeom)
            if self._model.geom_bodyid[index] != 0
            and (
                self._model.geom_group[index] == _COLLISION_GROUP
                or self._model.geom_type[index] == mujoco.mjtGeom.mjGEOM_CAPSULE
            )
        ]
        self._geoms = [(index, _KINDS[mujoco.mjtGeom(self._model.geom_type[index])], self._size(index))
                       for index in shown]  # fmt: skip

    def ee_path(self, output: CemOutput, state: RobotState) -> Array:
        """Return where the plan in force takes `ee_link`, in `base_link` as it is now, m, shape (PATH_POINTS, 3)."""
        assert output.plan is not None
        times = plan_times(output.plan, PATH_POINTS)
        position, rotation = trunk_path(output, state, times)
        in_trunk = self._arm.ee_position(output.plan.sample_many(times)[:, ARM_SLICE_12])
        return position + np.einsum("tij,tj->ti", rotation, in_trunk)

    def robot(self, output: CemOutput, state: RobotState) -> list[Piece]:
        """Return the robot at the end of the plan in force."""
        assert output.plan is not None
        end = plan_times(output.plan, 2)[1:]
        position, rotation = trunk_path(output, state, end)
        model, data = self._model, self._data
        data.qpos[:3] = position[0]
        mujoco.mju_mat2Quat(data.qpos[3:7], rotation[0].ravel())
        data.qpos[self._qpos] = joint_path(output, end)[0]
        mujoco.mj_kinematics(model, data)
        pieces = []
        for index, kind, size in self._geoms:
            quaternion = np.empty(4)
            mujoco.mju_mat2Quat(quaternion, data.geom_xmat[index])
            place = data.geom_xpos[index].copy()
            pieces.append(Piece(kind, size, place, quaternion[[1, 2, 3, 0]]))
        return pieces

    def _size(self, index: int) -> tuple[float, float, float]:
        a, b, c = self._model.geom_size[index].tolist()
        kind = self._model.geom_type[index]
        if kind == mujoco.mjtGeom.mjGEOM_BOX:
            return 2 * a, 2 * b, 2 * c
        if kind == mujoco.mjtGeom.mjGEOM_SPHERE:
            return 2 * a, 2 * a, 2 * a
        length = 2 * b + (2 * a if kind == mujoco.mjtGeom.mjGEOM_CAPSULE else 0.0)
        return 2 * a, 2 * a, length
