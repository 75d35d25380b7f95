"""A recording made the way the controller's node and the recorder make it, without processes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
from geometry_msgs.msg import PoseStamped, Twist
from go2_piper_description.joints import NUM_JOINTS
from moe_controller.controller import MoeController
from moe_controller.markers import weights_message
from moe_controller.messages import quaternion_of, step_trace_message, trajectory_of, velocity_of
from moe_controller.observation import DEFAULT_TERMS, ROUTER_TERMS
from moe_controller.policy import PolicyOutput
from moe_controller.recording.bag_reader import KINDS
from moe_controller.recording.bag_writer import BagWriter
from moe_controller.recording.message_definitions import full_definition
from moe_controller.scenario.goal_messages import path_message, target_message, velocity_message
from moe_controller.scenario.scenarios import Goal, PathPoint
from moe_controller.step_trace import StepTrace
from rclpy.serialization import serialize_message
from robot_bridge import convert
from robot_bridge.types import BaseState
from trajectory_msgs.msg import MultiDOFJointTrajectory

from tests.support.tiny_policy import tiny_contract

from ..states import base_at, standing

_definition = cache(full_definition)
PERIOD_NS = 20_000_000
FIRST_NS = 5_000_000_000


class MixingPolicy:
    """Actions and weights that depend on every number of the observation."""

    def __init__(self, seed: int = 0) -> None:
        terms = (*DEFAULT_TERMS, *(replace(term) for term in ROUTER_TERMS[:2]))
        self.contract = tiny_contract(observation=terms)
        rng = np.random.default_rng(seed)
        self._mix = rng.normal(size=(NUM_JOINTS, self.contract.observation_size)) * 0.3

    def act(self, observation: np.ndarray) -> PolicyOutput:
        action = np.sin(self._mix @ observation.astype(np.float64))
        weight = 0.5 + 0.4 * action[0]
        weights = np.array([[weight, 1 - weight], [1 - weight, weight]])
        return PolicyOutput(action, weights, np.stack([action, action]))


@dataclass(frozen=True)
class Moment:
    """What happens before and in one control step."""

    goal: Goal | None = None
    executing: bool = True
    restart: bool = False
    state_is_lost: bool = False
    """Its state is missing in the recording."""
    goal_is_lost: bool = False
    command_is_lost: bool = False


TARGETS = (
    Goal("near", 1.0, target=(0.5, 0.1, 0.3), frame="base_link"),
    Goal("far", 1.0, target=(1.5, -0.4, 0.5), frame="odom"),
    Goal("path", 1.0, path=(PathPoint(0.0, (0.4, 0.0, 0.4)), PathPoint(0.1, (0.5, 0.2, 0.3))), frame="base_link"),
)
VELOCITIES = (Goal("forward", 1.0, velocity=(0.5, 0.0, 0.2)), Goal("stop", 1.0, velocity=(0.0, 0.0, 0.0)))


def record(path: Path, moments: list[Moment], first_step: int = 0, joints: str = "") -> None:
    """Write the recording of a run.

    Args:
        path: of the file.
        moments: one for each control step.
        first_step: steps that the controller had taken before the recording began.
        joints: put before the names of all joints, for another robot.
    """
    bag = BagWriter(path, 50_000_000, {})
    for topic, kind in KINDS.items():
        bag.add_topic(f"/{topic}", kind, _definition(kind), "")
    now = 1_700_000_000_000_000_000

    def add(topic: str, message: object) -> int:
        nonlocal now
        now += 100_000
        bag.add(f"/{topic}", serialize_message(message), now + 50_000, now, 0)
        return now

    controller = MoeController(MixingPolicy())
    rng = np.random.default_rng(1)
    count, goal_ns, velocity_ns = first_step, 0, 0
    for index, moment in enumerate([Moment(executing=True)] * first_step + moments):
        recorded = index >= first_step
        stamp_ns = FIRST_NS + index * PERIOD_NS
        stamp = convert.to_time(0.0, stamp_ns)
        state = standing(convert.to_seconds(stamp), base_at((0.1 * np.sin(0.1 * index), 0.0, 0.3)))
        state = replace(state, position=state.position + rng.normal(scale=0.02, size=NUM_JOINTS))
        joints_message = convert.joint_state_message(state, stamp)
        joints_message.name = [joints + name for name in joints_message.name]
        imu, odometry = convert.imu_message(state, stamp), convert.odometry_message(state.base, stamp)  # type: ignore[arg-type]
        if recorded and not moment.state_is_lost:
            for topic, message in (("imu/data", imu), ("odom", odometry), ("joint_states", joints_message)):
                add(topic, message)
        if moment.goal is not None:
            goal_message = _message(moment.goal)
            topic = _topic(moment.goal)
            now += 100_000
            published = now if moment.goal_is_lost or not recorded else add(topic, goal_message)
            _take(controller, goal_message, state.base)
            if topic == "cmd_vel":
                velocity_ns = published
            else:
                goal_ns = published
        if moment.restart or index == 0:
            controller.reset()
            count = 0
        trace = StepTrace(stamp_ns, count, moment.executing, True, goal_ns, velocity_ns)
        count += 1
        output = controller.step(state, state.stamp, moment.executing)
        if recorded:
            if not moment.command_is_lost:
                add("joint_commands", convert.joint_command_message(output.position, stamp))
            add("control_inputs", step_trace_message(trace))
            add("moe/expert_weights", weights_message(output.weights, controller.contract))
    bag.close()


def _topic(goal: Goal) -> str:
    return "cmd_vel" if goal.velocity is not None else "ee_trajectory" if goal.path else "ee_target"


def _message(goal: Goal) -> PoseStamped | MultiDOFJointTrajectory | Twist:
    zero = convert.to_time(0.0, 0)
    if goal.velocity is not None:
        return velocity_message(goal)
    return path_message(goal, zero) if goal.path else target_message(goal, zero)


def _take(controller: MoeController, message: object, base: BaseState | None) -> None:
    if isinstance(message, Twist):
        controller.set_velocity(velocity_of(message))
    elif isinstance(message, PoseStamped):
        point = message.pose.position
        controller.set_target(
            (point.x, point.y, point.z),
            message.header.frame_id,
            base,
            quaternion_of(message.pose.orientation),
        )
    else:
        assert isinstance(message, MultiDOFJointTrajectory)
        trajectory, start = trajectory_of(message, None)
        controller.set_trajectory(trajectory, message.header.frame_id, base, start)
