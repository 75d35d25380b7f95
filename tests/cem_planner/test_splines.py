"""Splines: they hold their knots, sum to one, and shift in time."""

from __future__ import annotations

import numpy as np
import pytest
from cem_planner.settings import SPLINES, SettingsError
from cem_planner.splines import basis, knot_times, shift
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

HORIZON = 0.5
KINDS = st.sampled_from(SPLINES)
COUNTS = st.integers(1, 8)
TIMES = hnp.arrays(np.float64, st.integers(1, 10), elements=st.floats(-1.0, 2.0))
VALUES = st.floats(-10.0, 10.0)


@given(TIMES, COUNTS, KINDS, st.floats(0.05, 5.0))
def test_the_weights_of_the_knots_sum_to_one(times: np.ndarray, count: int, kind: str, horizon: float) -> None:
    matrix = basis(times, horizon, count, kind)
    assert matrix.shape == (len(times), count)
    np.testing.assert_allclose(matrix.sum(axis=1), 1.0, atol=1e-9)


@given(TIMES, COUNTS, st.sampled_from(["zero", "linear"]))
def test_constant_and_linear_pieces_stay_between_their_knots(times: np.ndarray, count: int, kind: str) -> None:
    matrix = basis(times, HORIZON, count, kind)
    assert (matrix >= 0.0).all() and (matrix <= 1.0).all()


@given(COUNTS, KINDS, st.floats(0.05, 5.0))
def test_a_spline_passes_through_its_knots(count: int, kind: str, horizon: float) -> None:
    times = knot_times(horizon, count, kind)
    np.testing.assert_allclose(basis(times, horizon, count, kind), np.eye(count), atol=1e-9)


@given(COUNTS, KINDS, st.floats(0.0, 3.0))
def test_its_ends_hold(count: int, kind: str, beyond: float) -> None:
    matrix = basis([-beyond, 0.0, HORIZON, HORIZON + beyond], HORIZON, count, kind)
    np.testing.assert_array_equal(matrix[0], matrix[1])
    np.testing.assert_array_equal(matrix[2], matrix[3])


def test_a_linear_spline_by_hand() -> None:
    matrix = basis([0.0, 0.25, 0.75, 1.0], 1.0, 3, "linear")
    np.testing.assert_allclose(matrix, [[1.0, 0.0, 0.0], [0.5, 0.5, 0.0], [0.0, 0.5, 0.5], [0.0, 0.0, 1.0]], atol=1e-12)


def test_constant_pieces_share_the_horizon() -> None:
    matrix = basis([0.0, 0.249, 0.25, 0.99, 1.0], 1.0, 4, "zero")
    np.testing.assert_array_equal(matrix.argmax(axis=1), [0, 0, 1, 3, 3])


def test_a_cubic_spline_is_smooth_and_comes_to_rest() -> None:
    times = np.linspace(0.0, 1.0, 4001)
    path = basis(times, 1.0, 5, "cubic") @ np.array([0.0, 1.0, -1.0, 2.0, 0.5])
    velocity = np.gradient(path, times)
    assert np.abs(np.diff(velocity)).max() < 0.1  # a linear spline jumps by 12 at a knot
    assert abs(velocity[-1]) < 0.05


@given(hnp.arrays(np.float64, st.tuples(COUNTS, st.just(3)), elements=VALUES), KINDS)
def test_a_shift_by_nothing_changes_nothing(knots: np.ndarray, kind: str) -> None:
    moved = shift(knots, 0.0, HORIZON, kind)
    np.testing.assert_array_equal(moved, knots)
    assert moved is not knots and not np.shares_memory(moved, knots)


@given(
    hnp.arrays(np.float64, (2, 3), elements=VALUES),
    st.integers(2, 8),
    st.floats(0.0, HORIZON),
    st.floats(0.0, HORIZON),
)
def test_shift_then_sample_is_sample_later(ends: np.ndarray, count: int, dt: float, time: float) -> None:
    """Exact for linear splines of knots on one line, as long as the old spline has not ended."""
    ramp = np.linspace(0.0, 1.0, count)[:, None]
    knots = (1.0 - ramp) * ends[0] + ramp * ends[1]
    # a new piece that reaches over the old end turns there; before it nothing changes
    piece = HORIZON / (count - 1)
    last_whole = np.floor((HORIZON - dt) / piece + 1e-9) * piece
    inner = min(time, last_whole)
    moved = basis([inner], HORIZON, count, "linear") @ shift(knots, dt, HORIZON, "linear")
    np.testing.assert_allclose(moved, basis([inner + dt], HORIZON, count, "linear") @ knots, atol=1e-8)


@given(hnp.arrays(np.float64, st.tuples(st.integers(2, 6), st.just(2)), elements=VALUES), KINDS, st.integers(0, 7))
def test_a_shift_by_whole_pieces_moves_the_knots(knots: np.ndarray, kind: str, pieces: int) -> None:
    count = len(knots)
    dt = pieces * HORIZON / (count if kind == "zero" else count - 1)
    wanted = knots[np.minimum(np.arange(count) + pieces, count - 1)]
    np.testing.assert_allclose(shift(knots, dt, HORIZON, kind), wanted, atol=1e-7)


def test_short_shifts_add_up_to_a_long_one_with_constant_pieces() -> None:
    """Sampled at its beginning, each piece would stay where it is for ever."""
    knots = np.array([[0.0], [1.0], [2.0], [3.0]])
    for _ in range(100):
        knots = shift(knots, 0.02, HORIZON, "zero")
    np.testing.assert_allclose(knots, 3.0, atol=1e-3)


@given(KINDS, COUNTS, st.floats(-20.0, 20.0))
def test_a_shift_keeps_a_constant(kind: str, count: int, dt: float) -> None:
    np.testing.assert_allclose(shift(np.full((count, 2), 0.7), dt, HORIZON, kind), 0.7, atol=1e-9)


def test_a_shift_keeps_the_type() -> None:
    assert shift(np.zeros((4, 12), np.float32), 0.02, HORIZON, "linear").dtype == np.float32


@pytest.mark.parametrize(
    ("horizon", "count", "kind"),
    [(0.0, 4, "linear"), (np.nan, 4, "linear"), (np.inf, 4, "zero"), (0.5, 0, "cubic"), (0.5, 4, "quintic")],
)
def test_splines_that_cannot_be(horizon: float, count: int, kind: str) -> None:
    with pytest.raises(SettingsError):
        basis([0.0], horizon, count, kind)
    with pytest.raises(SettingsError):
        knot_times(horizon, count, kind)


def test_times_that_are_no_numbers() -> None:
    with pytest.raises(ValueError, match="not a number"):
        basis([0.0, np.nan], HORIZON, 4, "linear")
    with pytest.raises(ValueError, match="shift by nan"):
        shift(np.zeros((4, 2)), np.nan, HORIZON, "linear")
