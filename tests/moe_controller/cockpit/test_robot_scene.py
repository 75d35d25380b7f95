"""The robot in the browser's scene stands as the one in MuJoCo does."""

from __future__ import annotations

import mujoco
import numpy as np
from go2_piper_description.joints import GRIPPER, JOINTS
from go2_piper_description.links import FINGER_JOINTS, robot_links
from robot_bridge.types import BaseState
from scipy.spatial.transform import Rotation

from tests.go2_piper_description.models import set_joints, urdf_model

from .scenes import Remembered


def pose_in_scene(scene: Remembered, path: str) -> tuple[np.ndarray, Rotation]:
    """Return where a frame is, through all those that it hangs in."""
    position, turn = np.zeros(3), Rotation.identity()
    parts = path.strip("/").split("/")
    for depth in range(len(parts)):
        frame = scene.handles["/" + "/".join(parts[: depth + 1])]
        position = position + turn.apply(np.asarray(frame.position))
        w, x, y, z = np.asarray(frame.wxyz)
        turn = turn * Rotation.from_quat([x, y, z, w])
    return position, turn


def test_links_are_where_mujoco_has_them(scene: Remembered) -> None:
    from moe_controller.cockpit.robot_scene import RobotScene

    robot = RobotScene(scene)
    random = np.random.default_rng(0)
    data = mujoco.MjData(urdf_model())
    place = np.array([0.5, -0.2, 0.3])
    turn = Rotation.from_euler("xyz", [0.1, -0.2, 1.0])
    paths = {path.rpartition("/")[2]: path for path in scene.handles if "shape" not in path}
    for _ in range(3):
        joints = {joint.name: float(random.uniform(joint.lower, joint.upper)) for joint in (*JOINTS, GRIPPER)}
        robot.pose(joints, BaseState(place, turn.as_quat(), np.zeros(3), np.zeros(3)))
        fingers = dict.fromkeys(FINGER_JOINTS, joints[GRIPPER.name])
        set_joints(urdf_model(), data, {**{joint.name: joints[joint.name] for joint in JOINTS}, **fingers})
        for link in robot_links():
            if link.parent is None:
                continue
            position, orientation = pose_in_scene(scene, paths[link.name])
            body = data.body(link.name)
            np.testing.assert_allclose(position, turn.apply(body.xpos) + place, atol=1e-5, err_msg=link.name)
            wanted = turn.as_matrix() @ body.xmat.reshape(3, 3)
            np.testing.assert_allclose(orientation.as_matrix(), wanted, atol=1e-5, err_msg=link.name)
    nowhere = BaseState(np.array([0.0, 0.0, np.nan]), turn.as_quat(), np.zeros(3), np.zeros(3))
    robot.pose(joints, nowhere)
    np.testing.assert_allclose(robot.base.position, place, err_msg="a place that is no number is not shown")
