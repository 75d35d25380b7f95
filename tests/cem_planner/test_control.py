"""The controller's core: who drives which joints with what, plans and priors, faults."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from cem_planner.controller import CemController, CemOutput, ControlFault, ControllerParams
from cem_planner.handover import Driver, Rates
from cem_planner.planning import ARM, BODY
from cem_planner.settings import PlannerSettings
from go2_piper_description.joints import ARM_SLICE, LEG_SLICE, joint_array
from moe_controller.controller import MoeController
from moe_controller.goals import GoalError
from moe_controller.policy import PolicyFault
from robot_bridge.types import RobotState

from .fakes import STAND, FakePlanning, FakePolicy, loaded, moved

FAR, NEAR = (2.5, 0.0, 0.4), (0.45, 0.05, 0.5)


class Loop:
    """Steps a controller on states of a robot that never moves, 20 ms apart."""

    def __init__(self, hybrid: bool, plan: Callable | None = None, params: ControllerParams | None = None) -> None:
        self.policy = FakePolicy()
        self.planning = FakePlanning(plan)
        self.moe = MoeController(self.policy) if hybrid else None
        self.core = CemController(self.planning, PlannerSettings(), self.moe, params)
        self.now = 0.0
        self.sent: list[np.ndarray] = []
        self.transfers = 0

    def step(self, state: RobotState | None = None, executing: bool = True) -> CemOutput:
        self.now = round(self.now + 0.02, 6)
        output = self.core.step(moved(state or loaded(), stamp=self.now), self.now, executing)
        self.sent.append(output.position)
        self.effort = output.effort
        self.transfers = output.transfers
        return output

    def run(self, steps: int, state: RobotState | None = None, executing: bool = True) -> CemOutput:
        for _ in range(steps):
            output = self.step(state, executing)
        return output


def test_the_stand_pose_is_sent_until_commands_are_executed() -> None:
    for hybrid in (False, True):
        loop = Loop(hybrid)
        loop.core.set_target(FAR, "odom", loaded().base)
        output = loop.run(5, executing=False)
        assert output.driver is Driver.IDLE and not np.any(output.effort)
        np.testing.assert_array_equal(output.position, STAND)


def test_cem_carries_the_weight_with_feed_forward_torques() -> None:
    loop = Loop(hybrid=False)
    output = loop.run(60)
    assert output.driver is Driver.PLANNER
    assert np.abs(output.effort[LEG_SLICE]).max() > 5.0 and np.abs(output.effort[ARM_SLICE]).max() > 1.0


def test_target_in_odom_moves_the_trunk_and_one_in_base_link_does_not() -> None:
    loop = Loop(hybrid=False)
    loop.core.set_target(NEAR, "odom", loaded().base)
    assert loop.run(40).plan_kind == BODY
    loop.core.set_target(NEAR, "base_link", loaded().base)
    assert loop.run(2).plan_kind == ARM
    assert loop.planning.jobs[-1].problem.goal.position == pytest.approx(np.array(NEAR) + [0.048, 0.0, 0.262])


def test_walk_gives_the_legs_to_the_policy_and_the_arm_to_the_plan() -> None:
    reached = np.concatenate([np.zeros(6), STAND[ARM_SLICE] + 0.02])
    loop = Loop(hybrid=True, plan=lambda problem: reached)
    loop.policy.action = np.linspace(-0.1, 0.1, 18)
    loop.core.set_target(NEAR, "odom", loaded().base)
    assert loop.run(40).driver is Driver.PLANNER
    loop.core.set_target(FAR, "odom", loaded().base)
    output = loop.run(40)
    assert output.driver is Driver.WALK and output.plan_kind == ARM and output.walking
    assert output.policy is not None
    np.testing.assert_allclose(output.position[LEG_SLICE], output.policy.position[LEG_SLICE])
    np.testing.assert_allclose(output.position[ARM_SLICE], reached[6:])
    assert not np.any(output.effort[LEG_SLICE]) and np.any(output.effort[ARM_SLICE])
    # the goal is the one that the policy is shown: a stretched arm does not walk well
    assert np.linalg.norm(loop.planning.jobs[-1].problem.goal.position) < 1.0
    loop.core.set_target(NEAR, "odom", loaded().base)
    assert loop.run(1).driver is Driver.BACK
    assert loop.run(40).driver is Driver.PLANNER


def test_the_planner_waits_until_the_base_is_still() -> None:
    loop = Loop(hybrid=True)
    assert loop.run(60, state=loaded(velocity=(0.3, 0.0, 0.0))).driver is Driver.BACK
    lifted = loaded()
    lifted.effort[:3] = 0.0
    assert loop.run(60, state=lifted).driver is Driver.BACK, "a foot bears nothing"
    assert loop.run(60).driver is Driver.PLANNER


@pytest.mark.parametrize("hybrid", [False, True])
def test_an_old_plan_is_not_executed(hybrid: bool) -> None:
    loop = Loop(hybrid)
    loop.run(40)
    held = loop.sent[-1]
    loop.planning.broken = True
    limit = round(ControllerParams().max_plan_age / 0.02)
    assert loop.run(limit).driver is Driver.PLANNER
    output = loop.run(2)
    assert output.driver is (Driver.BACK if hybrid else Driver.HOLD) and output.plan is None
    output = loop.run(40)
    expected = output.policy.position if output.policy is not None else held
    np.testing.assert_allclose(output.position, expected, atol=0.02)
    loop.planning.broken = False
    assert loop.run(40).driver is Driver.PLANNER


def test_feet_that_left_their_places_end_the_planners_drive() -> None:
    loop = Loop(hybrid=True)
    loop.run(40)
    away = loaded()
    assert away.base is not None
    away.base.position[0] += 0.1
    assert loop.step(away).driver is Driver.BACK


def test_the_policy_sees_what_was_executed() -> None:
    loop = Loop(hybrid=True)
    loop.policy.action = np.full(18, 0.4)
    loop.run(60)
    sent, before = loop.sent[-1], len(loop.policy.seen)
    loop.run(1)
    seen = loop.policy.seen[before]  # those after it are imagined
    contract = loop.policy.contract
    action = (sent - np.array(contract.default_position)) / np.array(contract.action_scale)
    np.testing.assert_allclose(seen[-18:], action, atol=1e-6)
    assert np.abs(seen[-18:] - 0.4).max() > 0.1


def test_the_policys_proposal_is_the_prior() -> None:
    loop = Loop(hybrid=True)
    loop.policy.action[ARM_SLICE] = 0.2
    loop.run(40)
    job = loop.planning.jobs[-1]
    (prior,) = job.priors
    assert prior.shape == (4, 12)
    expected = STAND[ARM_SLICE] + 0.2 * np.array(loop.policy.contract.action_scale)[ARM_SLICE]
    policy = loop.run(1).policy
    assert policy is not None
    clipped = policy.position[ARM_SLICE]
    assert np.abs(clipped - expected).max() < 0.3
    held = clipped - loop.effort[ARM_SLICE] / joint_array("kp")[ARM_SLICE]
    np.testing.assert_allclose(prior[0, 6:], held, atol=0.01)  # less what the torques in force do
    assert np.abs(prior[0, 6:] - clipped).max() > 0.03
    assert Loop(hybrid=False).run(3) and loop.planning.jobs[-1].nn_seconds > 0.0


def test_a_broken_policy_does_not_stop_the_planner() -> None:
    loop = Loop(hybrid=True)
    loop.run(40)
    loop.policy.broken = True
    assert loop.run(3).driver is Driver.PLANNER and loop.core.policy_faults == 3
    loop.planning.broken = True
    with pytest.raises(PolicyFault):
        loop.run(30)


@pytest.mark.parametrize("name", ["position", "velocity", "effort", "orientation", "angular_velocity"])
def test_states_that_are_not_finite_give_no_command(name: str) -> None:
    loop = Loop(hybrid=True)
    loop.run(40)
    state = loaded()
    values = getattr(state, name).copy()
    values[0] = np.nan
    with pytest.raises(ControlFault, match=f"{name.replace('_', ' ')} is not finite"):
        loop.step(moved(state, **{name: values}))
    assert loop.step().driver is Driver.PLANNER, "the next good state goes on"


def test_goals_out_of_reach_are_brought_within() -> None:
    loop = Loop(hybrid=False)
    loop.core.set_target((15.0, 0.0, 0.3), "odom", loaded().base)
    loop.run(40)
    goal = loop.planning.jobs[-1].problem.goal.position
    assert 0.7 < np.linalg.norm(goal) < 1.3


def test_bad_goals_are_refused() -> None:
    loop = Loop(hybrid=False)
    for action in (
        lambda: loop.core.set_target((np.nan, 0, 0), "odom", loaded().base),
        lambda: loop.core.set_target((1, 0, 0), "map", loaded().base),
        lambda: loop.core.set_velocity((np.inf, 0, 0)),
    ):
        with pytest.raises(GoalError):
            action()


def test_prediction_starts_plans_from_a_later_state() -> None:
    loop = Loop(hybrid=False, params=ControllerParams(prediction_delay=0.04))
    loop.run(40)
    assert loop.planning.jobs[-1].stamp == pytest.approx(loop.now + 0.04)
    assert loop.run(1).driver is Driver.PLANNER


def test_reset_forgets_plans_of_earlier_runs() -> None:
    loop = Loop(hybrid=False)
    loop.run(40)
    loop.core.reset()
    loop.planning.broken = True
    output = loop.step()
    assert output.plan is None and output.driver is Driver.HOLD


def test_slower_planning_asks_for_fewer_plans() -> None:
    loop = Loop(hybrid=False)
    loop.core.settings = PlannerSettings(frequency=25.0)
    loop.run(20)
    assert len(loop.planning.jobs) == 10


def test_no_command_steps_more_than_the_rates() -> None:
    generator = np.random.default_rng(0)
    wild = lambda problem: problem.previous_command + generator.normal(0, 0.5, 12)  # noqa: E731
    loop = Loop(hybrid=True, plan=wild)
    for turn in range(12):
        loop.core.set_target(FAR if turn % 2 else NEAR, "odom", loaded().base)
        loop.policy.action = generator.normal(0, 2.0, 18)
        loop.planning.broken = turn % 5 == 4
        loop.run(35)
    steps = np.abs(np.diff(loop.sent, axis=0))
    assert np.all(steps <= Rates().position * 0.02 + 1e-9)
    assert loop.transfers >= 10
