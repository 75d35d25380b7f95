"""The cost as small named terms, and their weights.

The cost of a sample is the sum over `TERM_NAMES` of weight x term. A term is a mean over the rollout's steps unless
it says otherwise. Weights are an argument of the backends, never a constant in their executables, so that tuning does
not compile anything. The terms below are written for NumPy and JAX alike (`xp` is the array module), so that backends
mean the same by a name; fast backends may unroll them and are tested against these.

Sources of weights and shapes
    [R] trials of the reduced planner in closed loop: `v2`, 1.8 mm, no falls. The trunk is a slow and expensive
        actuator there: with light weights on it 8 of 10 runs fell.
    [T] our own closed-loop trials (`trials.py`). With [R]'s values the trunk crept: goals beyond the arm were still
        10 to 26 mm off after 4 s, now 2 to 5 mm, and the orientation was 1.8 degrees off, now 0.6.
    [A] assumed; only the full-physics backends have these terms.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .coordinates import NUM_COORDINATES, TRUNK_SLICE
from .settings import PlannerSettings, SettingsError, known_fields

EE_ROUNDING = 0.01
"""m; below it the distance of the end-effector counts quadratically. [R]"""
ORIENTATION_SHARE = 0.3
"""Of the square root in the orientation term. [R]"""
ORIENTATION_ROUNDING = 1e-3
"""Under that root. [R]"""
SUPPORT_MARGIN = 0.04
"""m that the centre of mass keeps from each edge of the support polygon. [R]"""
LEG_LENGTH = (0.12, 0.372)
"""m from hip to foot: shortest and longest. [R]"""
JOINT_MARGIN = 0.03
"""rad that joints keep from their limits. [R]"""
CLEARANCE = 0.03
"""m between arm and trunk. [R]"""
ARM_RADIUS = 0.03
"""m around elbow, wrist, the middle of the forearm and the end-effector. [R]"""
TRUNK_HALF_SIZES = (0.28, 0.09, 0.06)
"""m; the trunk as a box around `base_link`. [R]"""
EE_LEAST_HEIGHT = 0.05
"""m above the feet. [R]"""
TRUNK_RATE_FACTOR = 20.0
"""Of the trunk's coordinates in `command_rate`. [R]"""
FALL_HEIGHT = 0.12
"""m; a trunk below it has fallen. [R]"""
FALL_UP = 0.6
"""Cosine of the tilt; a trunk below it has fallen. [R]"""


@dataclass(frozen=True)
class Weights:
    """One weight for each term, in the order of `TERM_NAMES`. Raises SettingsError if one is negative or no number."""

    ee_position: float = 3.0
    """sqrt(e^2 + EE_ROUNDING^2) - EE_ROUNDING of the distance e from the goal, m. [T] 1 in [R]."""
    ee_position_squared: float = 10.0
    """e^2, m^2: pulls more from far away. [R]"""
    ee_orientation: float = 3.0
    """o + ORIENTATION_SHARE sqrt(o + ORIENTATION_ROUNDING), o = (3 - tr(R^T R_goal)) / 2; times the goal's own
    `orientation_weight`, which is 0 where the orientation is free. [T] 1 in [R]."""
    terminal_ee: float = 2.0
    """The three above, with their weights, at the last step. [R]"""
    base_position: float = 10.0
    """x^2 + y^2 of the trunk, m^2. [R]"""
    base_height: float = 10.0
    """z^2, m^2. [R]"""
    base_tilt: float = 10.0
    """1 - up, up the cosine of the tilt. [R]"""
    base_yaw: float = 2.0
    """yaw^2, rad^2. [R]"""
    base_velocity: float = 0.0
    """Squared velocity of the six trunk coordinates. [R] without it: `command_rate` already keeps the trunk slow."""
    foot_drift: float = 100.0
    """Squared distance of the feet from where they stood, their sum, m^2. [A]"""
    support_margin: float = 200.0
    """Hinge squared, m^2: centre of mass less than SUPPORT_MARGIN inside of each edge between the feet. [R]"""
    posture: float = 0.005
    """Squared distance of the arm from the goal's posture, the stand pose where nothing else is said, rad^2; times the
    goal's `posture_factor`. [R]"""
    leg_length: float = 200.0
    """Hinge squared, m^2: hip to foot outside of LEG_LENGTH. [R]"""
    joint_limits: float = 5.0
    """Hinge squared, rad^2: joints less than JOINT_MARGIN inside of their limits. [R]"""
    torque: float = 0.01
    """Squared torque over limit, the mean over joints. [A]"""
    command_rate: float = 0.002
    """Squared steps from knot to knot over sigma, and from the command in force to the first knot; trunk times
    TRUNK_RATE_FACTOR; a sum, not a mean. [T] 0.006 in [R]."""
    clearance: float = 300.0
    """Hinge squared, m^2: points of the arm closer than CLEARANCE to the trunk. [R]"""
    ee_height: float = 100.0
    """Hinge squared, m^2: end-effector below EE_LEAST_HEIGHT. [R]"""
    fall: float = 100.0
    """Share of the steps in which the trunk has fallen (FALL_HEIGHT, FALL_UP). [A]"""

    def __post_init__(self) -> None:
        for item in fields(self):
            value = getattr(self, item.name)
            if isinstance(value, bool) or not isinstance(value, (int, float)):
                raise SettingsError(f"weights.{item.name} is {value!r}: it must be a number")
            if not (math.isfinite(value) and value >= 0.0):
                raise SettingsError(f"weights.{item.name} is {value}: it must be finite and not negative")

    def array(self) -> NDArray[np.float32]:
        """Return the weights in the order of `TERM_NAMES`, shape (len(TERM_NAMES),)."""
        return np.array([getattr(self, name) for name in TERM_NAMES], dtype=np.float32)

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> Weights:
        """Build weights from names and values; the others keep their defaults.

        Raises:
            SettingsError: also where a name is unknown.
        """
        return cls(**known_fields(cls, values, "weights"))


TERM_NAMES: tuple[str, ...] = tuple(item.name for item in fields(Weights))
TERM: Mapping[str, int] = MappingProxyType({name: index for index, name in enumerate(TERM_NAMES)})
"""Place of each term in `Weights.array`."""

_NEEDS_PHYSICS = ("foot_drift", "torque", "fall")
BACKEND_TERMS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "reduced": tuple(name for name in TERM_NAMES if name not in _NEEDS_PHYSICS),
        "mujoco": TERM_NAMES,
        "mjx": TERM_NAMES,
    }
)
"""Which backend computes which terms. `reduced` has planted feet, no forces and cannot fall; it leaves those at 0."""


# --- terms, for NumPy and JAX ----------------------------------------------------------------------------------------


def ee_position(error: Any, xp: Any = np) -> Any:
    """Return the rounded distance of the end-effector from the goal, m, shape (...).

    Args:
        error: goal minus position, m, shape (..., 3).
        xp: numpy or jax.numpy.
    """
    return xp.sqrt((error * error).sum(-1) + EE_ROUNDING**2) - EE_ROUNDING


def ee_position_squared(error: Any) -> Any:
    """Return the squared distance, m^2, shape (...), of errors of shape (..., 3)."""
    return (error * error).sum(-1)


def ee_orientation(trace: Any, xp: Any = np) -> Any:
    """Return the orientation term, shape (...).

    Args:
        trace: of R^T R_goal, which is 3 where the orientations agree and -1 half a turn apart, shape (...).
        xp: numpy or jax.numpy.
    """
    turned = xp.maximum(0.5 * (3.0 - trace), 0.0)  # rounding may leave it just below 0
    return turned + ORIENTATION_SHARE * xp.sqrt(turned + ORIENTATION_ROUNDING)


def hinge(value: Any, xp: Any = np) -> Any:
    """Return max(0, value)^2: no cost up to a border, a quadratic one beyond it."""
    over = xp.maximum(value, 0.0)
    return over * over


def support_margin(margins: Any, xp: Any = np) -> Any:
    """Return the support term, m^2, shape (...).

    Args:
        margins: of the centre of mass inside of each edge, m, shape (..., edges).
        xp: numpy or jax.numpy.
    """
    return hinge(SUPPORT_MARGIN - margins, xp).sum(-1)


def leg_length(lengths: Any, xp: Any = np) -> Any:
    """Return the leg length term, m^2, shape (...), of distances hip to foot, m, shape (..., legs)."""
    shortest, longest = LEG_LENGTH
    return (hinge(shortest - lengths, xp) + hinge(lengths - longest, xp)).sum(-1)


def joint_limits(position: Any, lower: Any, upper: Any, xp: Any = np) -> Any:
    """Return the limit term, rad^2, shape (...), of joint positions, rad, shape (..., joints)."""
    return (hinge(lower + JOINT_MARGIN - position, xp) + hinge(position - upper + JOINT_MARGIN, xp)).sum(-1)


def clearance(points: Any, xp: Any = np) -> Any:
    """Return the clearance term, m^2, shape (...).

    Args:
        points: of the arm in `base_link`, m, shape (..., points, 3).
        xp: numpy or jax.numpy.
    """
    outside = xp.maximum(xp.abs(points) - xp.asarray(TRUNK_HALF_SIZES, dtype=points.dtype), 0.0)
    distance = xp.sqrt((outside * outside).sum(-1))
    return hinge(CLEARANCE + ARM_RADIUS - distance, xp).sum(-1)


def ee_height(height: Any, xp: Any = np) -> Any:
    """Return the floor term, m^2, shape (...), of heights of the end-effector over the feet, m, shape (...)."""
    return hinge(EE_LEAST_HEIGHT - height, xp)


def fallen(height: Any, up: Any) -> Any:
    """Return where a trunk has fallen: its height over the feet, m, and the cosine of its tilt, both shape (...)."""
    return (height < FALL_HEIGHT) | (up < FALL_UP)


def command_rate(knots: Any, previous_command: Any, scale: Any) -> Any:
    """Return the rate term, shape (n,).

    Args:
        knots: m and rad, shape (n, K, 12).
        previous_command: in force at the plan's beginning, shape (12,).
        scale: of a step in each coordinate, `rate_scale`, shape (12,).
    """
    steps = (knots[:, 1:] - knots[:, :-1]) / scale
    jump = (knots[:, 0] - previous_command) / scale
    return (steps * steps).sum((-2, -1)) + (jump * jump).sum(-1)


def rate_scale(settings: PlannerSettings) -> NDArray[np.float32]:
    """Return the step of each coordinate that costs 1 in `command_rate`, m and rad, shape (12,).

    It is the first sigma, less on the trunk by the root of TRUNK_RATE_FACTOR.
    """
    scale = np.empty(NUM_COORDINATES, dtype=np.float32)
    scale[:3], scale[3:6], scale[6:] = (
        settings.sigma_trunk_position,
        settings.sigma_trunk_rotation,
        settings.sigma_arm,
    )
    scale[TRUNK_SLICE] /= np.sqrt(TRUNK_RATE_FACTOR)
    return scale
