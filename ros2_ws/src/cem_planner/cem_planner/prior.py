"""The policy's proposal in the plan's coordinates: one candidate, and the centre of some samples."""

from __future__ import annotations

from dataclasses import dataclass

import mujoco
import numpy as np
from go2_piper_description.joints import ARM_SLICE, LEG_SLICE, joint_array
from moe_controller.controller import MoeController
from numpy.typing import NDArray

from . import leg_kinematics, splines
from .coordinates import ARM_SLICE_12, NUM_COORDINATES, TRUNK_ROTATION_SLICE
from .lag import LagParameters
from .problem import PlanState, Problem
from .settings import PlannerSettings
from .stance import NOMINAL_TRUNK, Stance, legs_for, trunk_rotation

Array = NDArray[np.float64]

_KP = joint_array("kp")
PLANS_PER_QUESTION = 3
"""Plans from one question to the next; see `PolicyPrior`."""
_MOMENT = 1e-5
"""s, for the rates of leg joints over planted feet."""


def trunk_over_feet(legs: Array, stance: Stance) -> Array:
    """Return the six trunk coordinates that fit leg positions to planted feet best (least squares).

    Args:
        legs: rad, shape (12,).
        stance: the planted feet.
    """
    feet = leg_kinematics.forward(legs)
    middle, planted = feet.mean(axis=0), stance.feet.mean(axis=0)
    u, _, vt = np.linalg.svd((stance.feet - planted).T @ (feet - middle))
    rotation = u @ np.diag([1.0, 1.0, np.sign(np.linalg.det(u @ vt))]) @ vt  # stance <- base_link
    position = planted - rotation @ middle
    roll = np.arctan2(rotation[2, 1], rotation[2, 2])
    pitch = np.arcsin(np.clip(-rotation[2, 0], -1.0, 1.0))
    yaw = np.arctan2(rotation[1, 0], rotation[0, 0])
    return np.concatenate([position - NOMINAL_TRUNK, [roll, pitch, yaw]])


def coordinates_of(targets: Array, effort: Array, stance: Stance | None) -> Array:
    """Return the plan's coordinates that joint targets of the policy amount to, m and rad, shape (12,).

    The policy carries the weight by targets beside the wanted places; the executor does it by torques. What the torques
    in force do is taken off the targets.

    Args:
        targets: of the 18 joints, rad, shape (18,).
        effort: feed-forward torques in force, N m, shape (18,).
        stance: the planted feet; None where the trunk is not planned: its coordinates are 0.
    """
    joints = targets - effort / _KP
    coordinates = np.zeros(NUM_COORDINATES)
    if stance is not None:
        coordinates[:6] = trunk_over_feet(joints[LEG_SLICE], stance)
    coordinates[ARM_SLICE_12] = joints[ARM_SLICE]
    return coordinates


class PolicyPrior:
    """Rolls the policy out over the horizon, in the reduced model: from knot to knot, asked once at each.

    One question costs two thirds of a plan, so that every third plan asks one: a rollout over K knots takes 3 (K - 1)
    plans, and is offered, shifted in time, until the next one is there. Before the first, and while the base walks, the
    policy's present targets are held.
    """

    def __init__(self, policy: MoeController, settings: PlannerSettings, lag: LagParameters) -> None:
        """Prepare; arguments are the policy's controller, the plan's knots and how coordinates follow commands."""
        self._policy, self._lag = policy, lag
        self._horizon, self._kind = settings.plan_horizon, settings.spline
        self._times = splines.knot_times(settings.plan_horizon, settings.num_knots, settings.spline)
        self.reset()

    def reset(self) -> None:
        """Forget all rollouts."""
        self._stance: Stance | None = None
        self._done: tuple[float, Array] | None = None
        self._way: _Way | None = None

    def knots(
        self, now: float, problem: Problem, targets: Array, effort: Array, stance: Stance | None
    ) -> NDArray[np.floating]:
        """Return the proposal, m and rad, shape (K, 12); to be called once per plan.

        Args:
            now: s on the clock of the states.
            problem: its state and offset.
            targets: what the policy asks for now, rad, shape (18,).
            effort: feed-forward torques in force, N m, shape (18,).
            stance: the planted feet; None where only the arm is planned.

        Raises:
            PolicyFault: the policy gave nothing usable.
        """
        if stance is None or stance is not self._stance or len(self._times) == 1:
            self.reset()
            self._stance = stance
        if stance is not None and len(self._times) > 1:
            self._go_on(now, problem, targets, effort, stance)
        if self._done is None or not 0.0 <= now - self._done[0] <= self._horizon:
            return np.tile(coordinates_of(targets, effort, stance), (len(self._times), 1))
        stamp, knots = self._done
        return splines.shift(knots, now - stamp, self._horizon, self._kind)

    def _go_on(self, now: float, problem: Problem, targets: Array, effort: Array, stance: Stance) -> None:
        """Begin a rollout, or take it one knot further."""
        way = self._way
        if way is None or now < way.stamp:
            self._way = _Way(now, problem.state, targets, [coordinates_of(targets, effort, stance)])
            return
        way.plans += 1
        if way.plans % PLANS_PER_QUESTION == 0:
            self._ask(way, problem.offset, effort, stance)
        if len(way.knots) == len(self._times):
            self._done, self._way = (way.stamp, np.array(way.knots)), None

    def _ask(self, way: _Way, offset: Array, effort: Array, stance: Stance) -> None:
        """Go on to the next knot, and ask the policy there."""
        count = len(way.knots)
        step = self._lag.discrete(float(self._times[count] - self._times[count - 1]))
        target = self._lag.target(way.knots[-1], offset)
        position, velocity = step.apply(way.state.position, way.state.velocity, target)
        (legs, moved), _ = legs_for(np.stack([position, position + _MOMENT * velocity]), stance.feet)
        way.state = PlanState(position, velocity)
        quaternion = np.empty(4)
        mujoco.mju_mat2Quat(quaternion, trunk_rotation(position).ravel())
        way.targets = self._policy.imagine(
            quaternion[[1, 2, 3, 0]],
            velocity[TRUNK_ROTATION_SLICE],  # rates of roll, pitch and yaw, as good as that for small angles
            np.concatenate([legs, position[ARM_SLICE_12]]),
            np.concatenate([(moved - legs) / _MOMENT, velocity[ARM_SLICE_12]]),
            way.targets,
        )
        way.knots.append(coordinates_of(way.targets, effort, stance))


@dataclass
class _Way:
    """A rollout that is not finished."""

    stamp: float
    state: PlanState
    """At the last knot."""
    targets: Array
    """Of the policy there, rad, shape (18,)."""
    knots: list[Array]
    plans: int = 0
    """Since it began."""
