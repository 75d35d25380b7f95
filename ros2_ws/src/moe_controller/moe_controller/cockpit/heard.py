"""What the cockpit has heard of the graph: the newest values and the last half minute for plots. ROS-free."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping

import numpy as np
from go2_piper_description.joints import ARM_SLICE, GRIPPER, JOINT_NAMES
from go2_piper_description.kinematics import ArmKinematics
from numpy.typing import NDArray
from robot_bridge.types import BaseState
from scipy.spatial.transform import Rotation

from ..goals import ODOM, EeGoal

Array = NDArray[np.float64]

WINDOW = 30.0
"""s of wall time that the plots show."""
_ARM = ArmKinematics()


class History:
    """Values over the last `WINDOW`, by wall time."""

    def __init__(self) -> None:
        self._rows: deque[tuple[float, Array]] = deque()

    def add(self, *values: float) -> None:
        """Note values now."""
        now = time.monotonic()
        self._rows.append((now, np.array(values, dtype=float)))
        while self._rows[0][0] < now - WINDOW:
            self._rows.popleft()

    def columns(self, count: int) -> tuple[Array, ...]:
        """Return times, s before now (negative), and `count` columns of values."""
        now = time.monotonic()
        rows = [(at - now, values) for at, values in self._rows if len(values) == count]
        rows = rows or [(0.0, np.full(count, np.nan))]
        return np.array([at for at, _ in rows]), *np.array([values for _, values in rows]).T


class Heard:
    """The newest of everything."""

    def __init__(self) -> None:
        self.joints = dict.fromkeys((*JOINT_NAMES, GRIPPER.name), 0.0)
        self.has_joints = False
        self.base: BaseState | None = None
        self.gate = ""
        """ "MODE: reason"; empty before the first word of a bridge."""
        self.weights: dict[str, float] = {}
        """By "group: expert"."""
        self.diagnostics: dict[str, Mapping[str, str]] = {}
        """Values by key, by name of the status."""
        self.goal: EeGoal | None = None
        self.goal_came = 0.0
        self.stamp = 0.0
        """Of the newest joint states, s."""
        self.states = 0
        self.arrived = -np.inf
        self.plots = {name: History() for name in ("weights", "error", "rates", "latency")}

    @property
    def alive(self) -> bool:
        """Whether states have come within the last second."""
        return time.monotonic() - self.arrived < 1.0

    def take_joints(self, names: list[str], positions: list[float], stamp: float) -> None:
        """Note joint states."""
        for name, value in zip(names, positions, strict=False):
            if name in self.joints and np.isfinite(value):
                self.joints[name] = value
        self.has_joints, self.stamp, self.arrived = True, stamp, time.monotonic()
        self.states += 1

    def ee_position(self) -> Array:
        """Return where ee_link is in base_link, m, shape (3,)."""
        arm = np.array([self.joints[name] for name in JOINT_NAMES])[ARM_SLICE]
        return _ARM.ee_position(arm)

    def in_scene(self, position: Array) -> Array:
        """Return a place of base_link in the scene: in odom where the base is known."""
        if self.base is None:
            return position
        return Rotation.from_quat(self.base.orientation).apply(position) + self.base.position

    def ee_error(self) -> float:
        """Return the distance of ee_link from the goal now, m; NaN without one."""
        if self.goal is None:
            return float("nan")
        wanted = self.goal.poses(np.array([self.stamp]))[0][0]
        actual = self.ee_position()
        if self.goal.frame == ODOM:
            if self.base is None:
                return float("nan")
            actual = self.in_scene(actual)
        return float(np.linalg.norm(wanted - actual))

    def value(self, beginning: str, key: str) -> str:
        """Return a value of the diagnostics whose status begins so; empty where there is none."""
        for name, values in self.diagnostics.items():
            if name.lstrip("/").startswith(beginning) and key in values:
                return values[key]
        return ""

    def number(self, beginning: str, key: str) -> float:
        """As `value`, as a number; NaN where there is none."""
        try:
            return float(self.value(beginning, key))
        except ValueError:
            return float("nan")

    def controller(self) -> str:
        """Return which controller runs, in words."""
        for name in ("cem_planner", "moe_controller"):
            if self.value(name, "lifecycle"):
                driver = self.value(name, "driver")
                return f"{name}, {self.value(name, 'model')}" + (f", driver {driver}" if driver else "")
        return "none"

    def sample(self) -> None:
        """Add a row to the plots."""
        self.plots["weights"].add(*self.weights.values())
        self.plots["error"].add(100.0 * self.ee_error())
        controllers = ("moe_controller", "cem_planner")
        rates = [self.number(name, "policy_rate_hz") for name in controllers]
        rate = next((value for value in rates if np.isfinite(value)), float("nan"))
        self.plots["rates"].add(rate, self.number("robot_bridge: safety gate", "command_rate_hz"))
        keys = ("state_to_command_p50_ms", "state_to_command_p99_ms")
        self.plots["latency"].add(*(self.number("robot_bridge: safety gate", key) for key in keys))
