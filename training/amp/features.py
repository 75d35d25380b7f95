"""What the discriminator sees: motion without the goal, from simulation and from clips by the same function."""

from __future__ import annotations

import dataclasses
import functools
from dataclasses import dataclass

import mujoco
import numpy as np
from numpy.typing import NDArray

from .key_points import key_points
from .motion import Motion, MotionError
from .robot import RobotConfig

Array = NDArray[np.float64]


@dataclass(frozen=True)
class DiscObsSpec:
    """Which numbers make a state, in order: see `disc_state`."""

    joints: tuple[str, ...]
    keys: tuple[str, ...]
    """Key sites, then key bodies."""

    @property
    def state_size(self) -> int:
        """Numbers per state."""
        return 10 + 2 * len(self.joints) + 3 * len(self.keys)

    @property
    def size(self) -> int:
        """Numbers per transition."""
        return 2 * self.state_size


def build_disc_obs_spec(robot: RobotConfig) -> DiscObsSpec:
    """Return the discriminator's observation of a robot."""
    return DiscObsSpec(robot.joints, robot.key_sites + robot.key_bodies)


def rotation(quaternion: Array) -> Array:
    """Return rotation matrices (..., 3, 3) of quaternions w, x, y, z, (..., 4), of any length."""
    w, x, y, z = np.moveaxis(quaternion / np.linalg.norm(quaternion, axis=-1, keepdims=True), -1, 0)
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    matrix = np.empty((*quaternion.shape[:-1], 3, 3))
    for i, row in enumerate(rows):
        for j, entry in enumerate(row):
            matrix[..., i, j] = entry
    return matrix


@dataclass(frozen=True)
class MotionState:
    """Robots at one time; arrays over (N,)."""

    turn: Array
    """World <- root, (N, 3, 3)."""
    position: Array
    """Of the root in the world, m, (N, 3)."""
    velocity: Array
    """Of the root, in its own frame, m/s, (N, 3)."""
    rate: Array
    """Of the root, in its own frame, rad/s, (N, 3)."""
    joints: Array
    """rad, (N, J)."""
    speeds: Array
    """rad/s, (N, J)."""
    keys: Array
    """Key sites and bodies in the frame of the root, m, (N, K, 3)."""

    @functools.cached_property
    def gravity(self) -> Array:
        """Direction of gravity in the root's frame, (N, 3)."""
        return -self.turn[:, 2, :]

    @functools.cached_property
    def yaw(self) -> Array:
        """Heading of the root's x axis in the world, rad, (N,)."""
        return np.arctan2(self.turn[:, 1, 0], self.turn[:, 0, 0])

    def with_rows(self, ids: NDArray[np.int64], rows: MotionState) -> MotionState:
        """Return the state with other robots in the rows `ids`."""
        arrays = {field.name: getattr(self, field.name).copy() for field in dataclasses.fields(self)}
        for name, array in arrays.items():
            array[ids] = getattr(rows, name)
        return MotionState(**arrays)


def motion_state(root: Array, velocity: Array, joints: Array, speeds: Array, keys: Array) -> MotionState:
    """Return the state from MuJoCo's numbers.

    Args:
        root: qpos of the free joint, (N, 7).
        velocity: qvel of the free joint, (N, 6).
        joints: (N, J).
        speeds: (N, J).
        keys: positions in the frame of the root, (N, K, 3).
    """
    turn = rotation(root[:, 3:7])
    inverse = np.swapaxes(turn, 1, 2)
    return MotionState(
        turn,
        root[:, :3],
        (inverse @ velocity[:, :3, None])[..., 0],
        velocity[:, 3:6],
        joints,
        speeds,
        keys,
    )


def disc_state(state: MotionState) -> NDArray[np.float32]:
    """Return height, gravity, velocity, rate, joints, speeds and key positions as one row each, (N, D)."""
    parts = [state.position[:, 2:], state.gravity, state.velocity, state.rate, state.joints, state.speeds]
    return np.concatenate([*parts, state.keys.reshape(len(state.keys), -1)], axis=1, dtype=np.float32)


def motion_states(robot: RobotConfig, motion: Motion) -> MotionState:
    """Return the states of all frames of a motion; key positions by the model's kinematics, other joints at home.

    Raises:
        MotionError: the motion lacks joints of the robot, or has another rate than its control.
    """
    wanted = 1.0 / robot.control_period
    if abs(motion.rate - wanted) > 1e-6 * wanted:
        raise MotionError(f"clips of {motion.rate:g} Hz, the robot is controlled at {wanted:g} Hz: resample them")
    motion = motion.select(robot.joints)
    joints = motion.qpos[:, 7:]
    return motion_state(motion.qpos[:, :7], motion.qvel[:, :6], joints, motion.qvel[:, 6:], key_points(robot)(joints))


def build_expert_disc_obs(robot: RobotConfig, motion: Motion) -> NDArray[np.float32]:
    """Return all transitions of a motion, (T - clips, 2 D); none leads from clip to clip. Raises MotionError."""
    states = disc_state(motion_states(robot, motion))
    ends = np.cumsum(motion.lengths)
    starts = ends - np.array(motion.lengths)
    pairs = [np.hstack([states[a : b - 1], states[a + 1 : b]]) for a, b in zip(starts, ends, strict=True)]
    return np.concatenate(pairs)


def home_state(model: mujoco.MjModel, robot: RobotConfig) -> Array:
    """Return qpos at the home pose."""
    return np.array(model.key(robot.keyframe).qpos if robot.keyframe else model.qpos0, dtype=np.float64)


def joint_addresses(model: mujoco.MjModel, robot: RobotConfig) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return where the robot's joints are in qpos and in qvel, (J,) each."""
    joints = [model.joint(name) for name in robot.joints]
    return (
        np.array([joint.qposadr[0] for joint in joints], dtype=np.int64),
        np.array([joint.dofadr[0] for joint in joints], dtype=np.int64),
    )
