"""The offset estimate: learns a sag at rest, nothing in motion, and never more than its limits."""

from __future__ import annotations

import numpy as np
import pytest
from cem_planner.lag import LagParameters
from cem_planner.observer import ObserverParameters, ObserverState, observe
from cem_planner.problem import PlanState
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

LAG = LagParameters()
DT = 0.02
ZEROS = np.zeros(12)
LIMITS = ObserverParameters().limits


def test_a_sag_at_rest_is_learnt_and_does_not_ring() -> None:
    sag = 0.6 * LIMITS * np.array([1.0, -1.0] * 6)
    command = np.linspace(-0.05, 0.05, 12)
    state = ObserverState.start(command)
    remaining = [1.0]
    for _ in range(100):
        state = observe(state, PlanState(command + sag, ZEROS), command, DT, LAG)
        remaining.append(float(np.abs(state.offset - sag).max() / np.abs(sag).max()))
    assert np.all(np.diff(remaining) <= 1e-12)
    assert remaining[10] == pytest.approx(0.9**10, rel=1e-6)  # the time constant
    np.testing.assert_allclose(state.offset, sag, atol=1e-4)


def test_nothing_is_learnt_while_the_robot_moves() -> None:
    state = ObserverState.start(ZEROS)
    moved = observe(state, PlanState(np.full(12, 0.03), np.full(12, 0.5)), ZEROS, DT, LAG)
    assert np.abs(moved.offset).max() < 1e-10


def test_nothing_is_learnt_while_the_model_moves() -> None:
    """The robot sticks while the command moves on: that is friction or lag, no offset."""
    state = ObserverState(ZEROS, np.full(12, 0.5), ZEROS)
    moved = observe(state, PlanState(np.full(12, -0.03), ZEROS), np.full(12, 0.2), DT, LAG)
    assert np.abs(moved.offset).max() < 1e-6


def test_a_right_model_has_no_offset() -> None:
    """The robot is the model: under any commands nothing is learnt."""
    random = np.random.default_rng(0)
    position, velocity, state = ZEROS, ZEROS, ObserverState.start(ZEROS)
    for _ in range(200):
        command = 0.05 * random.standard_normal(12)
        position, velocity = LAG.discrete(DT).apply(position, velocity, LAG.target(command, ZEROS))
        state = observe(state, PlanState(position, velocity), command, DT, LAG)
    np.testing.assert_allclose(state.offset, 0.0, atol=1e-12)


def test_the_estimate_is_what_the_planner_takes_as_an_input() -> None:
    """Sign: the lag with the learnt offset rests where the robot rests."""
    sag, command = -0.02 * np.ones(12), 0.1 * np.ones(12)
    state = ObserverState.start(command)
    for _ in range(200):
        state = observe(state, PlanState(command + sag, ZEROS), command, DT, LAG)
    np.testing.assert_allclose(LAG.target(command, state.offset), command + sag, atol=1e-6)


@hypothesis_settings(max_examples=30)
@given(st.integers(0, 1000), st.floats(0.1, 100.0))
def test_it_stays_within_its_limits(seed: int, scale: float) -> None:
    random = np.random.default_rng(seed)
    state = ObserverState.start(ZEROS)
    for _ in range(20):
        state = observe(state, PlanState(scale * random.standard_normal(12), ZEROS), ZEROS, 0.1, LAG)
        assert (np.abs(state.offset) <= LIMITS).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_measurement_that_is_no_number_teaches_nothing(bad: float) -> None:
    state = observe(ObserverState.start(ZEROS), PlanState(np.full(12, 0.01), ZEROS), ZEROS, DT, LAG)
    position = np.full(12, 0.01)
    position[3] = bad
    after = observe(state, PlanState(position, ZEROS), ZEROS, DT, LAG)
    assert after.offset[3] == state.offset[3] and after.offset[4] > state.offset[4]
    velocity = observe(state, PlanState(ZEROS, np.full(12, bad)), ZEROS, DT, LAG)
    np.testing.assert_array_equal(velocity.offset, state.offset)


def test_a_long_step_learns_no_more_than_all() -> None:
    state = observe(ObserverState.start(ZEROS), PlanState(np.full(12, 0.01), ZEROS), ZEROS, 5.0, LAG)
    np.testing.assert_allclose(state.offset, 0.01, atol=1e-9)


@pytest.mark.parametrize(
    "values",
    [
        {"time_constant": 0.0},
        {"time_constant": np.nan},
        {"still_velocity": -1.0},
        {"limits": np.ones(6)},
        {"limits": np.full(12, -1.0)},
        {"limits": np.full(12, np.nan)},
    ],
)
def test_parameters_that_cannot_be(values: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=f"observer.{next(iter(values))}"):
        ObserverParameters(**values)  # type: ignore[arg-type]
