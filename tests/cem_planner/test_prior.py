"""The policy's proposal: in the plan's coordinates, rolled out from knot to knot with one question per plan."""

from __future__ import annotations

import numpy as np
import pytest
from cem_planner.executor import GravityModel
from cem_planner.lag import LagParameters
from cem_planner.prior import PLANS_PER_QUESTION, PolicyPrior, coordinates_of, trunk_over_feet
from cem_planner.problem import Goal, PlanState, Problem
from cem_planner.settings import PlannerSettings
from cem_planner.stance import Stance, legs_for, trunk_rotation
from go2_piper_description.joints import ARM_SLICE, LEG_SLICE, joint_array
from moe_controller.controller import MoeController
from moe_controller.policy import PolicyFault

from .fakes import STAND, FakePolicy, loaded

SETTINGS = PlannerSettings()
NONE = np.zeros(18)


@pytest.fixture
def stance() -> Stance:
    return Stance.from_state(loaded())


class Asked:
    """A prior over a policy whose action a test sets, asked once for each plan."""

    def __init__(self, stance: Stance | None, settings: PlannerSettings = SETTINGS) -> None:
        self.policy, self.stance = FakePolicy(), stance
        self.moe = MoeController(self.policy)
        self.prior = PolicyPrior(self.moe, settings, LagParameters())
        self.now, self.imagined = 0.0, 0

    def __call__(self) -> np.ndarray:
        self.now = round(self.now + 0.02, 6)
        output = self.moe.step(loaded(self.now), self.now, True)
        before = len(self.policy.seen)
        place = np.r_[np.zeros(6), STAND[ARM_SLICE]]
        problem = Problem(PlanState(place, np.zeros(12)), Goal(np.zeros(3)), place, np.zeros(12), np.zeros((4, 3)))
        knots = self.prior.knots(self.now, problem, output.position, NONE, self.stance)
        self.imagined = len(self.policy.seen) - before
        return knots


def test_leg_targets_become_the_trunk_that_they_mean(stance: Stance) -> None:
    wanted = np.array([0.03, -0.02, 0.01, 0.05, -0.08, 0.1])
    legs, _ = legs_for(np.concatenate([wanted, np.zeros(6)]), stance.feet)
    np.testing.assert_allclose(trunk_over_feet(legs, stance), wanted, atol=1e-6)


def test_targets_that_carry_the_weight_mean_the_pose_that_they_hold(stance: Stance) -> None:
    wanted = np.r_[0.02, 0.01, -0.02, 0.0, 0.05, 0.0, STAND[ARM_SLICE] + 0.1]
    legs, _ = legs_for(wanted, stance.feet)
    joints = np.r_[legs, wanted[6:]]
    torques, _ = GravityModel().torques(trunk_rotation(wanted), joints)
    targets = joints + torques / joint_array("kp")  # as a policy that holds this pose without torques
    np.testing.assert_allclose(coordinates_of(targets, torques, stance), wanted, atol=1e-6)
    assert np.abs(coordinates_of(targets, NONE, stance) - wanted).max() > 0.03
    assert not np.any(coordinates_of(targets, torques, None)[:6])
    assert len(targets[LEG_SLICE]) == 12


def test_rolled_out_with_one_question_for_each_plan(stance: Stance) -> None:
    asked = Asked(stance)
    asked.policy.action[ARM_SLICE] = 0.1
    held = asked()
    assert held.shape == (4, 12) and np.ptp(held, axis=0).max() < 1e-9 and asked.imagined == 0
    scale = np.array(asked.policy.contract.action_scale)[ARM_SLICE]
    for turn in range(3):  # the policy changes its mind in what it imagines
        asked.policy.action[ARM_SLICE] = 0.2 + 0.1 * turn
        counts = []
        for _ in range(PLANS_PER_QUESTION):
            knots = asked()
            counts.append(asked.imagined)
        assert counts == [0] * (PLANS_PER_QUESTION - 1) + [1]
    shares = (knots[:, 8] - STAND[ARM_SLICE][2]) / scale[2]
    later = 3 * PLANS_PER_QUESTION * SETTINGS.period
    times = np.linspace(0.0, 0.5, 4)
    np.testing.assert_allclose(shares, np.interp(times + later, times, [0.1, 0.2, 0.3, 0.4]), atol=1e-6)
    asked()
    assert asked.imagined == 0, "a new one begins with what the policy says now"


def test_the_policy_sees_where_its_own_way_leads(stance: Stance) -> None:
    asked = Asked(stance)
    asked.policy.action[ARM_SLICE] = 0.3
    asked()
    present = asked.policy.seen[-1]
    for _ in range(PLANS_PER_QUESTION):
        asked()
    then = asked.policy.seen[-1]
    assert asked.imagined == 1
    terms = {term.name: term for term in asked.policy.contract.observation}
    begin = {}
    place = 0
    for term in asked.policy.contract.observation:
        begin[term.name], place = place, place + term.size
    arm = slice(begin["joint_position"] + 12, begin["joint_position"] + 18)
    scale = np.array(asked.policy.contract.action_scale)[ARM_SLICE]
    assert not np.any(present[arm])
    assert np.all(then[arm] > 0.3 * scale * 0.3) and np.all(then[arm] < 0.45 * scale), "on the way to its targets"
    moving = slice(begin["joint_velocity"] + 12, begin["joint_velocity"] + 18)
    assert np.all(then[moving] > 0.0) and terms["joint_velocity"].scale > 0.0


def test_nothing_imagined_reaches_the_next_step(stance: Stance) -> None:
    one, other = Asked(stance), Asked(None)
    plans = 2 * (3 * PLANS_PER_QUESTION + 1)
    for turn in range(plans):
        for asked in (one, other):
            asked.policy.action[:] = 0.02 * turn
            asked()
    steps = [seen for seen in one.policy.seen if any(np.array_equal(seen, real) for real in other.policy.seen)]
    assert len(other.policy.seen) == plans and len(steps) == plans
    assert len(one.policy.seen) == plans + 6


def test_held_where_only_the_arm_is_planned_or_there_is_one_knot(stance: Stance) -> None:
    for asked in (Asked(None), Asked(stance, PlannerSettings(num_knots=1))):
        for _ in range(5):
            knots = asked()
            assert asked.imagined == 0 and np.ptp(knots, axis=0).max() == 0.0


def test_new_feet_begin_anew(stance: Stance) -> None:
    asked = Asked(stance)
    for _ in range(3 * PLANS_PER_QUESTION + 1):
        asked()
    asked.stance = Stance.from_state(loaded())
    asked.policy.action[ARM_SLICE] = 0.2
    assert np.ptp(asked(), axis=0).max() < 1e-9 and asked.imagined == 0


def test_a_policy_is_asked_after_its_first_step_only() -> None:
    moe = MoeController(FakePolicy())
    with pytest.raises(PolicyFault, match="before its first step"):
        moe.imagine(np.array([0.0, 0.0, 0.0, 1.0]), np.zeros(3), STAND, NONE, STAND)
