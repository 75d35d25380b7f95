"""Commands and targets of the suites that do not draw them as the training does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from go2_piper_description.joints import ARM_SLICE, joint_array
from go2_piper_description.kinematics import ArmKinematics
from moe_controller.approach import ApproachRule
from moe_controller.targets import natural_rotation, reachable_rotation, sample_poses
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from ..envs.commands import sample_velocity_commands
from ..envs.config import EnvConfig
from ..envs.goals import Array, BasePoses, Goals, Ids, to_base
from ..trajectories import PoseSequence


class TimedGoals:
    """Another source of goals, and how long each robot has had its present ones.

    Args:
        inner: gives the goals.
        num_envs: N.
        period: s per control step.
        pass_resets: whether `inner` is told of new episodes; the environment itself tells its own random goals.
    """

    def __init__(self, inner: Goals, num_envs: int, period: float, pass_resets: bool) -> None:
        self.inner, self.command = inner, inner.command
        self._period, self._pass_resets = period, pass_resets
        self.since = np.zeros(num_envs)
        """s, (N,)."""

    def reset(self, ids: Ids, base: BasePoses) -> None:
        """New episodes of these robots begin."""
        if self._pass_resets:
            self.inner.reset(ids, base)
        self.since[ids] = 0.0

    def step(self, base: BasePoses) -> Ids:
        """One control period is over; return the robots that have new goals."""
        renewed = self.inner.step(base)
        self.since += self._period
        self.since[renewed] = 0.0
        return renewed

    def targets(self, ahead: Array, base: BasePoses) -> tuple[Array, Array]:
        """Return the inner targets."""
        return self.inner.targets(ahead, base)


class SuiteGoals:
    """What the sources of goals below share: poses in frames that ride with the robot or stand in the world."""

    parts: tuple[str, ...] = ()
    """Names of the kinds of goals, for figures of their own."""

    def __init__(self, config: EnvConfig, arm: ArmKinematics) -> None:
        n = config.num_envs
        self.config, self.arm = config, arm
        self.command = np.zeros((n, 3))
        self.part = np.zeros(n, dtype=np.int64)
        """Index of each robot's kind in `parts`, (N,)."""
        self.in_world = np.zeros(n, dtype=bool)
        self.time = np.zeros(n)
        """s since the episode began, (N,)."""
        self._origin, self._axes = np.zeros((n, 3)), np.tile(np.eye(3), (n, 1, 1))

    def reset(self, ids: Ids, base: BasePoses) -> None:
        """Begin anew, with frames where the robots are."""
        self.time[ids] = 0.0
        self._anchor(ids, base)

    def step(self, base: BasePoses) -> Ids:
        """Advance the time."""
        self.time += self.config.control_period
        return np.zeros(0, dtype=np.int64)

    def targets(self, ahead: Array, base: BasePoses) -> tuple[Array, Array]:
        """Return target positions (N, T, 3), m, and rotations (N, T, 3, 3) in base_link, `ahead` s from now, (T,)."""
        raise NotImplementedError

    def _anchor(self, ids: Ids, base: BasePoses) -> None:
        self._origin[ids], self._axes[ids] = base.base_position[ids], base.base_rotation[ids]

    def _in_base(self, position: Array, rotation: Array, base: BasePoses) -> tuple[Array, Array]:
        """Return poses (N, T, ...) in base_link: those of robots `in_world` are given in their frames."""
        position, rotation = position.copy(), rotation.copy()
        at = np.flatnonzero(self.in_world)
        world = self._origin[at, None] + np.einsum("nij,ntj->nti", self._axes[at], position[at])
        turned = np.einsum("nij,ntjk->ntik", self._axes[at], rotation[at])
        position[at], rotation[at] = to_base(world, turned, base.base_position[at], base.base_rotation[at])
        return position, rotation


class ReachGoals(SuiteGoals):
    """Poses out of a fixed list, one after the other, each held for some seconds; every second robot's in the world.

    Args:
        config: of the environment.
        arm: decides what is reached.
        count: length of the list; robots begin at different places of it.
        hold: s.
    """

    parts = ("in base_link", "in the world")

    def __init__(self, config: EnvConfig, arm: ArmKinematics, count: int = 500, hold: float = 5.0) -> None:
        super().__init__(config, arm)
        rng = np.random.default_rng([config.seed, 1])
        self._list = sample_poses(rng, count, config.targets.region, arm, config.targets.spread)
        self._count, self._hold = count, hold
        self._place = np.zeros(config.num_envs, dtype=np.int64)
        self.in_world = np.arange(config.num_envs) % 2 == 1
        self.part = self.in_world.astype(np.int64)

    def reset(self, ids: Ids, base: BasePoses) -> None:
        """Begin with the robots' first poses."""
        super().reset(ids, base)
        self._place[ids] = 0

    def step(self, base: BasePoses) -> Ids:
        """Go on to the next poses where it is time."""
        super().step(base)
        due = np.flatnonzero(self.time >= self._hold * (self._place + 1) - 1e-9)
        self._place[due] += 1
        self._anchor(due, base)
        return due

    def targets(self, ahead: Array, base: BasePoses) -> tuple[Array, Array]:
        """Return the present pose for all times."""
        n = self.config.num_envs
        index = (np.arange(n) + n * self._place) % self._count
        position, rotation = (np.repeat(values[index, None], len(ahead), axis=1) for values in self._list)
        return self._in_base(position, rotation, base)


class ApproachGoals(SuiteGoals):
    """One target in the world per robot, 1 to 3 m away in any direction, gone to by the approach rule.

    What the policy is shown is what the controller of the robot would show it: the rule's velocity, the target moved
    into the region, and an orientation that the arm can take there. Half of the targets come with an orientation, one
    that suits a robot that comes straight.
    """

    parts = ("position only", "with orientation")
    DISTANCE, HEIGHT = (1.0, 3.0), (0.25, 0.65)
    """m from base_link to the target, horizontally; m above the ground."""

    def __init__(self, config: EnvConfig, arm: ArmKinematics) -> None:
        super().__init__(config, arm)
        n, rng = config.num_envs, np.random.default_rng([config.seed, 3])
        self.rule = ApproachRule(arm.shoulder, config.targets.region, config.velocity_limits)
        self.part = np.arange(n) % 2
        self._distance, self._bearing = rng.uniform(*self.DISTANCE, n), rng.uniform(-np.pi, np.pi, n)
        self._height = rng.uniform(*self.HEIGHT, n)
        self._turn = Rotation.from_rotvec(rng.uniform(-0.3, 0.3, (n, 3))).as_matrix()
        self._target, self._wanted = np.zeros((n, 3)), np.tile(np.eye(3), (n, 1, 1))
        self._walking = np.zeros(n, dtype=bool)

    def reset(self, ids: Ids, base: BasePoses) -> None:
        """Place the robots' targets about them."""
        super().reset(ids, base)
        forward = base.base_rotation[ids, :, 0]
        heading = np.arctan2(forward[:, 1], forward[:, 0]) + self._bearing[ids]
        way = np.stack([np.cos(heading), np.sin(heading), np.zeros(len(ids))], axis=1)
        self._target[ids] = base.base_position[ids] * [1.0, 1.0, 0.0] + self._distance[ids, None] * way
        self._target[ids, 2] = self._height[ids]
        standing = self.arm.shoulder + np.array([self.rule.params.standoff, 0.0, 0.0])
        yaw = Rotation.from_rotvec(np.outer(heading, [0.0, 0.0, 1.0])).as_matrix()
        self._wanted[ids] = yaw @ natural_rotation(standing, self.arm.shoulder) @ self._turn[ids]
        self._walking[ids] = False
        self._drive(ids, base)

    def step(self, base: BasePoses) -> Ids:
        """Drive on."""
        self._drive(np.arange(self.config.num_envs), base)
        return super().step(base)

    def _drive(self, ids: Ids, base: BasePoses) -> None:
        approach = self.rule.step(self._seen(base)[0][ids], self._walking[ids])
        self._walking[ids], self.command[ids] = approach.walking, approach.velocity

    def _seen(self, base: BasePoses) -> tuple[Array, Array]:
        """Return the wanted poses in base_link, (N, 3) and (N, 3, 3)."""
        position, rotation = to_base(
            self._target[:, None], self._wanted[:, None], base.base_position, base.base_rotation
        )
        return position[:, 0], rotation[:, 0]

    def targets(self, ahead: Array, base: BasePoses) -> tuple[Array, Array]:
        """Return what is shown, the same for all times."""
        position, rotation = self._seen(base)
        shown = self.rule.show(position)
        natural = natural_rotation(shown, self.arm.shoulder)
        turned = np.where((self.part == 1)[:, None, None], reachable_rotation(shown, rotation, self.arm), natural)
        return np.repeat(shown[:, None], len(ahead), axis=1), np.repeat(turned[:, None], len(ahead), axis=1)

    def errors(self, base: BasePoses, ee_position: Array, ee_rotation: Array) -> tuple[Array, Array]:
        """Return how far the end effectors are from the targets themselves, m and rad, (N,); nan: any angle will do.

        Args:
            base: where the robots are.
            ee_position: of ee_link in base_link, m, (N, 3).
            ee_rotation: (N, 3, 3).
        """
        position, rotation = self._seen(base)
        turn = np.einsum("nji,njk->nik", ee_rotation, rotation)
        angle = Rotation.from_matrix(turn).magnitude()
        return np.linalg.norm(position - ee_position, axis=1), np.where(self.part == 1, angle, np.nan)


class SequenceGoals(SuiteGoals):
    """Trajectories that stand in the world where the robot is when the episode begins; then their last pose.

    Args:
        config: of the environment.
        arm: of the robot.
        sequences: by kind; the kinds take turns over the robots.
    """

    RATE = 200.0
    """Hz at which the poses are kept."""

    def __init__(self, config: EnvConfig, arm: ArmKinematics, sequences: Mapping[str, Sequence[PoseSequence]]) -> None:
        super().__init__(config, arm)
        self.parts = tuple(sequences)
        n, kinds = config.num_envs, list(sequences.values())
        self.part = np.arange(n) % len(kinds)
        self.in_world = np.ones(n, dtype=bool)
        lists = [kinds[i % len(kinds)] for i in range(n)]
        chosen = [one[(i // len(kinds)) % len(one)] for i, one in enumerate(lists)]
        times = np.arange(round(max(one.duration for one in chosen) * self.RATE) + 1) / self.RATE
        sampled = [one.sample(times) for one in chosen]
        self._positions = np.stack([position for position, _ in sampled])
        turns = Rotation.from_quat(np.concatenate([quaternion for _, quaternion in sampled])).as_matrix()
        self._rotations = turns.reshape(len(chosen), len(times), 3, 3)

    def targets(self, ahead: Array, base: BasePoses) -> tuple[Array, Array]:
        """Return the poses at times from now."""
        index = np.rint((self.time[:, None] + ahead) * self.RATE).astype(np.int64)
        index = np.clip(index, 0, self._positions.shape[1] - 1)
        rows = np.arange(len(index))[:, None]
        return self._in_base(self._positions[rows, index], self._rotations[rows, index], base)


class ScriptGoals(SuiteGoals):
    """All robots walk, then stand and reach, then do both, and again: to see what weights do over time.

    Args:
        config: of the environment.
        arm: of the robot.
        phase: s of each phase.
    """

    phases: tuple[str, ...] = ("walk", "reach", "both") * 2

    def __init__(self, config: EnvConfig, arm: ArmKinematics, phase: float = 3.0) -> None:
        super().__init__(config, arm)
        self.phase = phase
        self._clock = 0.0
        n, rng = config.num_envs, np.random.default_rng([config.seed, 7])
        commands = sample_velocity_commands(rng, n * len(self.phases), config.velocity_limits, 0.0)
        self._commands = commands.reshape(len(self.phases), n, 3)
        drawn = [sample_poses(rng, n, config.targets.region, arm, config.targets.spread) for _ in self.phases]
        self._poses = [np.stack(values) for values in zip(*drawn, strict=True)]
        home = arm.ee_transform(joint_array("stand")[ARM_SLICE])
        for i, name in enumerate(self.phases):
            if name == "reach":
                self._commands[i] = 0.0
            elif name == "walk":
                self._poses[0][i], self._poses[1][i] = home[:3, 3], home[:3, :3]
        self._tell()

    def _index(self) -> NDArray[np.int64]:
        return np.minimum((self.time / self.phase + 1e-6).astype(np.int64), len(self.phases) - 1)

    def _tell(self) -> None:
        self.command[:] = self._commands[self._index(), np.arange(self.config.num_envs)]

    def reset(self, ids: Ids, base: BasePoses) -> None:
        """Begin anew; a robot that fell goes on where the others are."""
        super().reset(ids, base)
        self.time[ids] = self._clock
        self._tell()

    def step(self, base: BasePoses) -> Ids:
        """Go on."""
        before = self._index()
        super().step(base)
        self._clock += self.config.control_period
        self._tell()
        return np.flatnonzero(self._index() != before)

    def targets(self, ahead: Array, base: BasePoses) -> tuple[Array, Array]:
        """Return the present phase's pose for all times."""
        index, rows = self._index(), np.arange(self.config.num_envs)
        position, rotation = (np.repeat(values[index, rows][:, None], len(ahead), axis=1) for values in self._poses)
        return position, rotation
