"""What the robots are asked to do: velocity commands and end-effector targets over time, for a batch of robots."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from go2_piper_description.joints import ARM_SLICE, joint_array
from go2_piper_description.kinematics import ArmKinematics
from moe_controller.targets import sample_poses
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from ..trajectories.motion import min_jerk
from .commands import sample_velocity_commands
from .config import EnvConfig, Mode

Array = NDArray[np.float64]
Ids = NDArray[np.int64]

FASTEST_TURN = 2.0
"""rad/s, mean over a glide: the wrist's rate limit in the safety gate is 3."""

FAST = 0.5
"""m/s forward; stopping out of more than this is what throws a robot over."""


class BasePoses(Protocol):
    """Where the robots' bases are, in the world."""

    base_position: Array
    """m, (N, 3)."""
    base_rotation: Array
    """(N, 3, 3)."""


class Goals(Protocol):
    """A source of goals. The environment calls `reset` and `step`, the observation reads the rest."""

    command: Array
    """vx, vy, wz in base_link, m/s and rad/s, (N, 3)."""

    def reset(self, ids: Ids, base: BasePoses) -> None:
        """New episodes of these robots begin."""

    def step(self, base: BasePoses) -> Ids:
        """One control period is over; return the robots that have a new command."""

    def targets(self, ahead: Array, base: BasePoses) -> tuple[Array, Array]:
        """Return target positions (N, T, 3), m, and rotations (N, T, 3, 3) in base_link, `ahead` s from now, (T,)."""


def to_base(position: Array, rotation: Array, base_position: Array, base_rotation: Array) -> tuple[Array, Array]:
    """Turn poses (n, T, ...) from the world into base_link."""
    turned = np.einsum("nji,ntjk->ntik", base_rotation, rotation)
    return np.einsum("nji,ntj->nti", base_rotation, position - base_position[:, None]), turned


class RandomGoals:
    """Random commands and targets, drawn together every few seconds; what is drawn depends on the episode's mode."""

    def __init__(self, config: EnvConfig, arm: ArmKinematics, modes: list[Mode], rng: np.random.Generator) -> None:
        n = config.num_envs
        self.config, self.arm, self.modes, self.rng = config, arm, modes, rng
        self.mode = np.zeros(n, dtype=np.int64)
        self.command = np.zeros((n, 3))
        self.progress = 1.0
        """Of the run, for the curriculum."""
        home = arm.ee_transform(joint_array("stand")[ARM_SLICE])
        self._home_position, self._home_rotation = home[:3, 3], home[:3, :3]
        self._from, self._to = np.tile(self._home_position, (n, 1)), np.tile(self._home_position, (n, 1))
        self._rotation_from = np.tile(self._home_rotation, (n, 1, 1))
        self._rotation_to = self._rotation_from.copy()
        self._turn = np.zeros((n, 3))
        self._time, self._start, self._duration = np.zeros(n), np.zeros(n), np.zeros(n)
        self._next = np.zeros(n)
        self._in_world = np.zeros(n, dtype=bool)

    def reset(self, ids: Ids, base: BasePoses) -> None:
        """Start new episodes with fresh draws."""
        self._time[ids], self._start[ids], self._duration[ids] = 0.0, 0.0, 0.0
        self._draw_mode(ids)
        self._draw(ids, base, first=True)

    def step(self, base: BasePoses) -> Ids:
        """Advance; draw anew where it is time."""
        self._time += self.config.control_period
        due = np.flatnonzero(self._time >= self._next - 1e-9)
        if due.size:
            if self.config.phases:
                self._draw_mode(due)
            self._draw(due, base, first=False)
        return due

    def targets(self, ahead: Array, base: BasePoses) -> tuple[Array, Array]:
        """Return the targets in base_link at times from now."""
        return self._targets(np.arange(len(self._to)), ahead, base)

    def _targets(self, ids: Ids, ahead: Array, base: BasePoses) -> tuple[Array, Array]:
        position, rotation = self._own_frame(ids, ahead)
        world = self._in_world[ids]
        if world.any():
            at = ids[world]
            position[world], rotation[world] = to_base(
                position[world], rotation[world], base.base_position[at], base.base_rotation[at]
            )
        return position, rotation

    def _own_frame(self, ids: Ids, ahead: Array) -> tuple[Array, Array]:
        """Return targets of some robots in the frame that they are fixed to: base_link or the world."""
        count = len(ahead)
        position = np.repeat(self._to[ids, None], count, axis=1)
        rotation = np.repeat(self._rotation_to[ids, None], count, axis=1)
        gliding = np.flatnonzero(self._time[ids] < self._start[ids] + self._duration[ids])
        if gliding.size:
            at = ids[gliding]
            s = (self._time[at, None] + ahead - self._start[at, None]) / self._duration[at, None]
            s = min_jerk(np.clip(s, 0.0, 1.0))[..., None]
            position[gliding] = self._from[at, None] + s * (self._to - self._from)[at, None]
            turn = Rotation.from_rotvec((s * self._turn[at, None]).reshape(-1, 3)).as_matrix()
            rotation[gliding] = self._rotation_from[at, None] @ turn.reshape(at.size, count, 3, 3)
        return position, rotation

    def _draw_mode(self, ids: Ids) -> None:
        probability = np.array([mode.probability for mode in self.modes])
        self.mode[ids] = self.rng.choice(len(self.modes), ids.size, p=probability / probability.sum())

    def _draw(self, ids: Ids, base: BasePoses, first: bool) -> None:
        c, rng, n = self.config, self.rng, ids.size
        zero, home = (
            rng.random(n) < np.array([getattr(mode, name) for mode in self.modes])[self.mode[ids]]
            for name in ("zero_command", "home_target")
        )
        slow = c.slow_commands * c.curriculum.factor(c.curriculum.slow_commands, self.progress)
        command = sample_velocity_commands(rng, n, c.velocity_limits, slow)
        if c.sudden_stops > 0.0 and not first:  # at 0 no draw: suites and seeds stay what they were
            stop = (self.command[ids, 0] > FAST) & (rng.random(n) < c.sudden_stops)
            command[stop, 0] = np.minimum(command[stop, 0], 0.0)
        self.command[ids] = np.where(zero[:, None], 0.0, command)

        spread = c.targets.spread * c.curriculum.factor(c.curriculum.spread, self.progress)
        position, rotation = sample_poses(rng, n, c.targets.region, self.arm, spread)
        position[home], rotation[home] = self._home_position, self._home_rotation
        world = zero & ~home & (rng.random(n) < c.targets.world_probability)
        glide = (rng.random(n) < c.targets.glide_probability) & ~home & (not first)
        speed = rng.uniform(*c.targets.glide_speed, n)

        old_position, old_rotation = (value[:, 0] for value in self._targets(ids, np.zeros(1), base))
        if world.any():
            at = ids[world]
            frame, origin = base.base_rotation[at], base.base_position[at]
            for points in (position, old_position):
                points[world] = origin + np.einsum("nij,nj->ni", frame, points[world])
            for turns in (rotation, old_rotation):
                turns[world] = frame @ turns[world]
        self._in_world[ids] = world
        glide3 = glide[:, None]
        self._to[ids], self._rotation_to[ids] = position, rotation
        self._from[ids] = np.where(glide3, old_position, position)
        start = np.where(glide3[..., None], old_rotation, rotation)
        self._rotation_from[ids] = start
        self._turn[ids] = (Rotation.from_matrix(start).inv() * Rotation.from_matrix(rotation)).as_rotvec()
        distance = np.linalg.norm(position - old_position, axis=1)
        turn = np.linalg.norm(self._turn[ids], axis=1)
        self._start[ids] = self._time[ids]
        self._duration[ids] = np.where(glide, np.maximum(distance / speed, turn / FASTEST_TURN) + 1e-3, 0.0)
        self._next[ids] = self._time[ids] + self._duration[ids] + rng.uniform(*c.resample_interval, n)
