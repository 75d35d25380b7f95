"""Where a robot's key sites and bodies are, from its joint positions alone: the same for simulators and for clips."""

from __future__ import annotations

import functools
from collections.abc import Callable
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


class _Level:
    """One link of each of K chains; of the powers of the joints only those that frames use are computed."""

    def __init__(self, links: list[_Link]) -> None:
        frames = np.stack([link.frame for link in links])
        self._used = [power for power in range(1, 4) if frames[:, power].any()]
        kept = frames[:, [0, *self._used]]
        self._turns = np.ascontiguousarray(kept[..., :3].reshape(len(links), -1, 3))
        self._places = np.ascontiguousarray(np.moveaxis(kept[..., 3], 1, 0)[..., None])
        self._columns = [link.column for link in links]
        self._references = np.array([link.reference for link in links])[:, None]

    def move(self, points: Array, turned: Array) -> Array:
        """Return points (K, 3, N) of the links in the frames before them, for joints (J, N)."""
        count = points.shape[2]
        parts = (self._turns @ points).reshape(len(points), -1, 3, count)
        moved: Array = parts[:, 0] + self._places[0]
        if self._used:
            q = turned[self._columns] - self._references
            for place, power in enumerate(self._used, start=1):
                moved += (parts[:, place] + self._places[place]) * _POWERS[power](q)[:, None]
        return moved


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
        self._levels = [_Level([chain[i] for chain in padded]) for i in reversed(range(length))]

    def __call__(self, joints: Array) -> Array:
        """Return the key positions in the root's frame, m, (N, K, 3), for joints (N, J), rad."""
        turned = np.ascontiguousarray(joints.T)
        points = np.repeat(self._offsets, len(joints), axis=2)
        for level in self._levels:
            points = level.move(points, turned)
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


_POWERS: tuple[Callable[[Array], Array], ...] = (np.ones_like, np.sin, np.cos, np.asarray)
"""What frames are linear in."""


def _powers(q: Array) -> Array:
    """Return all of them, (4, ...)."""
    return np.stack([power(q) for power in _POWERS])


@functools.lru_cache(maxsize=8)
def key_points(robot: RobotConfig) -> KeyPoints:
    """Return the kinematics of a robot. Raises ConfigError."""
    return KeyPoints(robot)
