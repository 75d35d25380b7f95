"""Parts of the controller that do what a test says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from cem_planner import leg_kinematics
from cem_planner.plan import Plan, PlanSeconds
from cem_planner.planning import Job, Made
from cem_planner.problem import Problem
from go2_piper_description.joints import LEG_SLICE, joint_array
from moe_controller.contract import Contract
from moe_controller.policy import PolicyFault, PolicyOutput
from numpy.typing import NDArray
from robot_bridge.types import BaseState, RobotState

from tests.support.tiny_policy import TINY_CONTRACT

STAND = joint_array("stand")
HEIGHT = -float(leg_kinematics.forward(STAND[LEG_SLICE])[:, 2].mean())
"""Of the trunk over the feet in the stand pose, m."""


def loaded(stamp: float = 0.0, velocity: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> RobotState:
    """Return a robot that stands still with its weight on its feet."""
    q = STAND[LEG_SLICE]
    step = 1e-6
    moved = leg_kinematics.forward(q + step * np.eye(12))
    slope = (moved - leg_kinematics.forward(q)) / step
    effort = np.zeros(18)
    for leg in range(4):  # each foot presses down with 50 N
        effort[3 * leg : 3 * leg + 3] = slope[3 * leg : 3 * leg + 3, leg, :] @ np.array([0.0, 0.0, -50.0])
    base = BaseState(np.array([0.0, 0.0, HEIGHT]), np.array([0.0, 0.0, 0.0, 1.0]), np.array(velocity), np.zeros(3))
    return RobotState(stamp, STAND.copy(), np.zeros(18), effort, base.orientation, np.zeros(3), np.zeros(3), base=base)


def moved(state: RobotState, **changes: object) -> RobotState:
    """Return a state with some entries changed."""
    return replace(state, **changes)  # type: ignore[arg-type]


def held_plan(coordinates: NDArray[np.float64], stamp: float, missed: bool = False) -> Plan:
    """Return a plan that holds coordinates."""
    knots = np.tile(coordinates, (4, 1))
    return Plan(knots, 0.5, "linear", stamp, 1.0, 500, 1, "fake", "none", PlanSeconds(0.0, 0.001, 0.0), knots, knots,
                missed=missed)  # fmt: skip


class FakePlanning:
    """Plans by a function of the problem; remembers what it was asked for."""

    def __init__(self, plan: Callable[[Problem], NDArray[np.float64]] | None = None) -> None:
        self.plan = plan or (lambda problem: problem.previous_command)
        self.jobs: list[Job] = []
        self.newest: Made | None = None
        self.broken = False
        self.closed = False

    def submit(self, job: Job) -> None:
        """Make a plan, unless it is broken."""
        self.jobs.append(job)
        if not self.broken:
            self.newest = Made(held_plan(self.plan(job.problem), job.stamp), job)

    def diagnostics(self) -> dict[str, str]:
        """Nothing to tell."""
        return {}

    def warning(self, after: int) -> str | None:
        """All is well."""
        return None

    def close(self) -> None:
        """Remember it."""
        self.closed = True


class FakePolicy:
    """Gives an action that can be set, and keeps the observations."""

    def __init__(self, contract: Contract = TINY_CONTRACT) -> None:
        self.contract = contract
        self.action = np.zeros(18)
        self.broken = False
        self.seen: list[NDArray[np.float32]] = []

    def act(self, observation: NDArray[np.float32]) -> PolicyOutput:
        """Return the action."""
        self.seen.append(observation.copy())
        if self.broken:
            raise PolicyFault("broken as asked")
        weights = np.full((2, 2), 0.5)
        return PolicyOutput(self.action.copy(), weights, np.zeros((2, 18)))

    def last_action(self) -> NDArray[np.float32]:
        """Return the term of the newest observation that says what was done last: the last one."""
        return self.seen[-1][-18:]
