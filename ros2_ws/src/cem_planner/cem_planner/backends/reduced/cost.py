"""The cost of a batch of knots as one pure JAX function: lags, kinematics and the terms of `costs.py`, unrolled.

Arrays inside have shape (T, n), time first, so that sums over time run along whole rows of samples.

`joint_limits` counts the arm only: over planted feet the box of the knots keeps hips and thighs far from their limits,
and the calf's is the leg's length, which has a term. Angles of the legs would double the time of a plan.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import reduce
from operator import add

import jax.numpy as jnp
import numpy as np
from go2_piper_description.joints import ARM_SLICE, LEGS, joint_array
from go2_piper_description.links import Mount
from jax import Array as JaxArray
from numpy.typing import NDArray

from ... import costs, splines
from ...coordinates import ARM_SLICE_12, NUM_COORDINATES
from ...costs import TERM
from ...lag import LagParameters
from ...problem import Problem
from ...settings import PlannerSettings
from . import model
from .model import Response, Vector

CostFunction = Callable[[JaxArray, JaxArray, JaxArray], JaxArray]

_AROUND = (0, 2, 3, 1)
"""Feet in counterclockwise order."""

_FIELDS = (
    ("position", NUM_COORDINATES),
    ("velocity", NUM_COORDINATES),
    ("previous_command", NUM_COORDINATES),
    ("offset", NUM_COORDINATES),
    ("goal_position", 3),
    ("goal_rotation", 9),
    ("orientation_weight", 1),
    ("feet", 3 * len(LEGS)),
    ("posture", 6),
    ("posture_factor", 1),
)
PROBLEM_SIZE = sum(size for _, size in _FIELDS)


def pack(problem: Problem) -> NDArray[np.float32]:
    """Return a problem as one vector, shape (PROBLEM_SIZE,): each argument of an executable costs some 10 us a call."""
    return np.concatenate(
        [
            problem.state.position,
            problem.state.velocity,
            problem.previous_command,
            problem.offset,
            problem.goal.position,
            problem.goal.rotation.ravel(),
            [problem.goal.orientation_weight],
            problem.feet.ravel(),
            problem.goal.posture,
            [problem.goal.posture_factor],
        ]
    ).astype(np.float32)


def cost_function(settings: PlannerSettings, lag: LagParameters, mount: Mount | None = None) -> CostFunction:
    """Return `cost(problem, weights, knots)`: pure, jittable for any number of samples.

    Its arguments are float32 arrays: problem (PROBLEM_SIZE,) as `pack` makes it, weights (len(TERM_NAMES),) and knots
    (K, 12, n), samples last; it returns costs (n,). Horizon, knots, spline, time step, first sigmas (the unit of
    `command_rate`), lags and the robot's masses and lengths are constants in it.
    """
    position, velocity = _responses(settings, lag)
    shape = model.arm_shape(mount)
    scale = costs.rate_scale(settings)
    steps = settings.num_steps
    last = np.arange(steps) == steps - 1

    def cost(problem: JaxArray, weights: JaxArray, knots: JaxArray) -> JaxArray:
        given = _unpack(problem)
        x = _trajectory(position, given, knots, range(NUM_COORDINATES))
        v = _trajectory(velocity, given, knots, range(6))
        running, end_effector = _steps(shape, given, weights, x, v)
        share = 1.0 / steps + weights[TERM["terminal_ee"]] * last.astype(np.float32)
        each = running * (1.0 / steps) + end_effector * share[:, None]
        # a matrix product, which XLA does not fuse with what is before it: that is then computed for whole rows of
        # samples at once and not, in a sum's inner loop, for the 25 steps of one, of which 8 vectors leave one over
        total = (jnp.ones((1, steps), jnp.float32) @ each)[0]
        rate = costs.command_rate(jnp.moveaxis(knots, -1, 0), given["previous_command"], scale)
        return total + weights[TERM["command_rate"]] * rate

    return cost


def goal_error_function(
    settings: PlannerSettings, lag: LagParameters, mount: Mount | None = None
) -> Callable[[JaxArray, JaxArray], JaxArray]:
    """Return `error(problem, knots)`: distance of `ee_link` from the goal at the end of knots (K, 12), m, ()."""
    position, _ = _responses(settings, lag)
    end = Response(position.free[-1:], position.forced[-1:], position.held[-1:])
    shape = model.arm_shape(mount)

    def error(problem: JaxArray, knots: JaxArray) -> JaxArray:
        given = _unpack(problem)
        x = _trajectory(end, given, knots[..., None], range(NUM_COORDINATES))
        turned = model.rotate(model.rotation_rows(x[3], x[4], x[5]), model.arm_points(shape, tuple(x[6:])).ee)
        trunk, goal = model.trunk_position((x[0], x[1], x[2])), given["goal_position"]
        return jnp.sqrt(_sum((goal[i] - trunk[i] - turned[i]) ** 2 for i in range(3)))[0, 0]

    return error


def _responses(settings: PlannerSettings, lag: LagParameters) -> tuple[Response, Response]:
    times = (np.arange(settings.num_steps) + 0.5) * settings.time_step
    basis = splines.basis(times, settings.plan_horizon, settings.num_knots, settings.spline)
    return model.responses(lag, basis, settings.time_step)


def _unpack(problem: JaxArray) -> dict[str, JaxArray]:
    values, begin = {}, 0
    for name, size in _FIELDS:
        values[name] = problem[begin : begin + size]
        begin += size
    return values


def _trajectory(response: Response, given: dict[str, JaxArray], knots: JaxArray, which: range) -> list[JaxArray]:
    """Return the coordinates over time, each of shape (T, n), of knots (K, 12, n)."""
    rows: list[JaxArray] = []
    for i in which:
        free = response.free[:, i, 0] * given["position"][i] + response.free[:, i, 1] * given["velocity"][i]
        begin = free + response.held[:, i] * given["offset"][i]
        forced = jnp.asarray(response.forced[:, :, i], jnp.float32)
        # a sum of products, which XLA fuses with what follows; a matrix product it would not
        moved = _sum(forced[:, k, None] * knots[None, k, i] for k in range(forced.shape[1]))
        rows.append(jnp.asarray(begin, jnp.float32)[:, None] + moved)
    return rows


def _steps(
    shape: model.ArmShape, given: dict[str, JaxArray], weights: JaxArray, x: list[JaxArray], v: list[JaxArray]
) -> tuple[JaxArray, JaxArray]:
    """Return the running terms and those of the end-effector, weighted, of each step; both of shape (T, n)."""
    points = model.arm_points(shape, tuple(x[6:]))
    rows = model.rotation_rows(x[3], x[4], x[5])
    trunk = model.trunk_position((x[0], x[1], x[2]))

    def weighted(name: str, term: JaxArray) -> JaxArray:
        return weights[TERM[name]] * term

    turned = model.rotate(rows, points.ee)
    height = trunk[2] + turned[2]
    goal = given["goal_position"]
    square = _sum((goal[i] - trunk[i] - turned[i]) ** 2 for i in range(3))
    distance = jnp.sqrt(square + costs.EE_ROUNDING**2) - costs.EE_ROUNDING
    rotation = given["goal_rotation"].reshape(3, 3)
    wanted = [model.rotate_back(rows, (rotation[0, i], rotation[1, i], rotation[2, i])) for i in range(3)]
    trace = _sum(
        axis[i] * column[i]
        for axis, column in zip((points.x_axis, points.y_axis, points.z_axis), wanted, strict=True)
        for i in range(3)
    )
    end_effector = (
        weighted("ee_position", distance)
        + weighted("ee_position_squared", square)
        + given["orientation_weight"][0] * weighted("ee_orientation", costs.ee_orientation(trace, jnp))
    )

    posture = given["posture"]
    lower, upper = joint_array("lower")[ARM_SLICE], joint_array("upper")[ARM_SLICE]
    q = x[ARM_SLICE_12]
    limits = _sum(_outside(q[i], lower[i] + costs.JOINT_MARGIN, upper[i] - costs.JOINT_MARGIN) for i in range(6))
    up = rows[2][2]
    running = (
        weighted("base_position", x[0] ** 2 + x[1] ** 2)
        + weighted("base_height", x[2] ** 2)
        + weighted("base_tilt", 1.0 - up)
        + weighted("base_yaw", x[5] ** 2)
        + weighted("base_velocity", _sum(rate**2 for rate in v))
        + given["posture_factor"][0] * weighted("posture", _sum((q[i] - posture[i]) ** 2 for i in range(6)))
        + weighted("joint_limits", limits)
        + weighted("clearance", _clearance(points))
        + weighted("ee_height", costs.ee_height(height, jnp))
        + weighted("support_margin", _support(shape, given["feet"], points, rows, trunk))
        + weighted("leg_length", _leg_length(given["feet"], rows, trunk))
    )
    return running, end_effector


def _sum(terms: Iterable[JaxArray]) -> JaxArray:
    """Return the sum of arrays; the built-in begins with a number."""
    return reduce(add, terms)


def _outside(value: JaxArray, lower: float, upper: float) -> JaxArray:
    """Return the squared distance from an interval: the two hinges of a limit in one."""
    return (value - jnp.clip(value, float(lower), float(upper))) ** 2


def _clearance(points: model.ArmPoints) -> JaxArray:
    middle = tuple(0.5 * (a + b) for a, b in zip(points.elbow, points.wrist, strict=True))
    near = costs.CLEARANCE + costs.ARM_RADIUS
    total: JaxArray = jnp.zeros(())
    for point in (points.elbow, points.wrist, middle, points.ee):
        square = _sum(jnp.maximum(jnp.abs(point[i]) - costs.TRUNK_HALF_SIZES[i], 0.0) ** 2 for i in range(3))
        total = total + costs.hinge(near - jnp.sqrt(square), jnp)
    return total


def _support(
    shape: model.ArmShape,
    feet: JaxArray,
    points: model.ArmPoints,
    rows: tuple[Vector, Vector, Vector],
    trunk: Vector,
) -> JaxArray:
    mass = 1.0 / shape.total_mass
    com = model.rotate(rows, (points.moment[0] * mass, points.moment[1] * mass, points.moment[2] * mass))
    x, y = trunk[0] + com[0], trunk[1] + com[1]
    place = feet.reshape(len(LEGS), 3)
    total: JaxArray = jnp.zeros(())
    for begin, end in zip(_AROUND, (*_AROUND[1:], _AROUND[0]), strict=True):
        ex, ey = place[end, 0] - place[begin, 0], place[end, 1] - place[begin, 1]
        length = jnp.sqrt(ex * ex + ey * ey + 1e-12)  # feet in one place make no edge, and no division by zero
        margin = (ex * (y - place[begin, 1]) - ey * (x - place[begin, 0])) / length
        total = total + costs.hinge(costs.SUPPORT_MARGIN - margin, jnp)
    return total


def _foot(feet: JaxArray, leg: int, rows: tuple[Vector, Vector, Vector], trunk: Vector) -> Vector:
    """Return a foot in `base_link`."""
    return model.rotate_back(
        rows, (feet[3 * leg] - trunk[0], feet[3 * leg + 1] - trunk[1], feet[3 * leg + 2] - trunk[2])
    )


def _leg_length(feet: JaxArray, rows: tuple[Vector, Vector, Vector], trunk: Vector) -> JaxArray:
    total: JaxArray = jnp.zeros(())
    for leg in range(len(LEGS)):
        length = jnp.sqrt(jnp.maximum(model.leg_length_squared(_foot(feet, leg, rows, trunk), leg), 0.0))
        total = total + _outside(length, *costs.LEG_LENGTH)
    return total
