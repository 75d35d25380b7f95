"""Forward and inverse kinematics of the arm in `base_link`, vectorised NumPy, from the link table."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from .joints import ARM_JOINT_NAMES, ARM_SLICE, joint_array
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
        self.shoulder: Array = (self._base @ np.array([0.0, 0.0, SHOULDER_HEIGHT, 1.0]))[:3]
        """Position of joint 2 in `base_link`, m, shape (3,): the centre of the workspace."""
        self._read_lengths()

    def ee_transform(self, arm_positions: Array) -> Array:
        """Return homogeneous transforms `base_link` <- `ee_link`.

        Args:
            arm_positions: rad, shape (..., 6), canonical order.

        Returns:
            shape (..., 4, 4), translations in m.
        """
        q = np.asarray(arm_positions, dtype=np.float64)
        joints = np.moveaxis(q, -1, 0)  # first, so that what belongs to a joint lies together
        c, s = np.cos(joints), np.sin(joints)
        turn = np.zeros((*joints.shape, 4, 4))
        turn[..., 0, 0], turn[..., 0, 1], turn[..., 1, 0], turn[..., 1, 1] = c, -s, s, c
        turn[..., 2, 2] = turn[..., 3, 3] = 1.0
        pose = self._base
        for offset, one in zip(self._joints, turn, strict=True):
            pose = pose @ offset @ one
        return pose @ self._tool

    def ee_position(self, arm_positions: Array) -> Array:
        """Return the position of `ee_link` in `base_link`, m, shape (..., 3)."""
        return self.ee_transform(arm_positions)[..., :3, 3]

    # --- inverse -------------------------------------------------------------------------------------------------

    def inverse(self, position: Array, rotation: Array) -> tuple[Array, NDArray[np.bool_]]:
        """Return the joint positions that put `ee_link` at a pose, in closed form (the wrist axes meet in one point).

        Of the eight solutions it takes the one of a normal arm: turned towards the wrist (not folded back over the
        shoulder), elbow up, joint 4 within +-90 degrees. Where a pose is out of reach the arm points at it, and joints
        are limited to their ranges: the result always is a pose that the arm can take.

        Args:
            position: m in `base_link`, shape (..., 3).
            rotation: rotation matrices `base_link` <- `ee_link`, shape (..., 3, 3).

        Returns:
            rad, shape (..., 6), canonical order, within the joint ranges; and whether the pose is reached, shape (...).
        """
        base = self._base[:3, :3]
        end = base.T @ rotation  # the end-effector's axes in the arm's base frame
        wrist = (position - self._base[:3, 3]) @ base - self._wrist_to_ee * end[..., 2] - self._shoulder_offset
        x, y, z = wrist[..., 0], wrist[..., 1], wrist[..., 2]
        turn = np.arctan2(y, x)
        flat = np.hypot(x, y)
        # the two links in their plane: elevations e2 of the upper arm and e3 of the forearm's frame
        cosine = (flat**2 + z**2 - self._upper**2 - self._fore**2) / (2.0 * self._upper * self._fore)
        bend = -np.arccos(cosine.clip(-1.0, 1.0))
        e2 = np.arctan2(z, flat) - np.arctan2(self._fore * np.sin(bend), self._upper + self._fore * np.cos(bend))
        e3 = e2 + bend - self._fore_angle
        second, third = _wrap(-e2 - self._zero2), _wrap(e2 - e3 - self._zero3)
        second = np.where(second < -0.5 * np.pi, second + 2.0 * np.pi, second)  # joint 2 goes from 0 to 180 degrees
        third = np.where(third > 0.5 * np.pi, third - 2.0 * np.pi, third)

        forearm = _forearm_axes(turn, e3)
        link6 = end @ self._tool[:3, :3].T
        m = np.swapaxes(forearm, -1, -2) @ link6
        # with the axes of the forearm as (joint 4, 5, 6) = z, y, z
        side = np.hypot(m[..., 0, 2], m[..., 1, 2])
        straight = side < 1e-6
        flip = np.where(m[..., 0, 2] < 0.0, -1.0, 1.0)  # the branch with joint 4 within +-90 degrees
        fourth = np.where(straight, 0.0, np.arctan2(flip * m[..., 1, 2], flip * m[..., 0, 2]))
        fifth = np.arctan2(flip * side, m[..., 2, 2])
        sixth = np.where(
            straight,
            np.arctan2(m[..., 1, 0], m[..., 0, 0]),
            np.arctan2(flip * m[..., 2, 1], -flip * m[..., 2, 0]),
        )
        joints = np.empty((*turn.shape, 6))
        for index, angle in enumerate((turn, second, third, fourth, fifth, sixth)):
            joints[..., index] = angle
        limited = joints.clip(self._lower, self._upper_limit)
        reached = (np.abs(cosine) <= 1.0) & (np.abs(joints - limited) < 1e-9).all(axis=-1)
        return limited, reached

    def _read_lengths(self) -> None:
        """Take from the link table what the closed form needs."""
        self._lower, self._upper_limit = joint_array("lower")[ARM_SLICE], joint_array("upper")[ARM_SLICE]
        offsets = self._joints
        self._shoulder_offset = offsets[0][:3, 3]
        self._upper = float(offsets[2][0, 3])
        a, d = float(offsets[3][0, 3]), -float(offsets[3][1, 3])
        self._fore, self._fore_angle = float(np.hypot(a, d)), float(np.arctan2(d, a))
        self._zero2 = float(np.arctan2(-offsets[1][2, 0], offsets[1][0, 0]))
        self._zero3 = float(np.arctan2(offsets[2][1, 0], offsets[2][0, 0]))
        self._wrist_to_ee = float(-offsets[5][1, 3] + self._tool[2, 3])


def _forearm_axes(turn: Array, elevation: Array) -> Array:
    """Return the axes in which joints 4, 5, 6 turn about z, y, z, in the arm's base frame, shape (..., 3, 3)."""
    ct, st, ce, se = np.cos(turn), np.sin(turn), np.cos(elevation), np.sin(elevation)
    axes = np.zeros((*turn.shape, 3, 3))
    axes[..., 0, 0], axes[..., 1, 0], axes[..., 2, 0] = ct * ce, st * ce, se  # forward: x of frame 3
    axes[..., 0, 1], axes[..., 1, 1] = -st, ct  # to the side
    axes[..., 0, 2], axes[..., 1, 2], axes[..., 2, 2] = -ct * se, -st * se, ce  # along joint 4's axis: -y of frame 3
    return axes


def _wrap(angle: Array) -> Array:
    return (angle + np.pi) % (2.0 * np.pi) - np.pi
