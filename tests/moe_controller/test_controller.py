"""The controller's core: goals, precedence, last action, joint targets."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from go2_piper_description.joints import ARM_SLICE, joint_array
from go2_piper_description.kinematics import ArmKinematics
from moe_controller.contract import Contract, ContractError, VelocityLimits
from moe_controller.controller import MoeController, weights_entropy
from moe_controller.goals import GoalError
from moe_controller.observation import DEFAULT_TERMS
from moe_controller.policy import OnnxPolicy, PolicyFault, PolicyOutput
from moe_controller.targets import natural_rotation
from moe_controller.trajectory import PoseTrajectory
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from tests.moe_controller.states import base_at, standing
from tests.support.tiny_policy import TINY_CONTRACT, tiny_contract, write_tiny_policy

HERE = base_at()


class FakePolicy:
    """Records observations and gives an action that can be set."""

    def __init__(self, contract: Contract = TINY_CONTRACT) -> None:
        self.contract = contract
        self.action = np.zeros(18)
        self.seen: list[NDArray[np.float32]] = []

    def act(self, observation: NDArray[np.float32]) -> PolicyOutput:
        self.seen.append(observation.copy())
        if not np.all(np.isfinite(observation)):
            raise PolicyFault("not finite")
        weights = np.full((len(self.contract.groups), len(self.contract.experts)), 0.5)
        return PolicyOutput(self.action.copy(), weights, np.zeros((len(self.contract.experts), 18)))

    def term(self, name: str) -> NDArray[np.float32]:
        """Return one term of the newest observation."""
        start = 0
        for term in DEFAULT_TERMS:
            if term.name == name:
                return self.seen[-1][start : start + term.size]
            start += term.size
        raise KeyError(name)


@pytest.fixture
def policy() -> FakePolicy:
    return FakePolicy()


@pytest.fixture
def controller(policy: FakePolicy) -> MoeController:
    return MoeController(policy)


# --- actions


def test_zero_action_is_the_stand_pose(controller: MoeController) -> None:
    output = controller.step(standing(), 0.0, executing=True)
    np.testing.assert_allclose(output.position, joint_array("stand"))


def test_action_is_scaled_about_the_default_pose(policy: FakePolicy, controller: MoeController) -> None:
    policy.action[:] = 0.1
    expected = joint_array("stand") + 0.1 * np.array(TINY_CONTRACT.action_scale)
    np.testing.assert_allclose(controller.step(standing(), 0.0, True).position, expected)


def test_action_is_limited_and_targets_stay_in_the_joint_ranges(policy: FakePolicy, controller: MoeController) -> None:
    for value in (1e9, -1e9):
        policy.action[:] = value
        output = controller.step(standing(), 0.0, True)
        assert np.all(np.abs(output.action) == TINY_CONTRACT.action_clip)
        assert np.all(output.position >= joint_array("lower")) and np.all(output.position <= joint_array("upper"))


def test_last_action_is_the_limited_raw_action(policy: FakePolicy, controller: MoeController) -> None:
    policy.action[:] = 50.0
    controller.step(standing(), 0.0, True)
    np.testing.assert_allclose(policy.term("last_action"), 0.0)
    controller.step(standing(0.02), 0.02, True)
    np.testing.assert_allclose(policy.term("last_action"), TINY_CONTRACT.action_clip)


def test_last_action_is_zero_while_the_gate_does_not_execute(policy: FakePolicy, controller: MoeController) -> None:
    policy.action[:] = 1.0
    for step in range(3):
        controller.step(standing(0.02 * step), 0.02 * step, executing=False)
        np.testing.assert_allclose(policy.term("last_action"), 0.0)
    controller.step(standing(0.06), 0.06, executing=True)
    np.testing.assert_allclose(policy.term("last_action"), 1.0)  # the command that the gate now executes


def test_goals_have_no_effect_on_commands_while_the_gate_does_not_execute(
    policy: FakePolicy, controller: MoeController
) -> None:
    controller.set_target((3.0, 1.0, 0.4), "odom", HERE)
    controller.set_velocity(np.array([0.5, 0.0, 0.2]))
    output = controller.step(standing(base=HERE), 0.0, executing=False)
    np.testing.assert_allclose(policy.term("ee_target_position"), controller.home.position, atol=0.02)  # projected
    assert not policy.term("velocity_command").any() and not output.walking
    assert controller.step(standing(base=HERE), 1.0, executing=True).walking  # the goal was kept


def test_velocity_given_before_the_activation_gets_old(policy: FakePolicy, controller: MoeController) -> None:
    controller.set_velocity(np.array([0.3, 0.0, 0.0]))
    controller.step(standing(), 0.0, executing=False)
    controller.step(standing(), 1.0, executing=True)
    assert not policy.term("velocity_command").any()


def test_reset_forgets_the_last_action_and_keeps_the_goal(policy: FakePolicy, controller: MoeController) -> None:
    policy.action[:] = 1.0
    controller.set_target((0.4, 0.1, 0.3), "base_link")
    controller.set_velocity((0.3, 0.0, 0.0))
    controller.step(standing(), 0.0, True)
    controller.reset()
    output = controller.step(standing(0.02), 0.02, True)
    np.testing.assert_allclose(policy.term("last_action"), 0.0)
    np.testing.assert_allclose(output.velocity_command, 0.0)
    np.testing.assert_allclose(output.target.position, (0.4, 0.1, 0.3))


def test_bad_state_faults_and_the_next_good_one_works(controller: MoeController) -> None:
    bad = replace(standing(), velocity=np.full(18, np.nan))
    with pytest.raises(PolicyFault):
        controller.step(bad, 0.0, True)
    assert np.all(np.isfinite(controller.step(standing(0.02), 0.02, True).position))


# --- targets


def test_without_a_goal_the_target_is_home(controller: MoeController) -> None:
    output = controller.step(standing(), 0.0, True)
    np.testing.assert_allclose(output.target.position, controller.home.position)
    assert not output.walking
    assert np.linalg.norm(output.shown_target - output.target.position) < 0.03


def test_target_in_base_link_moves_with_the_robot(policy: FakePolicy, controller: MoeController) -> None:
    controller.set_target((0.4, 0.1, 0.3), "base_link")
    for base in (None, HERE, base_at((5.0, 5.0, 0.3), 1.0)):
        controller.step(standing(base=base), 0.0, True)
        np.testing.assert_allclose(policy.term("ee_target_position"), (0.4, 0.1, 0.3), rtol=1e-6)


def test_target_in_odom_is_seen_from_the_base(policy: FakePolicy, controller: MoeController) -> None:
    controller.set_target((1.0, 0.4, 0.6), "odom", HERE)
    controller.step(standing(base=base_at((1.0, 0.0, 0.3), np.pi / 2)), 0.0, True)
    np.testing.assert_allclose(policy.term("ee_target_position"), (0.4, 0.0, 0.3), atol=1e-6)


def test_far_target_in_odom_walks_and_in_base_link_does_not(controller: MoeController) -> None:
    controller.set_target((3.0, 0.0, 0.4), "odom", HERE)
    output = controller.step(standing(base=HERE), 0.0, True)
    assert output.walking and output.velocity_command[0] > 0.1
    assert np.linalg.norm(output.shown_target) < 0.7
    controller.set_target((3.0, 0.0, 0.4), "base_link", HERE)
    output = controller.step(standing(base=HERE), 0.02, True)
    assert not output.walking
    np.testing.assert_allclose(output.velocity_command, 0.0)


def test_lost_odometry_holds_the_arm_and_stops_the_walk(controller: MoeController) -> None:
    controller.set_target((3.0, 0.0, 0.4), "odom", HERE)
    before = controller.step(standing(base=HERE), 0.0, True)
    after = controller.step(standing(), 0.02, True)
    np.testing.assert_allclose(after.shown_target, before.shown_target)
    assert not after.walking


@pytest.mark.parametrize(
    ("position", "frame", "orientation", "part"),
    [
        ((np.nan, 0, 0), "odom", (0, 0, 0, 1), "finite"),
        ((np.inf, 0, 0), "base_link", (0, 0, 0, 1), "finite"),
        ((0, 0), "base_link", (0, 0, 0, 1), "three"),
        ((25.0, 0, 0), "odom", (0, 0, 0, 1), "25 m from the robot"),
        ((400.0, 0, 0), "base_link", (0, 0, 0, 1), "check units"),
        ((0.4, 0, 0.3), "map", (0, 0, 0, 1), "'map' is unknown"),
        ((0.4, 0, 0.3), "", (0, 0, 0, 1), "unknown"),
        ((0.4, 0, 0.3), "odom", (0, 0, 0, 0), "length 0"),
        ((0.4, 0, 0.3), "odom", (0, 0, 0, np.nan), "orientation"),
    ],
)
def test_refused_target_keeps_the_previous(
    controller: MoeController, position: tuple[float, ...], frame: str, orientation: tuple[float, ...], part: str
) -> None:
    controller.set_target((0.4, 0.1, 0.3), "base_link")
    with pytest.raises(GoalError, match=part) as caught:
        controller.set_target(position, frame, HERE, orientation)
    assert "\n" not in str(caught.value)
    np.testing.assert_allclose(controller.step(standing(), 0.0, True).target.position, (0.4, 0.1, 0.3))


def test_target_in_odom_needs_odometry(controller: MoeController) -> None:
    with pytest.raises(GoalError, match="needs odometry"):
        controller.set_target((0.4, 0.0, 0.3), "odom", None)


def test_far_means_far_from_the_robot(controller: MoeController) -> None:
    controller.set_target((100.5, 0.0, 0.6), "odom", base_at((100.0, 0.0, 0.3)))
    with pytest.raises(GoalError):
        controller.set_target((0.5, 0.0, 0.6), "odom", base_at((100.0, 0.0, 0.3)))


# --- trajectories


def test_trajectory_starts_at_the_next_step_or_at_its_stamp(controller: MoeController) -> None:
    path = PoseTrajectory([0.0, 1.0], [[0.4, 0.0, 0.3], [0.4, 0.2, 0.3]])
    controller.set_trajectory(path, "base_link")
    for now, y in ((5.0, 0.0), (5.5, 0.1), (6.0, 0.2), (9.0, 0.2)):
        assert controller.step(standing(now), now, True).target.position[1] == pytest.approx(y)
    controller.set_trajectory(path, "base_link", start=10.0)
    for now, y in ((9.0, 0.0), (10.5, 0.1), (12.0, 0.2)):
        assert controller.step(standing(now), now, True).target.position[1] == pytest.approx(y)


def test_new_target_replaces_the_trajectory(controller: MoeController) -> None:
    controller.set_trajectory(PoseTrajectory([0.0, 1.0], [[0.4, 0.0, 0.3], [0.4, 0.2, 0.3]]), "base_link")
    controller.step(standing(), 0.0, True)
    controller.set_target((0.3, 0.0, 0.4), "base_link")
    np.testing.assert_allclose(controller.step(standing(), 0.5, True).target.position, (0.3, 0.0, 0.4))


# --- velocity


def test_velocity_is_shown_until_it_is_stale(controller: MoeController) -> None:
    controller.set_velocity((0.4, 0.1, -0.2))
    for now in (1.0, 1.25, 1.5):
        np.testing.assert_allclose(controller.step(standing(now), now, True).velocity_command, (0.4, 0.1, -0.2))
    np.testing.assert_allclose(controller.step(standing(1.6), 1.6, True).velocity_command, 0.0)


def test_velocity_does_not_survive_a_clock_that_is_set_back(controller: MoeController) -> None:
    controller.set_velocity((0.4, 0.0, 0.0))
    controller.step(standing(100.0), 100.0, True)
    np.testing.assert_allclose(controller.step(standing(1.0), 1.0, True).velocity_command, 0.0)


def test_velocity_is_limited_to_the_contract(controller: MoeController) -> None:
    controller.set_velocity((9.0, -9.0, 9.0))
    limits = TINY_CONTRACT.velocity_limits
    output = controller.step(standing(), 0.0, True)
    np.testing.assert_allclose(output.velocity_command, (limits.vx[1], limits.vy[0], limits.wz[1]))


def test_velocity_goes_before_the_approach_and_zero_does_not(controller: MoeController) -> None:
    controller.set_target((3.0, 0.0, 0.4), "odom", HERE)
    controller.set_velocity((-0.3, 0.0, 0.0))
    output = controller.step(standing(base=HERE), 0.0, True)
    assert not output.walking and output.velocity_command[0] == pytest.approx(-0.3)
    controller.set_velocity((0.0, 0.0, 0.0))
    assert controller.step(standing(base=HERE), 0.02, True).walking


def test_velocity_is_told_no_faster_than_the_contract_lets_it(policy: FakePolicy) -> None:
    policy.contract = tiny_contract(velocity_limits=VelocityLimits(acceleration=(1.5, 1.0, 3.0)))
    controller = MoeController(policy)
    step, told = np.array([0.03, 0.02, 0.06]), np.zeros(3)
    controller.set_velocity((1.0, -0.4, 0.5))
    for k in range(1, 21):
        told = controller.step(standing(0.02 * k), 0.02 * k, True).velocity_command
        np.testing.assert_allclose(told, np.clip((1.0, -0.4, 0.5), -k * step, k * step))
        np.testing.assert_allclose(policy.term("velocity_command"), told, atol=1e-6)
    controller.set_velocity((0.0, 0.0, 0.0))
    slower = controller.step(standing(0.42), 0.42, True).velocity_command
    np.testing.assert_allclose(slower, told - np.sign(told) * step)


def test_a_silent_operator_is_a_ramp_to_a_stand(policy: FakePolicy) -> None:
    policy.contract = tiny_contract(velocity_limits=VelocityLimits())
    controller = MoeController(policy, cmd_vel_timeout=0.1)
    controller.set_velocity((0.6, 0.0, 0.0))
    told = [controller.step(standing(0.02 * k), 0.02 * k, True).velocity_command[0] for k in range(40)]
    np.testing.assert_allclose(np.diff(told[:6]), 0.03)
    np.testing.assert_allclose(np.diff(told[5:12]), -0.03)
    assert not any(told[12:])


@pytest.mark.parametrize("how", ["not executing", "reset"])
def test_ramp_begins_at_rest_after_a_stop(policy: FakePolicy, how: str) -> None:
    policy.contract = tiny_contract(velocity_limits=VelocityLimits())
    controller = MoeController(policy)
    controller.set_velocity((0.6, 0.0, 0.0))
    for k in range(10):
        controller.step(standing(0.02 * k), 0.02 * k, True)
    if how == "reset":
        controller.reset()
        controller.set_velocity((0.6, 0.0, 0.0))
    else:
        assert not controller.step(standing(0.2), 0.2, False).velocity_command.any()
    assert controller.step(standing(0.22), 0.22, True).velocity_command[0] == pytest.approx(0.03)


@pytest.mark.parametrize("velocity", [(np.nan, 0, 0), (np.inf, 0, 0), (0, 0)])
def test_bad_velocity_keeps_the_previous(controller: MoeController, velocity: tuple[float, ...]) -> None:
    controller.set_velocity((0.4, 0.0, 0.0))
    with pytest.raises(GoalError, match="velocity"):
        controller.set_velocity(velocity)
    assert controller.step(standing(), 0.0, True).velocity_command[0] == pytest.approx(0.4)


# --- start


def test_contract_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ContractError, match="kp differs"):
        MoeController(FakePolicy(tiny_contract(kp=(1.0,) * 18)))


def test_runs_with_a_policy_file_and_is_deterministic(tmp_path: Path) -> None:
    write_tiny_policy(tmp_path / "tiny.onnx", action=0.3)
    runs = []
    for _ in range(2):
        controller = MoeController(OnnxPolicy(tmp_path / "tiny.onnx"))
        controller.set_target((2.0, 1.0, 0.5), "odom", HERE)
        runs.append([controller.step(standing(0.02 * k, HERE), 0.02 * k, True).position for k in range(5)])
    np.testing.assert_array_equal(runs[0], runs[1])


def test_entropy_of_weights() -> None:
    np.testing.assert_allclose(weights_entropy(np.array([[0.5, 0.5], [1.0, 0.0]])), [np.log(2), 0.0], atol=1e-9)


# --- orientation


def test_identity_leaves_the_turn_to_the_controller(controller: MoeController) -> None:
    controller.set_target((0.4, 0.2, 0.5), "base_link")
    output = controller.step(standing(1.0), 1.0, executing=True)
    np.testing.assert_allclose(output.shown_rotation, natural_rotation(output.shown_target, ArmKinematics().shoulder))


def test_orientation_is_shown_and_turns_with_the_base(policy: FakePolicy, controller: MoeController) -> None:
    wanted = Rotation.from_matrix(natural_rotation(np.array([0.45, 0.0, 0.5]), ArmKinematics().shoulder))
    wanted = wanted * Rotation.from_rotvec([0.0, 0.0, 0.3])
    controller.set_target((0.45, 0.0, 0.5), "base_link", orientation=wanted.as_quat())
    output = controller.step(standing(1.0), 1.0, executing=True)
    np.testing.assert_allclose(output.shown_rotation, wanted.as_matrix(), atol=1e-9)
    joints, reached = ArmKinematics().inverse(np.array([0.45, 0.0, 0.5]), wanted.as_matrix())
    assert reached
    np.testing.assert_allclose(policy.term("arm_reference"), joints - joint_array("stand")[ARM_SLICE], atol=1e-5)


def test_orientation_out_of_reach_is_turned_until_the_arm_can_take_it(controller: MoeController) -> None:
    natural = Rotation.from_matrix(natural_rotation(np.array([0.45, 0.0, 0.5]), ArmKinematics().shoulder))
    backwards = (natural * Rotation.from_euler("x", 3.0)).as_quat()
    controller.set_target((0.45, 0.0, 0.5), "base_link", orientation=backwards)
    output = controller.step(standing(1.0), 1.0, executing=True)
    _, reached = ArmKinematics().inverse(output.shown_target, output.shown_rotation)
    assert reached


def test_preview_of_a_trajectory_shows_what_comes(policy: FakePolicy, controller: MoeController) -> None:
    path = PoseTrajectory([0.0, 2.0], [(0.4, 0.0, 0.5), (0.4, 0.2, 0.5)])
    controller.set_trajectory(path, "base_link", None, start=1.0)
    controller.step(standing(1.0), 1.0, executing=True)
    preview = policy.term("ee_preview").reshape(-1, 9)[:, :3]
    moved = np.linalg.norm(preview - preview[0], axis=1)
    np.testing.assert_allclose(moved, [0.0, 0.002, 0.004, 0.098], atol=1e-4)
