"""Runs the recorded steps through a policy and compares."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from go2_piper_description.joints import NUM_JOINTS
from robot_bridge import convert

from ..controller import MoeController
from ..goals import GoalError
from ..messages import quaternion_of, trajectory_of, velocity_of
from ..policy import PolicyFault
from ..recording.bag_reader import Bag
from .steps import Array, Step


@dataclass
class Replayed:
    """What came out, beside what was recorded. Rows are the steps that could be compared."""

    times: Array
    """Stamps of the states, s, shape (n,)."""
    executing: Array
    """bool, shape (n,)."""
    recorded: Array
    """Joint position targets, rad, shape (n, 18); NaN where the recording has none of the policy's own."""
    replayed: Array
    """As `recorded`."""
    recorded_weights: Array
    """shape (n, groups, experts); NaN where the recording has none."""
    replayed_weights: Array
    """As `recorded_weights`."""
    steps: int = 0
    """In the recording."""
    left_out: dict[str, int] = field(default_factory=dict)
    """Steps that could not be compared, by reason."""

    @property
    def identical(self) -> bool:
        """Whether every compared number is the same to the last bit."""
        return bool(
            np.array_equal(self.recorded, self.replayed, equal_nan=True)
            and np.array_equal(self.recorded_weights, self.replayed_weights, equal_nan=True)
        )


class Replay:
    """Feeds steps to a controller as its node did.

    Args:
        controller: with the policy to use.
        bag: where the goals are.
        blended: something other than the policy made the commands (a planner): only weights are compared.
        forced: show the policy what the robot really did as its last action: for another model than the recorded one.
    """

    def __init__(self, controller: MoeController, bag: Bag, blended: bool, forced: bool) -> None:
        self._controller = controller
        self._blended, self._forced = blended, forced
        self._targets = {item.published_ns: message for item, message in bag.decoded("ee_target")}
        self._paths = {item.published_ns: message for item, message in bag.decoded("ee_trajectory")}
        self._velocities = {item.published_ns: message for item, message in bag.decoded("cmd_vel")}
        self._goal_ns = self._velocity_ns = 0
        self._unknown_goal = ""
        terms = controller.contract.observation
        self._memory = max(((term.history - 1) * term.stride for term in terms), default=0)
        """Steps that the observation looks back."""
        self._waiting = -1
        """Steps until the controller's memory is that of the recording; -1: it is not known when."""

    def run(self, steps: list[Step]) -> Replayed:
        """Replay the steps in order."""
        rows: list[tuple[float, bool, Array, Array, Array, Array]] = []
        left_out: dict[str, int] = {}
        contract = self._controller.contract
        shape = (len(contract.groups), len(contract.experts))
        for step in steps:
            reason, output = self._step(step)
            if reason:
                left_out[reason] = left_out.get(reason, 0) + 1
                continue
            position, weights = output
            blank = np.full(NUM_JOINTS, np.nan)
            assert step.command is not None
            recorded = blank if self._blended else step.command
            if step.weights is None or step.weights.shape != shape:
                recorded_weights = weights = np.full(shape, np.nan)
            else:
                recorded_weights = step.weights
            rows.append((1e-9 * step.trace.stamp_ns, step.trace.executing, recorded,
                         blank if self._blended else position, recorded_weights, weights))  # fmt: skip
        columns = list(zip(*rows, strict=True)) if rows else [()] * 6
        return Replayed(
            np.array(columns[0], dtype=float),
            np.array(columns[1], dtype=bool),
            np.array(columns[2]).reshape(-1, NUM_JOINTS),
            np.array(columns[3]).reshape(-1, NUM_JOINTS),
            np.array(columns[4]).reshape(-1, *shape),
            np.array(columns[5]).reshape(-1, *shape),
            len(steps),
            left_out,
        )

    def _step(self, step: Step) -> tuple[str, tuple[Array, Array]]:
        nothing = np.empty(0), np.empty(0)
        trace, controller = step.trace, self._controller
        if not step.complete:
            self._waiting = -1
            return "their state is not in the recording", nothing
        state = convert.robot_state(step.joints, step.imu, step.odometry)
        self._take_goals(step, state.base)
        if trace.step == 0:
            controller.reset()
            self._waiting = 0
        elif self._waiting < 0:
            if trace.executing:
                return "the recording began while the robot moved", nothing
            self._waiting = self._memory
        if trace.executing and self._unknown_goal:
            return self._unknown_goal, nothing
        try:
            output = controller.step(state, state.stamp, trace.executing)
        except PolicyFault as error:
            return f"the policy gave nothing ({error})", nothing
        if step.command is not None and (self._blended or self._forced) and trace.executing:
            controller.executed(step.command)
        if self._waiting > 0:
            self._waiting -= 1
            return "the observation looks back to before the recording", nothing
        if step.command is None:
            return "no command was recorded", nothing
        return "", (output.position, output.weights)

    def _take_goals(self, step: Step, base: object) -> None:
        trace, controller = step.trace, self._controller
        if trace.velocity_ns != self._velocity_ns:
            self._velocity_ns = trace.velocity_ns
            twist = self._velocities.get(trace.velocity_ns)
            if twist is not None:
                controller.set_velocity(velocity_of(twist))
        if trace.goal_ns == self._goal_ns:
            return
        self._goal_ns, self._unknown_goal = trace.goal_ns, ""
        try:
            if (target := self._targets.get(trace.goal_ns)) is not None:
                point = target.pose.position
                controller.set_target((point.x, point.y, point.z), target.header.frame_id, base,  # type: ignore[arg-type]
                                      quaternion_of(target.pose.orientation))  # fmt: skip
            elif (path := self._paths.get(trace.goal_ns)) is not None:
                trajectory, start = trajectory_of(path, None)
                controller.set_trajectory(trajectory, path.header.frame_id, base, start)  # type: ignore[arg-type]
            else:
                self._unknown_goal = "their goal was given before the recording began"
        except GoalError as error:
            self._unknown_goal = f"their goal is refused ({error})"
