"""Where a robot's key sites and bodies are, from its joint positions alone: the same for simulators and for clips."""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace

import mujoco
import numpy as np
from numpy.typing import NDArray

from ..structured import ConfigError
from .robot import RobotConfig, robot_model

Array = NDArray[np.float64]
_HINGE, _SLIDE = mujoco.mjtJoint.mjJNT_HINGE, mujoco.mjtJoint.mjJNT_SLIDE


@dataclass(frozen=True)
class _Link:
    """A joint, or the way to a body: its frame in that of the link before is linear in 1, sin q, cos q and q."""

    frame: Array
    """(4, 3, 4): rotation and position for each of the four."""
    column: int = 0
    """Of the joint among the robot's; of any where the frame is constant."""
    reference: float = 0.0
    """Of the joint in the model's reference pose, from which q counts, rad or m."""


_NOTHING = _Link(np.stack([np.eye(3, 4), *np.zeros((3, 3, 4))]))


class KeyPoints:
    """Forward kinematics of the key sites and bodies, in NumPy for many robots at once.

    Args:
        robot: which one. Joints that it does not name stay at home.

    Raises:
        ConfigError: a ball joint between root and key, or a key that does not move with the root.
    """

    def __init__(self, robot: RobotConfig) -> None:
        model = robot_model(robot)
        sites = [model.site(name) for name in robot.key_sites]
        bodies = [model.body(name).id for name in robot.key_bodies]
        ends = [(int(site.bodyid[0]), site.pos) for site in sites] + [(body, np.zeros(3)) for body in bodies]
        chains = [_chain(model, robot, body) for body, _ in ends]
        length = max(map(len, chains), default=0)
        padded = [[_NOTHING] * (length - len(chain)) + chain for chain in chains]
        self._offsets = np.array([offset for _, offset in ends]).reshape(-1, 3, 1)
        self._frames = [np.stack([chain[i].frame.reshape(12, 4) for chain in padded]) for i in range(length)]
        self._columns = [[chain[i].column for chain in padded] for i in range(length)]
        self._references = [np.array([chain[i].reference for chain in padded])[:, None] for i in range(length)]

    def __call__(self, joints: Array) -> Array:
        """Return the key positions in the root's frame, m, (N, K, 3), for joints (N, J), rad."""
        turned, count = joints.T, len(joints)
        one = np.ones((len(self._offsets), 1, count))
        points = np.repeat(self._offsets, count, axis=2)
        for frames, columns, references in zip(
            reversed(self._frames), reversed(self._columns), reversed(self._references), strict=True
        ):
            parts = (frames @ np.concatenate([points, one], axis=1)).reshape(-1, 4, 3, count)
            powers = _powers(turned[columns] - references)
            points = np.einsum("kfin,fkn->kin", parts, powers)
        return np.moveaxis(points, 2, 0)


def _chain(model: mujoco.MjModel, robot: RobotConfig, body: int) -> list[_Link]:
    """Return the links from the root to a body."""
    if body == model.jnt_bodyid[0]:
        return []
    if body == 0:
        raise ConfigError(f"{robot.model}: a key of the robot does not move with its root")
    turn = np.zeros(9)
    mujoco.mju_quat2Mat(turn, model.body_quat[body])
    place = np.zeros((4, 3, 4))
    place[0, :, :3], place[0, :, 3] = turn.reshape(3, 3), model.body_pos[body]
    first, count = int(model.body_jntadr[body]), int(model.body_jntnum[body])
    joints = [_joint(model, robot, first + number) for number in range(count)]
    return _joined([*_chain(model, robot, int(model.body_parentid[body])), _Link(place), *joints])


def _joined(links: list[_Link]) -> list[_Link]:
    """Return the same chain with constant frames made part of the link after them."""
    chain: list[_Link] = []
    for link in links:
        if chain and not chain[-1].frame[1:].any():
            before = chain.pop().frame[0]
            frame = before[:, :3] @ link.frame
            frame[0, :, 3] += before[:, 3]
            link = replace(link, frame=frame)
        chain.append(link)
    return chain


def _joint(model: mujoco.MjModel, robot: RobotConfig, joint: int) -> _Link:
    name, axis, anchor = model.joint(joint).name, model.jnt_axis[joint], model.jnt_pos[joint]
    frame = np.zeros((4, 3, 4))
    if model.jnt_type[joint] == _HINGE:
        along = np.outer(axis, axis)
        frame[:3, :, :3] = along, np.cross(axis, np.eye(3)).T, np.eye(3) - along  # Rodrigues
        frame[:, :, 3] = -frame[:, :, :3] @ anchor
        frame[0, :, 3] += anchor
    elif model.jnt_type[joint] == _SLIDE:
        frame[0, :, :3], frame[3, :, 3] = np.eye(3), axis
    else:
        raise ConfigError(f"{robot.model}: joint {name} is neither hinge nor slide; keys behind it are not known")
    address = int(model.jnt_qposadr[joint])
    reference = float(model.qpos0[address])
    if name in robot.joints:
        return _Link(frame, robot.joints.index(name), reference)
    home = model.key(robot.keyframe).qpos[address] if robot.keyframe else reference
    return _Link(np.stack([np.tensordot(_powers(np.array(home - reference)), frame, 1), *np.zeros((3, 3, 4))]))


def _powers(q: Array) -> Array:
    """Return what frames are linear in, (4, ...)."""
    return np.stack([np.ones_like(q), np.sin(q), np.cos(q), q])


@functools.lru_cache(maxsize=8)
def key_points(robot: RobotConfig) -> KeyPoints:
    """Return the kinematics of a robot. Raises ConfigError."""
    return KeyPoints(robot)
