"""Forward kinematics of the arm in `base_link`, vectorised NumPy, from the link table."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from .joints import ARM_JOINT_NAMES
from .links import ARM_BASE_LINK, EE_LINK, FRAMES, SHOULDER_HEIGHT, Mount, robot_links

Array = NDArray[np.float64]


def _transform(xyz: tuple[float, float, float], rpy: tuple[float, float, float]) -> Array:
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_euler("xyz", rpy).as_matrix()
    matrix[:3, 3] = xyz
    return matrix


class ArmKinematics:
    """Pose of `ee_link` in `base_link` for batches of arm joint positions."""

    def __init__(self, mount: Mount | None = None) -> None:
        links = {link.joint: link for link in robot_links(mount) if link.joint in ARM_JOINT_NAMES}
        base = next(link for link in robot_links(mount) if link.name == ARM_BASE_LINK)
        tool = next(frame for frame in FRAMES if frame.name == EE_LINK)
        self._base = _transform(base.xyz, base.rpy)
        self._joints = [_transform(links[name].xyz, links[name].rpy) for name in ARM_JOINT_NAMES]
        self._tool = _transform(tool.xyz, tool.rpy)

    @property
    def shoulder(self) -> Array:
        """Position of joint 2 in `base_link`, m, shape (3,): the centre of the workspace."""
        return (self._base @ np.array([0.0, 0.0, SHOULDER_HEIGHT, 1.0]))[:3]

    def ee_transform(self, arm_positions: Array) -> Array:
        """Return homogeneous transforms `base_link` <- `ee_link`.

        Args:
            arm_positions: rad, shape (..., 6), canonical order.

        Returns:
            shape (..., 4, 4), translations in m.
        """
        q = np.asarray(arm_positions, dtype=np.float64)
        pose = np.broadcast_to(self._base, (*q.shape[:-1], 4, 4))
        for index, offset in enumerate(self._joints):
            turn = np.zeros((*q.shape[:-1], 4, 4))
            c, s = np.cos(q[..., index]), np.sin(q[..., index])
            turn[..., 0, 0], turn[..., 0, 1], turn[..., 1, 0], turn[..., 1, 1] = c, -s, s, c
            turn[..., 2, 2] = turn[..., 3, 3] = 1.0
            pose = pose @ offset @ turn
        return pose @ self._tool

    def ee_position(self, arm_positions: Array) -> Array:
        """Return the position of `ee_link` in `base_link`, m, shape (..., 3)."""
        return self.ee_transform(arm_positions)[..., :3, 3]
