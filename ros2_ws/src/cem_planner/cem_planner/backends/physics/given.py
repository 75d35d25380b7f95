"""What a rollout needs of a problem, as plain arrays: the start in MuJoCo's coordinates, goal and feed-forward."""

from __future__ import annotations

from typing import Any, NamedTuple

import mujoco
import numpy as np
from go2_piper_description.joints import ARM_SLICE, LEG_SLICE, NUM_JOINTS
from numpy.typing import NDArray

from ...coordinates import ARM_SLICE_12, NUM_COORDINATES
from ...executor import GravityModel
from ...problem import Problem
from ...stance import NOMINAL_TRUNK, legs_for, trunk_rotation

Array = NDArray[np.float64]

_STEP = 1e-4
"""m and rad, for differences of the feed-forward torque."""
_GRID = np.array([0.01] * 3 + [0.05] * 3 + [0.1] * 6)
"""m and rad; half of it off, the torque is right to 0.05 N m, which moves a joint by less than a milliradian."""
_MOVES = np.vstack([np.zeros(NUM_COORDINATES), _STEP * np.eye(NUM_COORDINATES)])
_TIME = 1e-5
"""s, for the rates of leg joints over planted feet."""


class Given(NamedTuple):
    """One problem as arrays; for JAX a tree of arguments. The world is the stance frame; m, rad, s, N m."""

    qpos: Any
    """shape (25,)."""
    qvel: Any
    """shape (24,)."""
    goal_position: Any
    """shape (3,)."""
    goal_rotation: Any
    """shape (3, 3)."""
    orientation_weight: Any
    """shape ()."""
    posture: Any
    """Of the arm, shape (6,)."""
    posture_factor: Any
    """shape ()."""
    previous_command: Any
    """shape (12,)."""
    offset: Any
    """shape (12,)."""
    feet: Any
    """Planted, shape (4, 3)."""
    feet_now: Any
    """At the start, shape (4, 3)."""
    torque_at: Any
    """Command around which the feed-forward is linear, shape (12,)."""
    torque: Any
    """Feed-forward there, shape (18,)."""
    torque_slope: Any
    """Its derivatives by the coordinates, shape (12, 18)."""


class FeedForward:
    """The executor's feed-forward as a linear function of the command: exact at rest, right to first order beside it.

    The executor evaluates it at each command; here that would be once for each knot of each sample. It is linear
    around the command in force, rounded to a grid, so that a robot that stands still needs no evaluation at all, and
    the result depends on nothing but the problem.
    """

    def __init__(self, gravity: GravityModel) -> None:
        self._gravity = gravity
        self._key: bytes | None = None
        self._linear: tuple[Array, Array, Array] = (np.zeros(0), np.zeros(0), np.zeros(0))

    def around(self, command: Array, feet: Array) -> tuple[Array, Array, Array]:
        """Return the command of the linearisation (12,), torques there, N m, (18,), and their derivatives (12, 18).

        Args:
            command: in force, m and rad, shape (12,).
            feet: planted, m, shape (4, 3).
        """
        point = np.round(command / _GRID) * _GRID
        key = point.tobytes() + feet.tobytes()
        if key != self._key:
            commands = point + _MOVES
            legs, _ = legs_for(commands, feet)
            joints = np.concatenate([legs, commands[:, ARM_SLICE_12]], axis=1)
            turns = trunk_rotation(commands)
            torques = np.stack([self._gravity.torques(turn, row)[0] for turn, row in zip(turns, joints, strict=True)])
            self._key, self._linear = key, (point, torques[0], (torques[1:] - torques[0]) / _STEP)
        return self._linear


def given(problem: Problem, feed_forward: FeedForward) -> Given:
    """Return a problem as arrays of double precision.

    Args:
        problem: state, goal and the rest.
        feed_forward: the executor's.
    """
    now = problem.feet if problem.feet_now is None else problem.feet_now
    qpos, qvel = start(problem.state.position, problem.state.velocity, now)
    goal = problem.goal
    return Given(
        qpos, qvel, goal.position, goal.rotation, np.asarray(goal.orientation_weight), goal.posture,
        np.asarray(goal.posture_factor), problem.previous_command,
        problem.offset, problem.feet, now, *feed_forward.around(problem.previous_command, problem.feet),
    )  # fmt: skip


def start(position: Array, velocity: Array, feet: Array) -> tuple[Array, Array]:
    """Return MuJoCo's qpos (25,) and qvel (24,) of a robot on its feet.

    Args:
        position: in the plan's coordinates, m and rad, shape (12,).
        velocity: their rates, shape (12,). The feet are taken to stand still.
        feet: where they are, m, shape (4, 3).
    """
    qpos, qvel = np.empty(7 + NUM_JOINTS), np.empty(6 + NUM_JOINTS)
    joints, rates = qpos[7:], qvel[6:]
    qpos[:3] = NOMINAL_TRUNK + position[:3]
    mujoco.mju_mat2Quat(qpos[3:7], trunk_rotation(position).ravel())
    (joints[LEG_SLICE], moved), _ = legs_for(np.stack([position, position + _TIME * velocity]), feet)
    joints[ARM_SLICE] = position[ARM_SLICE_12]
    rates[LEG_SLICE] = (moved - joints[LEG_SLICE]) / _TIME
    rates[ARM_SLICE] = velocity[ARM_SLICE_12]
    qvel[:3] = velocity[:3]
    roll, pitch = position[3], position[4]
    sr, cr, sp, cp = np.sin(roll), np.cos(roll), np.sin(pitch), np.cos(pitch)
    qvel[3:6] = np.array([[1.0, 0.0, -sp], [0.0, cr, cp * sr], [0.0, -sr, cp * cr]]) @ velocity[3:6]
    return qpos, qvel
