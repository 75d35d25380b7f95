"""Sources of goals: what stands in the world stays there; what is shown is what the robot's controller would show."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from go2_piper_description.joints import NUM_JOINTS, joint_array
from go2_piper_description.kinematics import ArmKinematics
from moe_controller.contract import Contract
from moe_controller.controller import MoeController
from moe_controller.policy import PolicyOutput
from numpy.typing import NDArray
from robot_bridge.types import BaseState, RobotState
from scipy.spatial.transform import Rotation

from tests.support.tiny_policy import TINY_CONTRACT
from training.envs.config import EnvConfig
from training.evaluation.goals import ApproachGoals, ReachGoals, ScriptGoals, SequenceGoals, TimedGoals
from training.trajectories import generate

N = 6
CONFIG = EnvConfig(num_envs=N, seed=5)
ARM = ArmKinematics()
ALL = np.arange(N)
NOW = np.zeros(1)


@dataclass
class Bases:
    base_position: NDArray[np.float64]
    base_rotation: NDArray[np.float64]


def _bases(seed: int = 0, far: float = 1.0) -> Bases:
    rng = np.random.default_rng(seed)
    position = np.column_stack([rng.uniform(-far, far, (N, 2)), np.full(N, 0.3)])
    turn = Rotation.from_euler("zyx", rng.uniform([-3.0, -0.1, -0.1], [3.0, 0.1, 0.1], (N, 3)))
    return Bases(position, turn.as_matrix())


def _in_world(position: NDArray[np.float64], base: Bases) -> NDArray[np.float64]:
    return base.base_position + np.einsum("nij,nj->ni", base.base_rotation, position)


def test_every_second_reach_target_stands_in_the_world() -> None:
    goals, here, there = ReachGoals(CONFIG, ARM), _bases(0), _bases(1)
    goals.reset(ALL, here)
    before, after = (goals.targets(NOW, base)[0][:, 0] for base in (here, there))
    np.testing.assert_allclose(before[0::2], after[0::2])
    np.testing.assert_allclose(_in_world(before, here)[1::2], _in_world(after, there)[1::2])
    assert not np.allclose(before[1::2], after[1::2])
    assert not goals.command.any()


def test_reach_targets_change_after_their_time_and_start_anew_after_a_fall() -> None:
    goals, base = ReachGoals(CONFIG, ARM, hold=0.06), _bases()
    goals.reset(ALL, base)
    first = goals.targets(NOW, base)[0].copy()
    assert [len(goals.step(base)) for _ in range(3)] == [0, 0, N]
    assert not np.isclose(goals.targets(NOW, base)[0], first).all(axis=(1, 2)).any()
    goals.reset(np.array([2]), base)
    np.testing.assert_allclose(goals.targets(NOW, base)[0][2], first[2])


def test_reach_targets_are_the_same_for_every_policy() -> None:
    base = _bases()
    one, other, third = (ReachGoals(replace(CONFIG, seed=seed), ARM) for seed in (5, 5, 6))
    np.testing.assert_array_equal(one.targets(NOW, base)[0], other.targets(NOW, base)[0])
    assert not np.allclose(one.targets(NOW, base)[0], third.targets(NOW, base)[0])


class _Quiet:
    """A policy that does nothing."""

    def __init__(self) -> None:
        self.contract: Contract = TINY_CONTRACT

    def act(self, observation: NDArray[np.float32]) -> PolicyOutput:
        return PolicyOutput(np.zeros(NUM_JOINTS), np.full((2, 2), 0.5), np.zeros((2, NUM_JOINTS)))


def _state(base: Bases, robot: int) -> RobotState:
    orientation = Rotation.from_matrix(base.base_rotation[robot]).as_quat()
    place = BaseState(position=base.base_position[robot], orientation=orientation,
                      linear_velocity=np.zeros(3), angular_velocity=np.zeros(3))  # fmt: skip
    stand = joint_array("stand")
    return RobotState(stamp=0.0, position=stand, velocity=np.zeros(NUM_JOINTS), effort=np.zeros(NUM_JOINTS),
                      orientation=orientation, angular_velocity=np.zeros(3), linear_acceleration=np.zeros(3),
                      base=place)  # fmt: skip


def test_far_targets_are_approached_as_the_controller_does_it() -> None:
    goals, start, later = ApproachGoals(CONFIG, ARM), _bases(0), _bases(2, far=0.3)
    goals.reset(ALL, start)
    controllers = [MoeController(_Quiet()) for _ in ALL]
    for robot, controller in enumerate(controllers):
        turned = Rotation.from_matrix(goals._wanted[robot]).as_quat() if goals.part[robot] else [0.0, 0.0, 0.0, 1.0]
        state = _state(start, robot)
        controller.set_target(goals._target[robot], "odom", state.base, turned)
    for step, base in enumerate((start, later)):
        if step:
            goals.step(base)
        position, rotation = goals.targets(NOW, base)
        for robot, controller in enumerate(controllers):
            output = controller.step(_state(base, robot), now=0.02 * step, executing=True)
            np.testing.assert_allclose(goals.command[robot], output.velocity_command, atol=1e-9)
            np.testing.assert_allclose(position[robot, 0], output.shown_target, atol=1e-9)
            np.testing.assert_allclose(rotation[robot, 0], output.shown_rotation, atol=1e-7)
    assert goals.command.any()


def test_far_targets_are_judged_where_they_are() -> None:
    goals, base = ApproachGoals(CONFIG, ARM), _bases()
    goals.reset(ALL, base)
    position, rotation = goals._seen(base)
    error, angle = goals.errors(base, position + [0.0, 0.03, 0.04], rotation)
    np.testing.assert_allclose(error, 0.05)
    np.testing.assert_allclose(angle, np.where(goals.part == 1, 0.0, np.nan), atol=1e-7)
    distance = np.linalg.norm((goals._target - base.base_position)[:, :2], axis=1)
    assert ((distance >= 1.0) & (distance <= 3.0)).all()


def test_trajectories_stand_in_the_world_and_are_seen_ahead() -> None:
    sequences = {kind: generate(kind, 1, 3, duration=1.0) for kind in ("random", "pushing")}
    goals, start, later = SequenceGoals(CONFIG, ARM, sequences), _bases(0), _bases(1)
    goals.reset(ALL, start)
    for _ in range(10):
        goals.step(later)
    position, _ = goals.targets(np.array([0.0, 0.5, 9.0]), later)
    for robot, kind in ((0, "random"), (1, "pushing")):
        wanted, _ = sequences[kind][0].sample([0.2, 0.7, 1.0])
        for i in range(3):
            in_start = Bases(start.base_position[robot : robot + 1], start.base_rotation[robot : robot + 1])
            in_later = Bases(later.base_position[robot : robot + 1], later.base_rotation[robot : robot + 1])
            np.testing.assert_allclose(_in_world(position[robot : robot + 1, i], in_later),
                                       _in_world(wanted[i : i + 1], in_start), atol=2e-3)  # fmt: skip


def test_the_script_goes_through_its_phases() -> None:
    goals, base = ScriptGoals(CONFIG, ARM, phase=0.04), _bases()
    goals.reset(ALL, base)
    moving, home = [], []
    first = goals.targets(NOW, base)[0][0, 0].copy()
    for _ in range(12):
        moving.append(bool(goals.command.any()))
        home.append(bool(np.allclose(goals.targets(NOW, base)[0][:, 0], first)))
        goals.reset(np.array([3]), base)  # a fall does not take it back
        goals.step(base)
    assert moving == [True, True, False, False, True, True] * 2
    assert home == [True, True, False, False, False, False] * 2


@pytest.mark.parametrize("passed", [True, False])
def test_time_since_the_newest_goal(passed: bool) -> None:
    inner, base = ReachGoals(CONFIG, ARM, hold=0.05), _bases()
    goals = TimedGoals(inner, N, 0.02, pass_resets=passed)
    times = []
    for _ in range(4):
        goals.step(base)
        times.append(goals.since[0])
    assert times == pytest.approx([0.02, 0.04, 0.0, 0.02])
    goals.reset(np.array([0]), base)
    assert (goals.since[0], goals.since[1]) == pytest.approx((0.0, 0.02))
    assert inner._place[0] == (0 if passed else 1)
