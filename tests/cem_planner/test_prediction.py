"""The lag is exact, and the prediction replays the commands that were sent."""

from __future__ import annotations

import numpy as np
import pytest
from cem_planner.lag import LagParameters
from cem_planner.prediction import LONGEST_PREDICTION, CommandHistory, predict
from cem_planner.problem import PlanState
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp
from scipy.linalg import expm

LAG = LagParameters()
ZEROS = np.zeros(12)


def _lag(frequency: float, damping: float, gain: float = 1.0) -> LagParameters:
    return LagParameters(np.full(12, frequency), np.full(12, damping), np.full(12, gain))


def _state(seed: int = 0) -> PlanState:
    random = np.random.default_rng(seed)
    return PlanState(0.1 * random.standard_normal(12), 0.3 * random.standard_normal(12))


# --- lag -------------------------------------------------------------------------------------------------------------


@given(st.floats(0.5, 100.0), st.one_of(st.floats(0.05, 5.0), st.just(1.0)), st.floats(0.0, 1.0))
def test_the_step_is_the_matrix_exponential(frequency: float, damping: float, dt: float) -> None:
    """Underdamped, overdamped and critical."""
    step = _lag(frequency, damping).discrete(dt)
    square = frequency**2
    system = np.array([[0.0, 1.0, 0.0], [-square, -2 * damping * frequency, square], [0.0, 0.0, 0.0]])
    wanted = expm(system * dt)
    scale = 1.0 + square
    np.testing.assert_allclose(step.transition[0], wanted[:2, :2], atol=1e-9 * scale)
    np.testing.assert_allclose(step.drive[0], wanted[:2, 2], atol=1e-9 * scale)


def test_nothing_happens_in_no_time() -> None:
    step = LAG.discrete(0.0)
    np.testing.assert_allclose(step.transition, np.tile(np.eye(2), (12, 1, 1)), atol=1e-12)
    np.testing.assert_allclose(step.drive, 0.0, atol=1e-12)


def test_a_long_step_comes_to_rest_at_the_target() -> None:
    position, velocity = LAG.discrete(20.0).apply(_state().position, _state().velocity, np.arange(12.0))
    np.testing.assert_allclose(position, np.arange(12.0), atol=1e-6)
    np.testing.assert_allclose(velocity, 0.0, atol=1e-6)


def test_the_start_values_are_the_fitted_ones_by_name() -> None:
    assert LAG.frequency[0] == 13.4 and LAG.damping[0] == 0.73  # x
    assert LAG.frequency[11] == 44.0 and LAG.damping[11] == 3.5  # piper_joint6
    np.testing.assert_array_equal(LAG.gain, 1.0)


@pytest.mark.parametrize("bad", [0.0, -1.0, np.nan, np.inf])
@pytest.mark.parametrize("name", ["frequency", "damping", "gain"])
def test_parameters_that_cannot_be(name: str, bad: float) -> None:
    value = np.ones(12)
    value[4] = bad
    with pytest.raises(ValueError, match=f"lag.{name} of pitch"):
        LagParameters(**{name: value})
    with pytest.raises(ValueError, match=r"must be \(12,\)"):
        LagParameters(**{name: np.ones(6)})


@pytest.mark.parametrize("dt", [-0.01, np.nan, np.inf])
def test_steps_that_cannot_be(dt: float) -> None:
    with pytest.raises(ValueError, match="step"):
        LAG.discrete(dt)


# --- history ---------------------------------------------------------------------------------------------------------


def _history(*entries: tuple[float, float]) -> CommandHistory:
    history = CommandHistory()
    for stamp, value in entries:
        history.append(stamp, np.full(12, value))
    return history


def test_the_command_in_force_is_the_latest_one_sent() -> None:
    history = _history((1.0, 0.1), (1.2, 0.2))
    assert history.at(0.99) is None
    for time, value in ((1.0, 0.1), (1.19, 0.1), (1.2, 0.2), (9.0, 0.2)):
        command = history.at(time)
        assert command is not None and command[0] == value


def test_pieces_cover_the_time_between() -> None:
    pieces = list(_history((1.0, 0.1), (1.2, 0.2), (1.5, 0.3)).pieces(0.9, 1.4))
    assert [None if command is None else command[0] for _, command in pieces] == [None, 0.1, 0.2]
    np.testing.assert_allclose([duration for duration, _ in pieces], [0.1, 0.2, 0.2], atol=1e-12)


@given(st.lists(st.floats(0.0, 2.0), max_size=12), st.floats(0.0, 2.0), st.floats(0.0, 2.0))
def test_pieces_are_positive_and_sum_up(stamps: list[float], begin: float, length: float) -> None:
    history = CommandHistory(span=10.0)
    for stamp in sorted(stamps):
        history.append(stamp, ZEROS)
    durations = [duration for duration, _ in history.pieces(begin, begin + length)]
    assert all(duration > 0.0 for duration in durations)
    assert sum(durations) == pytest.approx(length, abs=1e-12)


def test_old_commands_are_dropped_but_for_the_one_in_force() -> None:
    history = CommandHistory(span=0.1)
    for turn in range(100):
        history.append(turn * 0.02, np.full(12, float(turn)))
    assert len(history) <= 7
    command = history.at(99 * 0.02 - 0.099)
    assert command is not None and command[0] == 94.0


def test_a_clock_that_goes_back_forgets_what_comes_later() -> None:
    history = _history((5.0, 0.5), (6.0, 0.6), (5.5, 0.7))
    later = history.at(7.0)
    assert later is not None and later[0] == 0.7
    assert len(history) == 2


def test_the_history_keeps_copies() -> None:
    history, command = CommandHistory(), np.zeros(12)
    history.append(0.0, command)
    command[:] = 9.0
    kept = history.at(0.0)
    assert kept is not None and kept[0] == 0.0
    history.clear()
    assert len(history) == 0 and history.at(1.0) is None


def test_commands_that_cannot_be() -> None:
    history = CommandHistory()
    for stamp, command in ((0.0, np.full(12, np.nan)), (np.nan, ZEROS), (np.inf, ZEROS)):
        with pytest.raises(ValueError, match="not finite"):
            history.append(stamp, command)
    with pytest.raises(ValueError, match="shape"):
        history.append(0.0, np.zeros(18))
    assert len(history) == 0
    with pytest.raises(ValueError, match="span"):
        CommandHistory(span=0.0)


# --- prediction ------------------------------------------------------------------------------------------------------


@hypothesis_settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(st.floats(0.9, 1.2), st.floats(-0.3, 0.3)), min_size=1, max_size=5), st.floats(1.01, 1.3))
def test_it_solves_the_equation_under_the_commands_sent(entries: list[tuple[float, float]], until: float) -> None:
    history = _history((0.5, 0.05), *sorted(entries))
    offset = np.linspace(-0.02, 0.02, 12)
    found = predict(_state(), 1.0, until, history, LAG, offset)
    times, position, velocity = [1.0], _state().position, _state().velocity
    times += sorted({stamp for stamp, _ in entries if 1.0 < stamp < until}) + [until]
    for begin, end in zip(times, times[1:], strict=False):
        command = history.at(begin)
        assert command is not None
        target = LAG.gain * command + offset

        def motion(_: float, y: np.ndarray, target: np.ndarray = target) -> np.ndarray:
            acceleration = LAG.frequency**2 * (target - y[:12]) - 2 * LAG.damping * LAG.frequency * y[12:]
            return np.concatenate([y[12:], acceleration])

        solved = solve_ivp(motion, (begin, end), np.concatenate([position, velocity]), rtol=1e-8, atol=1e-10)
        position, velocity = solved.y[:12, -1], solved.y[12:, -1]
    np.testing.assert_allclose(found.position, position, atol=1e-6)
    np.testing.assert_allclose(found.velocity, velocity, atol=1e-4)


def test_no_delay_leaves_the_state_as_it_is() -> None:
    for until in (1.0, 0.5):
        found = predict(_state(), 1.0, until, _history((0.0, 0.3)), LAG, ZEROS)
        np.testing.assert_array_equal(found.position, _state().position)
        np.testing.assert_array_equal(found.velocity, _state().velocity)


def test_without_a_command_the_robot_comes_to_rest_where_it_is() -> None:
    found = predict(PlanState(_state().position, ZEROS), 1.0, 1.1, CommandHistory(), LAG, ZEROS)
    np.testing.assert_allclose(found.position, _state().position, atol=1e-12)


def test_the_prediction_has_an_end() -> None:
    """A clock that jumped must not let the lag run for hours."""
    history = _history((0.0, 0.3))
    far = predict(_state(), 1.0, 1.0e6, history, LAG, ZEROS)
    near = predict(_state(), 1.0, 1.0 + LONGEST_PREDICTION, history, LAG, ZEROS)
    np.testing.assert_array_equal(far.position, near.position)


@pytest.mark.parametrize(("stamp", "until"), [(np.nan, 1.0), (1.0, np.nan), (1.0, np.inf)])
def test_times_that_are_no_numbers(stamp: float, until: float) -> None:
    with pytest.raises(ValueError, match="not possible"):
        predict(_state(), stamp, until, CommandHistory(), LAG, ZEROS)
