"""A state of the training environment, sent over the ROS messages, gives the controller the same observation."""

from __future__ import annotations

import numpy as np
import torch
from go2_piper_description.joints import JOINT_NAMES, NUM_JOINTS
from moe_controller.contract import Contract
from moe_controller.controller import MoeController
from moe_controller.goals import BASE_LINK
from moe_controller.policy import PolicyOutput
from robot_bridge import convert
from robot_bridge.types import RobotState
from scipy.spatial.transform import Rotation

from tests.support.tiny_policy import tiny_contract
from training.envs.config import EnvConfig, Mode, Randomization, Targets
from training.envs.go2_piper_env import Go2PiperEnv


class SpyPolicy:
    """Keeps the observation that it gets."""

    contract: Contract = tiny_contract()

    def act(self, observation: np.ndarray) -> PolicyOutput:
        self.seen = observation.copy()
        groups, experts = len(self.contract.groups), len(self.contract.experts)
        weights = np.full((groups, experts), 1.0 / experts)
        return PolicyOutput(np.zeros(NUM_JOINTS), weights, np.zeros((experts, NUM_JOINTS)))


def _recorded_state(env: Go2PiperEnv, index: int) -> RobotState:
    qpos, qvel = env.physics.qpos[index], env.physics.qvel[index]
    orientation = qpos[[4, 5, 6, 3]] / np.linalg.norm(qpos[3:7])
    return RobotState(
        1.0, qpos[7:].copy(), qvel[6:].copy(), np.zeros(NUM_JOINTS), orientation, qvel[3:6].copy(), np.zeros(3)
    )


def test_training_and_node_see_the_same() -> None:
    still = Targets(glide_probability=0.0, world_probability=0.0)
    config = EnvConfig(8, {"both": Mode(1.0, reach=True)}, randomization=Randomization.none(), targets=still)
    env = Go2PiperEnv(config)
    generator = torch.Generator().manual_seed(0)
    for _ in range(30):
        observed, *_ = env.step(0.5 * torch.randn(8, NUM_JOINTS, generator=generator))
    policy = SpyPolicy()
    controller = MoeController(policy)
    for index in range(env.num_envs):
        state = _recorded_state(env, index)
        stamp = convert.to_time(state.stamp)
        joints = convert.joint_state_message(state, stamp)
        order = np.random.default_rng(index).permutation(len(joints.name))  # any order of joints will do
        for field in ("name", "position", "velocity", "effort"):
            values = getattr(joints, field)
            setattr(joints, field, [values[i] for i in order])
        received = convert.robot_state(joints, convert.imu_message(state, stamp))
        assert list(joints.name) != [*JOINT_NAMES, "piper_gripper"]
        orientation = Rotation.from_matrix(env.target_rotation[index, 0]).as_quat()
        controller.set_target(env.target_position[index, 0], BASE_LINK, orientation=orientation)
        controller.set_velocity(env.command[index])
        controller._last_action = env.last_action[index]
        controller.step(received, received.stamp, executing=True)
        # float32 columns; the orientation of the target went through a quaternion
        np.testing.assert_allclose(policy.seen, observed["policy"][index].numpy(), atol=2e-6)
