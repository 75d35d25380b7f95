"""Who drives, and that no transfer makes a joint's command jump."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from cem_planner.handover import Driver, HandoverInputs, HandoverParams, HandoverState, Rates, Smoother, step
from go2_piper_description.joints import ARM_SLICE, joint_array
from hypothesis import given
from hypothesis import strategies as st

PERIOD = 0.02
READY = HandoverInputs(
    now=0.0, executing=True, must_walk=False, at_rest=True, stance_kept=True, plan_fresh=True
)  # fmt: skip
LOWER, UPPER = joint_array("lower"), joint_array("upper")


def after(inputs: HandoverInputs, seconds: float, can_walk: bool, state: HandoverState | None = None) -> HandoverState:
    """Return the state after these inputs have stood for a while."""
    state = state or HandoverState()
    for index in range(round(seconds / PERIOD) + 1):
        state = step(state, replace(inputs, now=inputs.now + PERIOD * index), can_walk)
    return state


def planner(can_walk: bool = True) -> HandoverState:
    state = after(READY, 1.0, can_walk)
    assert state.driver is Driver.PLANNER
    return state


@pytest.mark.parametrize("can_walk", [True, False])
def test_planner_takes_over_once_the_base_has_rested(can_walk: bool) -> None:
    still = HandoverParams().still_time
    waiting = Driver.BACK if can_walk else Driver.HOLD
    assert after(READY, still - 2 * PERIOD, can_walk).driver is waiting
    assert after(READY, still, can_walk).driver is Driver.PLANNER


def test_a_twitch_starts_the_wait_anew() -> None:
    state = after(READY, 0.3, True)
    state = step(state, replace(READY, now=0.32, at_rest=False), True)
    assert after(replace(READY, now=0.34), 0.3, True, state).driver is Driver.BACK
    assert after(replace(READY, now=0.34), 0.4, True, state).driver is Driver.PLANNER


@pytest.mark.parametrize(
    ("change", "with_policy", "alone"),
    [
        ({"must_walk": True}, Driver.WALK, Driver.PLANNER),
        ({"plan_fresh": False}, Driver.BACK, Driver.HOLD),
        ({"stance_kept": False}, Driver.BACK, Driver.HOLD),
        ({"executing": False}, Driver.IDLE, Driver.IDLE),
        ({"plan_fresh": False, "must_walk": True}, Driver.WALK, Driver.HOLD),
    ],
)
def test_what_ends_the_planners_drive(change: dict[str, bool], with_policy: Driver, alone: Driver) -> None:
    for can_walk, driver in ((True, with_policy), (False, alone)):
        state = step(planner(can_walk), replace(READY, now=2.0, **change), can_walk)
        assert state.driver is driver
        if driver is not Driver.PLANNER:
            assert state.reason != "the base stands"


def test_time_that_goes_back_starts_the_wait_anew() -> None:
    state = after(replace(READY, now=100.0), 0.3, True)
    assert step(state, replace(READY, now=1.0), True).rest_since == 1.0


flags = st.booleans()
inputs = st.builds(HandoverInputs, now=st.just(0.0), executing=flags, must_walk=flags, at_rest=flags,
                   stance_kept=flags, plan_fresh=flags)  # fmt: skip


@given(st.lists(st.tuples(inputs, st.integers(1, 40)), max_size=12), flags)
def test_the_planner_never_drives_without_plan_stance_and_rest(
    sequence: list[tuple[HandoverInputs, int]], can_walk: bool
) -> None:
    state, now, rest = HandoverState(), 0.0, 0.0
    for block, count in sequence:
        for _ in range(count):
            given_ = replace(block, now=now)
            before = state
            rest = rest + PERIOD if block.at_rest and state.driver is not Driver.WALK else 0.0
            state = step(state, given_, can_walk)
            now += PERIOD
            assert (state.driver is Driver.IDLE) == (not block.executing)
            assert (state.driver is Driver.WALK) == (block.executing and block.must_walk and can_walk)
            assert state.driver is not (Driver.HOLD if can_walk else Driver.BACK)
            assert state.transfers - before.transfers == (state.driver is not before.driver)
            if state.driver is Driver.PLANNER:
                assert block.plan_fresh
                entered = before.driver is not Driver.PLANNER
                assert rest >= HandoverParams().still_time if entered else block.stance_kept


# -- what is sent -----------------------------------------------------------------------------------------------------

joints = st.lists(st.floats(-10.0, 10.0), min_size=18, max_size=18).map(np.array)


@given(st.lists(st.tuples(joints, joints, st.sampled_from([-1.0, 0.0, 0.005, 0.02, 0.1, 5.0]), flags), max_size=15))
def test_no_step_is_larger_than_the_rates_allow(
    sequence: list[tuple[np.ndarray, np.ndarray, float, bool]],
) -> None:
    smoother, rates = Smoother(), Rates()
    for position, effort, elapsed, change in sequence:
        if change:
            smoother.change()
        before = smoother.position, smoother.effort
        after_ = smoother.send(position, effort, elapsed)
        most = max(elapsed, 0.0)
        assert np.all(np.abs(after_[0] - before[0]) <= rates.position * most + 1e-9)
        assert np.all(np.abs(after_[1] - before[1]) <= rates.effort * most + 1e-9)
        assert np.all((after_[0] >= LOWER) & (after_[0] <= UPPER))


def test_differences_between_drivers_fade() -> None:
    smoother = Smoother()
    stand = joint_array("stand")
    other = stand + 0.1
    smoother.change()
    sent = [smoother.send(other, np.full(18, 2.0), PERIOD) for _ in range(20)]
    steps = np.abs(np.diff([stand, *(position for position, _ in sent)], axis=0))
    assert steps.max() <= 0.1 * PERIOD / Rates().blend_time + 1e-9
    np.testing.assert_allclose(sent[-1][0], np.clip(other, LOWER, UPPER))
    np.testing.assert_allclose(sent[-1][1], 2.0)


def test_without_a_transfer_commands_pass_as_they_are() -> None:
    smoother = Smoother()
    wanted = joint_array("stand").copy()
    wanted[ARM_SLICE] += 0.03
    np.testing.assert_array_equal(smoother.send(wanted, np.zeros(18), PERIOD)[0], np.clip(wanted, LOWER, UPPER))
