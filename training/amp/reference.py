"""This project's own walking policy on the steering task, for comparison: a controller on the heading commands it."""

from __future__ import annotations

import numpy as np
import torch

from ..models.policy import Policy
from .data.expert_clips import SteeringGoals, environment, use
from .evaluation import Record
from .features import MotionState, disc_state, joint_addresses, motion_state
from .key_points import key_points
from .robot import RobotConfig, robot_model
from .steering import SteeringConfig, tracking_errors


def record_expert(
    policy: Policy, robot: RobotConfig, steering: SteeringConfig, count: int, seconds: float, seed: int
) -> Record:
    """Return one episode per robot in which the policy steers; it drives all joints, as it does on the robot.

    Raises:
        EvaluationError: the policy does not suit the environment.
    """
    env = environment(policy, count, seconds, seed)
    period = env.config.control_period
    goals = SteeringGoals(count, period, steering, np.random.default_rng([seed, 1]))
    use(env, goals)
    physics = env.physics
    places, dofs = joint_addresses(robot_model(robot), robot)
    keys = key_points(robot)

    def state() -> MotionState:
        qpos, qvel = physics.qpos, physics.qvel
        joints = qpos[:, places]
        return motion_state(qpos[:, :7], qvel[:, :6], joints, qvel[:, dofs], keys(joints))

    alive = np.ones(count, dtype=bool)
    rows: dict[str, list[np.ndarray]] = {name: [] for name in Record.__dataclass_fields__ if name != "period"}
    before = disc_state(state())
    for _ in range(round(seconds / period)):
        direction, speed = goals.steering.direction.copy(), goals.steering.speed.copy()
        with torch.inference_mode():
            action = policy.act_inference(env.get_observations())
        done = env.step(action)[2].numpy().astype(bool)
        alive = alive & ~done
        now = state()
        after = disc_state(now)
        too_fast, heading = tracking_errors(now, direction, speed)
        age = goals.steering.age.copy()
        values = (too_fast, heading, age, alive, np.hstack([before, after]), env.foot_contact, action.numpy())
        for name, value in zip(rows, values, strict=True):
            rows[name].append(value)
        before = after
    return Record(**{name: np.stack(values) for name, values in rows.items()}, period=period)
