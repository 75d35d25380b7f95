"""The controller's core on a simulated robot that stands, without ROS: seeded goals, one after the other, in real time.

A plan is made inside of its step, so that simulated time waits for it: where plans are late the simulation is slower
than real time, and the frequency achieved says by how much.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from go2_piper_description.joints import joint_array
from numpy.typing import NDArray
from robot_bridge.types import JointTargets, RobotState
from scipy.spatial.transform import Rotation

from .controller import CemController, CemOutput
from .costs import FALL_HEIGHT, FALL_UP
from .goal_sampler import GoalSampler
from .preview import planned_pose
from .stance import Stance
from .standing_plant import StandingPlant, World

Array = NDArray[np.float64]

GOAL_TIME = 4.0
"""s for each goal."""
SETTLED = 0.5
"""s at the end of each over which errors are averaged."""
_MOST_BEHIND = 0.1
"""s that are made up for by running faster than real time."""
_EPSILON = 1e-9


@dataclass(frozen=True)
class Cycle:
    """One control step."""

    index: int
    time: float
    """s of simulated time."""
    output: CemOutput
    state: RobotState
    goal: Array
    """Of `ee_link` in `odom`, m, shape (3,)."""
    position_error: float
    """m."""
    orientation_error: float
    """rad."""
    ghost: tuple[Array, Array, Array] | None
    """The robot at the end of the plan in force, as `preview.planned_pose`; None without a plan."""


@dataclass
class Result:
    """How the run went; one number for each goal that had its whole time."""

    position_errors: list[float] = field(default_factory=list)
    """m, settled."""
    orientation_errors: list[float] = field(default_factory=list)
    """rad, settled."""
    fell: bool = False
    seconds: float = 0.0
    """Of simulated time."""
    wall_seconds: float = 0.0


Watch = Callable[[Cycle], bool]
"""Is told of each cycle; False ends the run."""


def run(core: CemController, result: Result, duration: float, seed: int = 0, watch: Watch = lambda cycle: True) -> None:
    """Stand and reach for one goal after the other.

    Args:
        core: with plans made inside of its steps.
        result: is filled in as the run goes on, so that an interrupted one leaves what it has.
        duration: s of simulated time; ends early where the robot falls.
        seed: of the goals, which the arm can reach.
        watch: is told of each cycle.

    Raises:
        ControlFault, PolicyFault: where the core gives no command.
    """
    plant = StandingPlant(World())
    plant.start()
    core.reset()
    goals = _goals(plant, seed, duration)
    kp, kd, period = joint_array("kp"), joint_array("kd"), core.control_period
    errors: list[tuple[float, float]] = []
    begin = due = time.perf_counter()
    index, number = 0, -1
    while (now := plant.time) < duration - _EPSILON:
        state = _state(plant)
        if int((now + _EPSILON) / GOAL_TIME) != number:
            number += 1
            errors.clear()
            position, rotation = goals[number]
            core.set_target(position, "odom", state.base, Rotation.from_matrix(rotation).as_quat())
        output = core.step(state, now, True)
        zero = np.zeros_like(output.position)
        plant.write(JointTargets(output.position, zero, output.effort, kp, kd))
        place, turn = plant.ee_pose()
        errors.append((float(np.linalg.norm(place - position)), _angle(turn, rotation)))
        ghost = None if output.plan is None else planned_pose(output, state)
        index += 1
        going = watch(Cycle(index, now, output, state, position, *errors[-1], ghost))
        while plant.time < now + period - _EPSILON:
            plant.step()
        result.seconds, result.wall_seconds = plant.time, time.perf_counter() - begin
        result.fell = _fallen(_state(plant))
        if plant.time >= (number + 1) * GOAL_TIME - _EPSILON:
            late = np.array(errors[-round(SETTLED / period) :]).mean(axis=0)
            result.position_errors.append(float(late[0]))
            result.orientation_errors.append(float(late[1]))
        if result.fell or not going:
            break
        due = max(due + period, time.perf_counter() - _MOST_BEHIND)
        time.sleep(max(0.0, due - time.perf_counter()))


def _goals(plant: StandingPlant, seed: int, duration: float) -> list[tuple[Array, Array]]:
    """Return positions, m, and rotations in `odom`."""
    stance = Stance.from_state(_state(plant))
    goals = GoalSampler(seed).reachable(int(duration / GOAL_TIME) + 1)
    return [stance.to_odom(goal.position, goal.rotation) for goal in goals]


def _state(plant: StandingPlant) -> RobotState:
    state = plant.read()
    assert state is not None, "the plant has been started"
    return state


def _angle(one: Array, other: Array) -> float:
    return float(np.arccos(np.clip((np.trace(one.T @ other) - 1.0) / 2.0, -1.0, 1.0)))


def _fallen(state: RobotState) -> bool:
    x, y, _, _ = state.orientation
    low = state.base is not None and state.base.position[2] < FALL_HEIGHT
    return bool(low or 1.0 - 2.0 * (x * x + y * y) < FALL_UP)
