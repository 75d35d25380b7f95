"""The cost terms of a rollout in full physics, for NumPy and JAX alike."""

from __future__ import annotations

from typing import Any

import numpy as np
from go2_piper_description.joints import ARM_SLICE, NUM_JOINTS, joint_array

from ... import costs, leg_kinematics
from ...costs import TERM
from ...stance import NOMINAL_TRUNK
from .given import Given
from .model import SENSORS

DIVERGED_COST = 1e6
"""Of a rollout that did not get to its end or whose cost is no number: finite, and worse than any fall."""

_LOWEST, _HIGHEST = joint_array("lower") + costs.JOINT_MARGIN, joint_array("upper") - costs.JOINT_MARGIN
_PLACE = {name: slice(3 * index, 3 * index + 3) for index, name in enumerate(SENSORS)}
_TORQUES = slice(3 * len(SENSORS), 3 * len(SENSORS) + NUM_JOINTS)
_AXES = slice(_PLACE["ee_x"].start, _PLACE["ee_z"].stop)
_FEET = slice(_PLACE["FL_foot"].start, _PLACE["RR_foot"].stop)
_FEET_IN_BASE = slice(_PLACE["FL_foot_in_base"].start, _PLACE["RR_foot_in_base"].stop)
_POINTS = slice(_PLACE["wrist"].start, _PLACE["ee_in_base"].stop)
_AROUND = [0, 2, 3, 1]
"""Feet in counterclockwise order."""
_AFTER = [2, 3, 1, 0]


def terms(given: Given, sensors: Any, qpos: Any, qvel: Any, xp: Any = np) -> dict[str, Any]:
    """Return each term of each step by its name, shape (n, T); without `terminal_ee` and `command_rate`.

    Args:
        given: the problem.
        sensors: in the order of the model, shape (n, T, sensors).
        qpos: shape (n, T, 25), of the same moments.
        qvel: shape (n, T, 24), of the same moments.
        xp: numpy or jax.numpy.
    """

    def constant(values: Any) -> Any:
        return np.asarray(values, dtype=sensors.dtype)

    def vectors(place: slice) -> Any:
        return sensors[..., place].reshape(*sensors.shape[:-1], -1, 3)

    error = given.goal_position - sensors[..., _PLACE["ee"]]
    trace = (vectors(_AXES) * given.goal_rotation.T).sum((-2, -1))
    base = qpos[..., :3]
    w, x, y, z = (qpos[..., index] for index in range(3, 7))
    up = 1.0 - 2.0 * (x * x + y * y)
    yaw = xp.arctan2(2.0 * (x * y + w * z), 1.0 - 2.0 * (y * y + z * z))
    joints = qpos[..., 7:]
    offset = base - constant(NOMINAL_TRUNK)
    arm = joints[..., ARM_SLICE] - given.posture
    feet = vectors(_FEET_IN_BASE) - constant(leg_kinematics.HIPS)
    length = xp.sqrt(xp.maximum((feet * feet).sum(-1) - constant(leg_kinematics.HIP_OFFSETS**2), 0.0))
    drift = vectors(_FEET) - given.feet_now
    points = vectors(_POINTS)
    points = xp.concatenate([points, 0.5 * (points[..., :1, :] + points[..., 1:2, :])], axis=-2)
    torque = sensors[..., _TORQUES] / constant(joint_array("effort"))
    # both hinges of `costs.joint_limits` in one, in a third of the time
    beyond = joints - xp.clip(joints, constant(_LOWEST), constant(_HIGHEST))
    return {
        "ee_position": costs.ee_position(error, xp),
        "ee_position_squared": costs.ee_position_squared(error),
        "ee_orientation": given.orientation_weight * costs.ee_orientation(trace, xp),
        "base_position": offset[..., 0] ** 2 + offset[..., 1] ** 2,
        "base_height": offset[..., 2] ** 2,
        "base_tilt": 1.0 - up,
        "base_yaw": yaw * yaw,
        "base_velocity": (qvel[..., :6] ** 2).sum(-1),
        "foot_drift": (drift * drift).sum((-2, -1)),
        "support_margin": costs.support_margin(_margins(given.feet, sensors[..., _PLACE["com"]], xp), xp),
        "posture": given.posture_factor * (arm * arm).sum(-1),
        "leg_length": costs.leg_length(length, xp),
        "joint_limits": (beyond * beyond).sum(-1),
        "torque": (torque * torque).mean(-1),
        "clearance": costs.clearance(points, xp),
        "ee_height": costs.ee_height(sensors[..., _PLACE["ee"]][..., 2], xp),
        "fall": costs.fallen(base[..., 2], up).astype(sensors.dtype),
    }


def _margins(feet: Any, com: Any, xp: Any) -> Any:
    """Return how far the centre of mass lies inside of each edge between the feet, m, shape (n, T, 4)."""
    begin, end = feet[np.array(_AROUND)], feet[np.array(_AFTER)]
    edge = end[:, :2] - begin[:, :2]
    length = xp.sqrt((edge * edge).sum(-1) + 1e-12)  # feet in one place make no edge, and no division by zero
    place = com[..., None, :2] - begin[:, :2]
    return (edge[:, 0] * place[..., 1] - edge[:, 1] * place[..., 0]) / length


def total(given: Given, values: dict[str, Any], knots: Any, weights: Any, scale: Any, intact: Any, xp: Any = np) -> Any:
    """Return the cost of each rollout, shape (n,), always finite.

    Args:
        given: the problem.
        values: of `terms`.
        knots: m and rad, shape (n, K, 12).
        weights: in the order of `TERM_NAMES`.
        scale: of the command's rate, `costs.rate_scale`.
        intact: whether each rollout got to its end, shape (n,).
        xp: numpy or jax.numpy.
    """
    end_effector = ("ee_position", "ee_position_squared", "ee_orientation")
    reach = sum(weights[TERM[name]] * values[name] for name in end_effector)
    running = sum((weights[TERM[name]] * term for name, term in values.items() if name not in end_effector), reach)
    cost = running.mean(-1) + weights[TERM["terminal_ee"]] * reach[..., -1]
    cost = cost + weights[TERM["command_rate"]] * costs.command_rate(knots, given.previous_command, scale)
    return xp.where(intact & xp.isfinite(cost), xp.minimum(cost, DIVERGED_COST), DIVERGED_COST)


def goal_distance(given: Given, sensors: Any, xp: Any = np) -> Any:
    """Return the distance of the end-effector from the goal at each rollout's end, m, shape (n,)."""
    error = given.goal_position - sensors[..., -1, _PLACE["ee"]]
    return xp.sqrt((error * error).sum(-1))
