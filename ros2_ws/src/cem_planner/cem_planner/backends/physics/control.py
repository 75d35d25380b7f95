"""From knots in the plan's coordinates to the controls of MuJoCo's 18 position actuators, as the executor would.

Inverse kinematics and feed-forward are computed at the knots and the spline runs through the results: between knots
the trunk moves by centimetres, over which the legs' angles are as good as linear.

Left out against the executor are its limits of rate, which the reduced model does not know either, and its posture
feedback.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from go2_piper_description.joints import joint_array
from numpy.typing import NDArray

from ... import splines
from ...coordinates import ARM_SLICE_12
from ...executor import ExecutorSettings
from ...settings import PlannerSettings
from ...stance import legs_for
from .given import Given
from .model import PhysicsOptions

Array = NDArray[np.float64]

_KP, _EFFORT = joint_array("kp"), joint_array("effort")
_MARGIN = ExecutorSettings().position_margin
_LOWER, _UPPER = joint_array("lower") + _MARGIN, joint_array("upper") - _MARGIN
_TORQUE_FRACTION = 0.9
"""Of the effort limit; the safety gate's."""


def control_basis(settings: PlannerSettings, options: PhysicsOptions) -> Array:
    """Return the matrix from knots to the controls of each physics step, shape (S, K), S = steps x substeps + 1.

    The step after the horizon is there because MuJoCo's derived quantities belong to the beginnings of its steps.
    """
    count = settings.num_steps * options.substeps + 1
    times = (np.arange(count) + 0.5) * (settings.time_step / options.substeps)
    return splines.basis(times, settings.plan_horizon, settings.num_knots, settings.spline)


def knot_controls(given: Given, knots: Any, legs: Any, xp: Any = np) -> Any:
    """Return the controls at the knots, rad, shape (n, K, 18), torques as offsets of positions.

    Args:
        given: the problem.
        knots: m and rad, shape (n, K, 12).
        legs: that keep the feet planted at the knots moved by the offset, rad, shape (n, K, 12).
        xp: numpy or jax.numpy.
    """
    moved = knots + given.offset
    joints = xp.concatenate([legs, moved[..., ARM_SLICE_12]], axis=-1)
    joints = xp.clip(joints, _constant(_LOWER, joints), _constant(_UPPER, joints))
    torque = given.torque + (knots - given.torque_at) @ given.torque_slope
    limit = _constant(_TORQUE_FRACTION * _EFFORT, joints)
    return joints + xp.clip(torque, -limit, limit) / _constant(_KP, joints)


def controls(given: Given, knots: Array, basis: Array) -> Array:
    """Return the controls of all steps in NumPy, rad, shape (n, S, 18).

    Args:
        given: the problem.
        knots: m and rad, shape (n, K, 12).
        basis: `control_basis`, shape (S, K).
    """
    legs, _ = legs_for(knots + given.offset, given.feet)
    return np.matmul(basis, knot_controls(given, knots, legs))


def _constant(values: Array, like: Any) -> Any:
    return values.astype(like.dtype)
