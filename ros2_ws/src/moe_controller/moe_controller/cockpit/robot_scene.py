"""The robot in the browser's scene, from the primitives of the link table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from go2_piper_description.joints import GRIPPER
from go2_piper_description.links import FINGER_JOINTS, Link, robot_links
from go2_piper_description.materials import INVISIBLE, MATERIALS
from robot_bridge.types import BaseState
from scipy.spatial.transform import Rotation

from .shapes import primitive

_STILL = 1e-4
"""rad or m; smaller changes are not sent."""


def wxyz(rotation: Rotation) -> tuple[float, float, float, float]:
    """Return a rotation in the order of the scene."""
    x, y, z, w = rotation.as_quat().tolist()
    return w, x, y, z


class RobotScene:
    """Frames of the links, nested as in the robot, so that a joint only turns its own.

    Args:
        scene: of a viser server.
        root: name of the robot's node.
    """

    def __init__(self, scene: Any, root: str = "/robot") -> None:
        self.base = scene.add_frame(root, show_axes=False)
        paths: dict[str, str] = {}
        self._joints: list[tuple[Link, Rotation, Any]] = []
        self._shown: dict[str, float] = {}
        for link in robot_links():
            path = f"{paths[link.parent]}/{link.name}" if link.parent else f"{root}/{link.name}"
            paths[link.name] = path
            turn = Rotation.from_euler("xyz", link.rpy)
            place = link.xyz if link.parent else (0.0, 0.0, 0.0)
            frame = scene.add_frame(path, show_axes=False, wxyz=wxyz(turn), position=place)
            if link.joint is not None:
                self._joints.append((link, turn, frame))
            for index, shape in enumerate(link.shapes):
                if shape.material == INVISIBLE:
                    continue
                vertices, faces = primitive(shape.kind, shape.size)
                colour = tuple(round(255 * float(part)) for part in MATERIALS[shape.material].split()[:3])
                scene.add_mesh_simple(
                    f"{path}/shape{index}", vertices, faces, color=colour, flat_shading=shape.kind == "box",
                    wxyz=wxyz(Rotation.from_euler("xyz", shape.rpy)), position=shape.xyz,
                )  # fmt: skip

    def pose(self, joints: Mapping[str, float], base: BaseState | None) -> None:
        """Put the robot where it is.

        Args:
            joints: positions by name, rad (gripper: m).
            base: in odom; None leaves the robot at the origin.
        """
        for link, turn, frame in self._joints:
            assert link.joint is not None
            finger = link.joint in FINGER_JOINTS
            value = joints[GRIPPER.name if finger else link.joint]
            if abs(value - self._shown.get(link.joint, np.inf)) < _STILL:
                continue
            self._shown[link.joint] = value
            axis = np.array(link.axis)
            if finger:
                frame.position = np.array(link.xyz) + turn.apply(axis * value)
            else:
                frame.wxyz = wxyz(turn * Rotation.from_rotvec(axis * value))
        if base is not None and np.all(np.isfinite(base.position)) and np.all(np.isfinite(base.orientation)):
            self.base.position = base.position
            self.base.wxyz = wxyz(Rotation.from_quat(base.orientation))
