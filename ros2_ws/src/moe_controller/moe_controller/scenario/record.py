"""What the operator has seen during a run, as arrays, and its npz file. ROS-free.

Times are in s on the clock of the states (simulation time in simulation), lengths in m, angles in rad.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
from go2_piper_description.joints import ARM_SLICE, NUM_JOINTS
from go2_piper_description.kinematics import ArmKinematics
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from .scenarios import ODOM_FRAME, Goal, PathPoint

Array = NDArray[np.float64]

_KINEMATICS = ArmKinematics()


def tilt_of(orientation: Array) -> Array:
    """Return the angle between a robot's vertical axis and the world's, rad, shape (n,).

    Args:
        orientation: x, y, z, w, shape (n, 4).
    """
    x, y = orientation[:, 0], orientation[:, 1]
    return np.arccos(np.clip(1 - 2 * (x * x + y * y), -1.0, 1.0))


def ee_error(goal: Goal, elapsed: Array, joint_position: Array, base: Array) -> Array:
    """Return the distance of `ee_link` from where a goal wants it, m, shape (n,); NaN where it wants nothing.

    Args:
        goal: with a target or a path.
        elapsed: s since the goal began, shape (n,).
        joint_position: rad, canonical order, shape (n, 18).
        base: position and orientation (x, y, z, w) in odom in the first seven columns, shape (n, 7 or more).
    """
    actual = _KINEMATICS.ee_position(joint_position[:, ARM_SLICE])
    if goal.frame == ODOM_FRAME and len(actual):
        actual = Rotation.from_quat(base[:, 3:7]).apply(actual) + base[:, :3]
    return np.linalg.norm(actual - goal.reference(elapsed), axis=1)


@dataclass(frozen=True)
class PlayedGoal:
    """A goal and when it stood."""

    goal: Goal
    start: float
    end: float
    completed: bool
    """Held for its whole time or ended by arrival, not cut off by the end of the run."""

    def rows(self, time: Array) -> NDArray[np.bool_]:
        """Return which of these times, s, lie in the goal's time."""
        return (time > self.start) & (time <= self.end)


@dataclass(frozen=True)
class GateEvent:
    """A change of the safety gate, as `/safety/state` told it."""

    time: float
    mode: str
    reason: str


@dataclass(frozen=True)
class Record:
    """A run. Rows of the state arrays belong to `time`, rows of the weights to `weights_time`."""

    time: Array
    """shape (n,)"""
    joint_position: Array
    """canonical order, shape (n, 18)"""
    joint_velocity: Array
    """shape (n, 18)"""
    gripper_position: Array
    """shape (n,)"""
    base_position: Array
    """in odom, shape (n, 3)"""
    base_orientation: Array
    """x, y, z, w in odom, shape (n, 4)"""
    base_linear_velocity: Array
    """in base_link, shape (n, 3)"""
    base_angular_velocity: Array
    """in base_link, shape (n, 3)"""
    weights_time: Array
    """shape (m,)"""
    weights: Array
    """groups x experts, shape (m, g, e)"""
    goals: tuple[PlayedGoal, ...] = ()
    gate_events: tuple[GateEvent, ...] = ()
    groups: tuple[str, ...] = ()
    experts: tuple[str, ...] = ()
    play_start: float = 0.0
    """When the first goal was given: before it the robot was still standing up."""
    play_end: float = 0.0

    @property
    def tilt(self) -> Array:
        """Angle between the robot's vertical axis and the world's, rad, shape (n,)."""
        return tilt_of(self.base_orientation)

    def ee_error(self) -> Array:
        """Return the distance of `ee_link` from where its goal wanted it, m, shape (n,); NaN without such a goal."""
        base = np.hstack([self.base_position, self.base_orientation])
        error = np.full(len(self.time), np.nan)
        for played in self.goals:
            rows = played.rows(self.time)
            error[rows] = ee_error(played.goal, self.time[rows] - played.start, self.joint_position[rows], base[rows])
        return error

    def ee_target_odom(self) -> Array:
        """Return where goals wanted `ee_link` in odom, shape (n, 3); NaN without such a goal."""
        targets = np.full((len(self.time), 3), np.nan)
        for played in self.goals:
            rows = played.rows(self.time)
            wanted = played.goal.reference(self.time[rows] - played.start)
            if played.goal.frame != ODOM_FRAME and len(wanted):
                wanted = Rotation.from_quat(self.base_orientation[rows]).apply(wanted) + self.base_position[rows]
            targets[rows] = wanted
        return targets

    def velocity_command(self) -> Array:
        """Return the velocity asked for at each state, shape (n, 3); NaN where no goal asks for one."""
        command = np.full((len(self.time), 3), np.nan)
        for played in self.goals:
            if played.goal.velocity is not None:
                command[played.rows(self.time)] = played.goal.velocity
        return command

    def save(self, path: Path) -> None:
        """Write the record to an npz file of plain arrays; goals and events go in as JSON text."""
        text = {
            "goals": [asdict(played) for played in self.goals],
            "gate_events": [asdict(event) for event in self.gate_events],
            "groups": self.groups,
            "experts": self.experts,
            "play_start": self.play_start,
            "play_end": self.play_end,
        }
        arrays = {name: getattr(self, name) for name in _ARRAYS}
        np.savez_compressed(path, text=np.array(json.dumps(text)), ee_target_odom=self.ee_target_odom(), **arrays)

    @classmethod
    def load(cls, path: Path) -> Record:
        """Read a record that `save` wrote."""
        with np.load(path, allow_pickle=False) as data:
            text = json.loads(str(data["text"]))
            arrays = {name: data[name] for name in _ARRAYS}
        return cls(
            **arrays,
            goals=tuple(_played_goal(raw) for raw in text["goals"]),
            gate_events=tuple(GateEvent(**raw) for raw in text["gate_events"]),
            groups=tuple(text["groups"]),
            experts=tuple(text["experts"]),
            play_start=text["play_start"],
            play_end=text["play_end"],
        )


_ARRAYS = (
    "time",
    "joint_position",
    "joint_velocity",
    "gripper_position",
    "base_position",
    "base_orientation",
    "base_linear_velocity",
    "base_angular_velocity",
    "weights_time",
    "weights",
)


def _vector(raw: list[float] | None) -> tuple[float, float, float] | None:
    return None if raw is None else (raw[0], raw[1], raw[2])


def _played_goal(raw: dict) -> PlayedGoal:
    goal = raw["goal"]
    path = tuple(PathPoint(point["time"], tuple(point["position"])) for point in goal["path"])
    target, velocity = _vector(goal["target"]), _vector(goal["velocity"])
    return PlayedGoal(
        Goal(**{**goal, "path": path, "target": target, "velocity": velocity}),
        raw["start"],
        raw["end"],
        raw["completed"],
    )


@dataclass
class Recorder:
    """Collects what becomes a `Record`."""

    states: list[tuple[float, Array, Array, float]] = field(default_factory=list)
    """stamp, position (18,), velocity (18,), gripper"""
    bases: list[tuple[float, Array]] = field(default_factory=list)
    """stamp, position (3), orientation (4), linear velocity (3), angular velocity (3) in one array (13,)"""
    commands: list[float] = field(default_factory=list)
    """stamps"""
    weights: list[Array] = field(default_factory=list)
    """One for each command, but for the first ones, which may be missing: they carry no stamp."""
    goals: list[PlayedGoal] = field(default_factory=list)
    gate_events: list[GateEvent] = field(default_factory=list)
    groups: tuple[str, ...] = ()
    experts: tuple[str, ...] = ()
    play_start: float = 0.0
    play_end: float = 0.0

    def begin(self, now: float) -> None:
        """Forget everything but the present mode of the gate, which is noted as of `now`, s."""
        for rows in (self.states, self.bases, self.commands, self.weights):
            rows.clear()
        self.gate_events = [GateEvent(now, event.mode, event.reason) for event in self.gate_events[-1:]]

    def finish(self) -> Record:
        """Return the record: states and odometry joined by their stamps, rows without a partner dropped."""
        bases = dict(self.bases)
        rows = [(stamp, q, dq, grip, bases[stamp]) for stamp, q, dq, grip in self.states if stamp in bases]
        base = np.array([row[4] for row in rows]).reshape(-1, 13)
        pairs = min(len(self.commands), len(self.weights))
        shape = (-1, len(self.groups), len(self.experts)) if self.weights else (0, 0, 0)
        return Record(
            time=np.array([row[0] for row in rows], dtype=np.float64),
            joint_position=np.array([row[1] for row in rows]).reshape(-1, NUM_JOINTS),
            joint_velocity=np.array([row[2] for row in rows]).reshape(-1, NUM_JOINTS),
            gripper_position=np.array([row[3] for row in rows], dtype=np.float64),
            base_position=base[:, 0:3],
            base_orientation=base[:, 3:7],
            base_linear_velocity=base[:, 7:10],
            base_angular_velocity=base[:, 10:13],
            weights_time=np.array(self.commands[len(self.commands) - pairs :], dtype=np.float64),
            weights=np.array(self.weights[len(self.weights) - pairs :], dtype=np.float64).reshape(shape),
            goals=tuple(self.goals),
            gate_events=tuple(self.gate_events),
            groups=self.groups,
            experts=self.experts,
            play_start=self.play_start,
            play_end=self.play_end,
        )
