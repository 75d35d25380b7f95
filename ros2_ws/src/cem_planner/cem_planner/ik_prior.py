"""A prior from inverse kinematics of the whole body: trunk offset and arm joints that reach the goal.

One iteration of sampling finds positions, but creeps where the trunk has to help and stalls on orientations (6 degrees
median in the reduced planner's trials), since turning the wrist while holding its place takes several joints at once.
Inverse kinematics knows the answer without obstacles and balance; as one candidate among the samples it cannot hurt,
and the cost decides.

Several solutions are refined side by side by Levenberg-Marquardt steps, a few in each plan, from the arm's present
joints, its closed-form inverse and the other branches of the arm; the best one is offered. Refining ends when nothing
moves any more, so that a robot at its goal pays nothing. A goal that moves a little with every plan, as it does in the
frame of a robot that walks, is followed by the best one alone once it is known.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from go2_piper_description.joints import ARM_SLICE, joint_array
from go2_piper_description.kinematics import ArmKinematics
from go2_piper_description.links import Mount
from numpy.typing import NDArray

from . import costs, splines
from .cem import knot_box
from .coordinates import ARM_SLICE_12, NUM_COORDINATES, TRUNK_SLICE
from .executor import ExecutorSettings
from .problem import Goal, Problem
from .settings import PlannerSettings
from .stance import NOMINAL_TRUNK, trunk_rotation

Array = NDArray[np.float64]

POSITION_WEIGHT = 2000.0
"""Of squared position errors, 1/m^2, against the trunk's weights below: a trunk 5 cm off costs what 4 mm do."""
ROTATION_WEIGHT = 200.0
"""Of squared orientation errors, 1/rad^2, where the goal has an orientation."""
_REST_WEIGHTS: Array = np.array([10.0, 10.0, 10.0, 5.0, 5.0, 2.0] + [0.005] * 6)
"""Of squared distances from the nominal pose: as in `costs.Weights`."""
_LARGEST_STEP: Array = np.array([0.03] * 3 + [0.1] * 3 + [0.4] * 6)
"""m and rad, in one refinement."""
_LIMIT_MARGIN = 0.04
"""rad inside the arm's limits, m and rad inside the trunk's box times 0.95: beyond it costs rise."""
_STILL = 1e-4
"""m and rad; smaller steps are no refinement."""
_MOST_ROUNDS = 60
"""Of refinement for one goal; after half of them only the best solution is refined."""
_SHARES: Array = np.array([0.0, 0.05, 0.1, 0.2, 0.35, 0.6, 1.0])
"""Of the way to the solution that a proposal may go within the horizon."""
_FIRST_ROUNDS = 4
"""In each plan at the beginning: what the samples do before a branch is known, they have to undo."""
NEW_GOAL = 0.05
"""m and rad by which a goal must jump until the branches are tried anew."""
FAR_GOAL = 0.25
"""m and rad by which it may wander until then."""


class _Arm(ArmKinematics):
    """The arm with the axes that its Jacobian needs."""

    def axes(self, q: Array) -> tuple[Array, Array, Array]:
        """Return pose of `ee_link` (S, 4, 4), joint axes (S, 6, 3) and points on them (S, 6, 3), in `base_link`."""
        pose = np.broadcast_to(self._base, (len(q), 4, 4))
        turn = np.zeros((6, len(q), 4, 4))
        c, s = np.cos(q.T), np.sin(q.T)
        turn[..., 0, 0], turn[..., 0, 1], turn[..., 1, 0], turn[..., 1, 1] = c, -s, s, c
        turn[..., 2, 2] = turn[..., 3, 3] = 1.0
        axis, point = np.empty((len(q), 6, 3)), np.empty((len(q), 6, 3))
        for index, offset in enumerate(self._joints):
            pose = pose @ (offset @ turn[index])
            axis[:, index], point[:, index] = pose[:, :3, 2], pose[:, :3, 3]
        return pose @ self._tool, axis, point


class _Solutions(NamedTuple):
    """Solutions side by side."""

    place: Array
    """m and rad, shape (S, 12)."""
    cost: Array
    """shape (S,)."""
    error: Array
    """m and rad, shape (S, 6)."""
    jacobian: Array
    """shape (S, 6, 12)."""


class IkPrior:
    """Makes priors for `Planner.plan`. Deterministic; remembers its solutions from plan to plan."""

    _found: _Solutions
    _trial: Array
    _damping: Array
    _rounds: int
    _following: bool

    def __init__(
        self,
        settings: PlannerSettings,
        weights: costs.Weights | None = None,
        mount: Mount | None = None,
        slew: Array | None = None,
    ) -> None:
        """Prepare to make priors.

        Args:
            settings: knots and box.
            weights: of the planner's cost; None takes the defaults.
            mount: of the arm on the trunk.
            slew: largest rate of each coordinate, m/s and rad/s, shape (12,); None takes the executor's.
        """
        self._arm = _Arm(mount)
        self._weights, self._scale = weights or costs.Weights(), costs.rate_scale(settings)
        self._times = splines.knot_times(settings.plan_horizon, settings.num_knots, settings.spline)
        self._horizon = settings.plan_horizon
        lower, upper = knot_box(settings)
        self._lower, self._upper = lower.astype(np.float64), upper.astype(np.float64)
        self._lower[TRUNK_SLICE] *= 0.95
        self._upper[TRUNK_SLICE] *= 0.95
        self._lower[ARM_SLICE_12] += _LIMIT_MARGIN
        self._upper[ARM_SLICE_12] -= _LIMIT_MARGIN
        self._slew = ExecutorSettings().slew if slew is None else slew
        self._rest = np.zeros(NUM_COORDINATES)
        self._rest[ARM_SLICE_12] = joint_array("stand")[ARM_SLICE]
        self.reset()

    def reset(self) -> None:
        """Forget all solutions."""
        self._goal: Goal | None = None
        self._seeded: Goal | None = None
        self._following = False
        self._begin(np.zeros((1, NUM_COORDINATES)))

    @property
    def solution(self) -> Array:
        """The best solution so far, m and rad, shape (12,); behind a goal that moves, the next step, not yet tried."""
        return (self._trial if self._following else self._found.place)[0].copy()

    def knots(self, problem: Problem) -> Array:
        """Return a proposal, m and rad, shape (K, 12): straight from the command in force to the best solution.

        Args:
            problem: what will be planned; must be finite.
        """
        goal, begin = problem.goal, problem.previous_command
        known, self._following = self._rounds >= _MOST_ROUNDS // 2, False
        rounds = 1 if known else _FIRST_ROUNDS
        before, seeded = self._goal, self._seeded
        if before is None or seeded is None or apart(goal, before) > NEW_GOAL or apart(goal, seeded) > FAR_GOAL:
            self._seeded, rounds = goal, _FIRST_ROUNDS
            self._begin(self._seeds(goal, begin))
        elif apart(goal, before) > 0.0:
            done, self._following = min(self._rounds, _MOST_ROUNDS // 2), known
            self._begin(self._trial[:1] if known else self._found.place)
            self._rounds = done
        self._goal = goal
        for _ in range(rounds):
            if self._rounds < _MOST_ROUNDS:
                self._refine(goal)
        way = self.solution - problem.offset - begin
        reached = (self._share(problem, way) * self._times / self._horizon)[:, None] * way
        most = self._slew * self._times[:, None]
        return np.asarray(begin + np.clip(reached, -most, most))

    def left(self, goal: Goal, places: Array) -> Array:
        """Return what places leave of the end-effector's cost, shape (S,); places in m and rad, shape (S, 12)."""
        weights, (place, turn) = self._weights, self.pose(places)
        error = goal.position - place
        return np.asarray(
            weights.ee_position * costs.ee_position(error)
            + weights.ee_position_squared * costs.ee_position_squared(error)
            + weights.ee_orientation
            * goal.orientation_weight
            * costs.ee_orientation((turn * goal.rotation).sum(axis=(1, 2)))
        )

    def pose(self, places: Array) -> tuple[Array, Array]:
        """Return where `ee_link` is in the stance frame: m, shape (S, 3), and rotations, shape (S, 3, 3)."""
        turn, pose = trunk_rotation(places), self._arm.ee_transform(places[:, ARM_SLICE_12])
        return (turn @ pose[:, :3, 3:])[..., 0] + places[:, :3] + NOMINAL_TRUNK, turn @ pose[:, :3, :3]

    def hindrance(self, places: Array) -> Array:
        """Return the cost of what is in the way, trunk and floor, shape (S,); places as in `left`."""
        pose, _, point = self._arm.axes(places[:, ARM_SLICE_12])
        elbow, wrist, end = point[:, 2], point[:, 3], pose[:, :3, 3]
        points = np.stack([elbow, wrist, 0.5 * (elbow + wrist), end], axis=1)
        height = self.pose(places)[0][:, 2]
        weights = self._weights
        return np.asarray(weights.clearance * costs.clearance(points) + weights.ee_height * costs.ee_height(height))

    # --- inside --------------------------------------------------------------------------------------------------

    def _share(self, problem: Problem, way: Array) -> float:
        """Return how much of the way to go within the horizon: fast motion costs, above all of the trunk."""
        weights = self._weights
        if np.max(np.abs(way / self._scale)) < 0.1:
            return 1.0  # as good as there: nothing to weigh
        left = self.left(problem.goal, problem.previous_command + problem.offset + _SHARES[:, None] * way)
        hurry = weights.command_rate * float(((way / self._scale) ** 2).sum()) / max(len(self._times) - 1, 1)
        # on the way half of what is gained at the end
        cost = (0.5 + weights.terminal_ee) * left + hurry * _SHARES**2
        return float(_SHARES[int(np.argmin(cost))])

    def _begin(self, seeds: Array) -> None:
        """Refine from given places, shape (S, 12)."""
        count = len(seeds)
        self._trial, self._rounds, self._damping = seeds, 0, np.full(count, 0.01)
        unknown = np.full(count, np.inf)
        self._found = _Solutions(seeds, unknown, np.zeros((count, 6)), np.zeros((count, 6, NUM_COORDINATES)))

    def _seeds(self, goal: Goal, begin: Array) -> Array:
        """Return where to start from, shape (S, 12)."""
        arm = begin[ARM_SLICE_12]
        closed, _ = self._arm.inverse(goal.position - NOMINAL_TRUNK, goal.rotation)
        flip, back = np.array([0.0, 0.0, 0.0, np.pi, 0.0, np.pi]), np.array([np.pi, 0.0, 0.0, 0.0, 0.0, 0.0])
        seeds = []
        for start in (arm, closed):
            other = start * [1.0, 1.0, 1.0, 1.0, -1.0, 1.0]  # the wrist's other branch
            seeds += [start, np.where(start > 0.0, other - flip, other + flip)]
        # folded back over the shoulder
        behind = np.where(closed > 0.0, closed - back, closed + back)
        behind[1] = np.pi - closed[1]
        seeds.append(behind)
        rows = np.zeros((len(seeds), NUM_COORDINATES))
        rows[:, TRUNK_SLICE], rows[:, ARM_SLICE_12] = begin[TRUNK_SLICE], seeds
        return np.clip(rows, self._lower, self._upper)

    def _refine(self, goal: Goal) -> None:
        """Take one Levenberg-Marquardt step on all solutions, and put the best one first."""
        weights = np.full(6, POSITION_WEIGHT)
        weights[3:] = ROTATION_WEIGHT if goal.orientation_weight > 0.0 else 0.0
        tried = self._evaluate(goal, self._trial, weights)
        better = tried.cost < self._found.cost
        self._damping = np.clip(self._damping * np.where(better, 0.2, 5.0), 1e-4, 1e4)
        self._found = _Solutions(*(_choose(better, new, old) for new, old in zip(tried, self._found, strict=True)))
        order = np.argsort(self._found.cost, kind="stable")
        if self._rounds >= _MOST_ROUNDS // 2:
            order = order[:1]
        self._damping = self._damping[order]
        self._found = _Solutions(*(part[order] for part in self._found))
        place, _, error, jacobian = self._found

        weighted = jacobian * weights[:, None]
        gradient = _REST_WEIGHTS * (place - self._rest) - (error[:, None] @ weighted)[:, 0]
        hessian = np.swapaxes(jacobian, 1, 2) @ weighted + np.diag(_REST_WEIGHTS)
        hessian = hessian + self._damping[:, None, None] * np.eye(NUM_COORDINATES)
        # what stands at its limit and wants beyond it stays there
        stuck = ((place <= self._lower) & (gradient > 0.0)) | ((place >= self._upper) & (gradient < 0.0))
        free = ~stuck
        hessian = np.where(free[:, :, None] & free[:, None, :], hessian, np.eye(NUM_COORDINATES))
        step = -np.linalg.solve(hessian, np.where(free, gradient, 0.0)[..., None])[..., 0]
        # scaled as a whole, so that it keeps its direction
        step /= np.maximum(np.max(np.abs(step) / _LARGEST_STEP, axis=1, keepdims=True), 1.0)
        self._trial = np.clip(place + step, self._lower, self._upper)
        self._rounds += 1
        if np.max(np.abs(step[0])) < _STILL and self._rounds > _MOST_ROUNDS // 2:
            self._rounds = _MOST_ROUNDS

    def _evaluate(self, goal: Goal, place: Array, weights: Array) -> _Solutions:
        error, jacobian = self._errors(goal, place)
        cost = error**2 @ weights + (place - self._rest) ** 2 @ _REST_WEIGHTS
        return _Solutions(place, cost, error, jacobian)

    def _errors(self, goal: Goal, found: Array) -> tuple[Array, Array]:
        """Return goal minus pose, m and rad, shape (S, 6), and the pose's Jacobian, shape (S, 6, 12)."""
        pose, axis, point = self._arm.axes(found[:, ARM_SLICE_12])
        turn = trunk_rotation(found)
        lever = pose[:, :3, 3]
        position = (turn @ lever[..., None])[..., 0]
        jacobian = np.zeros((len(found), 6, NUM_COORDINATES))
        jacobian[:, :3, 6:] = turn @ np.swapaxes(np.cross(axis, lever[:, None] - point), 1, 2)
        jacobian[:, 3:, 6:] = turn @ np.swapaxes(axis, 1, 2)
        jacobian[:, [0, 1, 2], [0, 1, 2]] = 1.0
        # the trunk turns about x of itself, then y before the roll, then z of the stance
        pitch_yaw = found.copy()
        pitch_yaw[:, 3] = 0.0
        axes = np.zeros((len(found), 3, 3))
        axes[:, 0] = turn[:, :, 0]
        axes[:, 1] = trunk_rotation(pitch_yaw)[:, :, 1]
        axes[:, 2, 2] = 1.0
        jacobian[:, :3, 3:6] = np.swapaxes(np.cross(axes, position[:, None]), 1, 2)
        jacobian[:, 3:, 3:6] = np.swapaxes(axes, 1, 2)
        error = np.empty((len(found), 6))
        error[:, :3] = goal.position - found[:, :3] - NOMINAL_TRUNK - position
        error[:, 3:] = _rotation_error(goal.rotation, turn @ pose[:, :3, :3])
        return error, jacobian


def _rotation_error(goal: Array, rotation: Array) -> Array:
    """Return the rotation vectors that turn rotations (S, 3, 3) into a goal (3, 3), rad, shape (S, 3)."""
    relative = goal @ np.swapaxes(rotation, 1, 2)
    vector = 0.5 * np.stack(
        [
            relative[:, 2, 1] - relative[:, 1, 2],
            relative[:, 0, 2] - relative[:, 2, 0],
            relative[:, 1, 0] - relative[:, 0, 1],
        ],
        axis=1,
    )
    sine = np.linalg.norm(vector, axis=1)
    cosine = 0.5 * (np.trace(relative, axis1=1, axis2=2) - 1.0)
    angle = np.arctan2(sine, cosine)
    return vector * np.where(sine > 1e-9, angle / np.maximum(sine, 1e-9), 1.0)[:, None]


def apart(one: Goal, other: Goal) -> float:
    """Return how far two goals are from each other, m or rad, the larger."""
    if one is other:
        return 0.0
    if (one.orientation_weight > 0.0) != (other.orientation_weight > 0.0):
        return np.inf
    turned = np.max(np.abs(one.rotation - other.rotation)) if one.orientation_weight > 0.0 else 0.0
    return float(max(np.max(np.abs(one.position - other.position)), turned))


def _choose(where: NDArray[np.bool_], new: Array, old: Array) -> Array:
    """Return rows of `new` where so, else of `old`."""
    return np.where(where.reshape(-1, *[1] * (new.ndim - 1)), new, old)
