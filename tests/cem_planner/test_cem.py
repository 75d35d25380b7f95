"""The cross-entropy method: candidates, elites, floor, box; and that it finds the least of a bowl."""

from __future__ import annotations

import numpy as np
import pytest
from cem_planner.cem import (
    NoisePool,
    Numbers,
    initial_sigma,
    knot_box,
    layout,
    prior_rows,
    propose,
    sigma_floor,
    update,
)
from cem_planner.settings import PlannerSettings
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

SETTINGS = PlannerSettings(num_samples=40, num_elites=5)
SHAPE = (SETTINGS.num_knots, 12)
LOWER, UPPER = knot_box(SETTINGS)
SIGMA = initial_sigma(SETTINGS)
FLOOR = sigma_floor(SETTINGS, None)
INSIDE = np.tile((LOWER + UPPER) / 2, (SETTINGS.num_knots, 1))
NONE: Numbers = np.zeros((0, *SHAPE), np.float32)
COSTS = st.one_of(st.floats(-5.0, 5.0, width=32), st.sampled_from([np.nan, np.inf, -np.inf]))


def _noise(seed: int, count: int = 40) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((count, *SHAPE)).astype(np.float32)


def _propose(
    mean: Numbers,
    sigma: Numbers,
    noise: Numbers,
    others: Numbers,
    *priors: Numbers,
    share: float = 0.0,
    spread: float = 1.0,
) -> np.ndarray:
    """The mean and others are candidates; the priors are not, but samples are drawn around them."""
    centres, first = np.stack([mean, *others, *priors]), 1 + len(others)
    made_of = layout(len(noise), first, tuple(range(first, len(centres))), share, spread)
    return propose(centres, sigma, noise, made_of, LOWER, UPPER)


def _samples(seed: int, count: int = 40) -> np.ndarray:
    return _propose(INSIDE, SIGMA, _noise(seed, count), NONE)


# --- samples ---------------------------------------------------------------------------------------------------------


@given(st.integers(0, 100), st.floats(0.0, 30.0), st.integers(1, 4), st.floats(0.0, 0.9))
def test_samples_lie_in_the_box(seed: int, spread: float, candidates: int, share: float) -> None:
    wild = 10.0 * _noise(seed + 1, candidates)
    prior = 10.0 * _noise(seed + 2, 1)[0]
    knots = _propose(INSIDE, np.float32(spread) * SIGMA, _noise(seed), wild, prior, share=share, spread=0.5)
    assert (knots >= LOWER).all() and (knots <= UPPER).all()
    assert knots.shape == (40, *SHAPE) and knots.dtype == np.float32


def test_noise_of_any_layout_in_memory_will_do() -> None:
    wanted = _propose(INSIDE, 30 * SIGMA, _noise(0), NONE)
    noise, sigma = np.asfortranarray(_noise(0)), np.asfortranarray(30 * SIGMA)
    np.testing.assert_array_equal(_propose(INSIDE, sigma, noise, NONE), wanted)


def test_candidates_come_first_and_unchanged() -> None:
    candidates = INSIDE + np.float32(0.01) * np.arange(3, dtype=np.float32)[:, None, None]
    knots = _propose(candidates[0], SIGMA, _noise(0), candidates[1:])
    np.testing.assert_array_equal(knots[:3], candidates)
    assert not np.array_equal(knots[3], INSIDE)
    np.testing.assert_array_equal(_propose(candidates[0], SIGMA, _noise(0, 2), candidates[1:]), candidates[:2])


def test_the_noise_is_not_changed() -> None:
    noise = _noise(0)
    kept = noise.copy()
    _propose(INSIDE, SIGMA, noise, NONE, INSIDE, share=0.3)
    np.testing.assert_array_equal(noise, kept)


def test_a_share_of_the_samples_is_around_the_prior() -> None:
    prior = INSIDE + np.float32(0.05)
    with_prior = _propose(INSIDE, SIGMA, _noise(0), NONE, prior, share=0.25, spread=1e-6)
    near = np.flatnonzero(np.abs(with_prior - np.clip(prior, LOWER, UPPER)).max(axis=(1, 2)) < 1e-4)
    np.testing.assert_array_equal(near, prior_rows(1, 40, 0.25))
    others = np.setdiff1d(np.arange(40), near)
    without = _propose(INSIDE, SIGMA, _noise(0), NONE)
    np.testing.assert_array_equal(with_prior[others], without[others])


def test_priors_take_turns_and_leave_samples_for_the_mean() -> None:
    centre, spread = layout(500, 4, (2, 3), 0.1, 0.5)
    assert [np.sum(centre[4:] == index) for index in range(4)] == [397, 0, 50, 49]
    assert (spread[:4] == 0.0).all() and set(spread[centre > 1][2:]) == {0.5}
    centre, _ = layout(500, 6, (3, 4, 5), 0.5, 0.5)
    assert np.mean(centre == 0) == pytest.approx(0.2, abs=0.01)
    assert list(layout(2, 4, (3,), 0.1, 0.5).centre) == [0, 1]


@given(st.integers(0, 4), st.integers(1, 600), st.floats(0.0, 0.99))
def test_the_share_holds_for_every_beginning_of_the_samples(first: int, count: int, share: float) -> None:
    """However few samples are evaluated in time, the share among them is the same."""
    rows = prior_rows(first, max(count, first), share)
    for end in range(first, count + 1):
        assert abs(np.count_nonzero(rows < end) - share * (end - first)) <= 1.0 + 1e-6


# --- update ----------------------------------------------------------------------------------------------------------


@given(st.integers(0, 100), hnp.arrays(np.float32, st.integers(1, 40), elements=COSTS))
def test_elites_are_the_lowest_costs(seed: int, costs: np.ndarray) -> None:
    knots = _samples(seed)[: len(costs)]
    found = update(knots, costs, INSIDE, SIGMA, SETTINGS, FLOOR)
    finite = np.flatnonzero(np.isfinite(costs))
    wanted = sorted(finite, key=lambda index: (costs[index], index))[: SETTINGS.num_elites]
    assert list(found.elites) == wanted
    if wanted:
        assert found.best_cost == costs[wanted[0]]
        np.testing.assert_array_equal(found.best_knots, knots[wanted[0]])


@given(
    st.integers(0, 100),
    hnp.arrays(np.float32, st.integers(1, 40), elements=COSTS),
    st.floats(0.0, 0.99),
    st.floats(0.0, 0.99),
)
def test_the_update_stays_in_the_box_and_above_the_floor(
    seed: int, costs: np.ndarray, smoothing: float, mean_smoothing: float
) -> None:
    settings = PlannerSettings(num_samples=40, num_elites=5, smoothing=smoothing, mean_smoothing=mean_smoothing)
    wide = _propose(INSIDE, 20 * SIGMA, _noise(seed), NONE)[: len(costs)]
    found = update(wide, costs, wide[-1], SIGMA, settings, FLOOR)
    for knots in (found.mean, found.best_knots):
        assert (knots >= LOWER).all() and (knots <= UPPER).all()
    assert (found.sigma >= FLOOR).all() and np.isfinite(found.sigma).all()
    assert found.mean.dtype == found.sigma.dtype == np.float32


@pytest.mark.parametrize("elites", range(2, 24))
def test_elites_at_the_border_have_their_mean_there(elites: int) -> None:
    """The rounded mean of equal numbers may lie beside them, outside of the box."""
    settings = PlannerSettings(num_samples=40, num_elites=elites)
    for border in (LOWER, UPPER):
        knots = np.tile(border, (40, SETTINGS.num_knots, 1))
        found = update(knots, np.zeros(40), INSIDE, SIGMA, settings, FLOOR)
        np.testing.assert_array_equal(found.mean, knots[0])


def test_equal_costs_take_the_earlier_samples() -> None:
    found = update(_samples(0), np.zeros(40), INSIDE, SIGMA, SETTINGS, FLOOR)
    assert list(found.elites) == [0, 1, 2, 3, 4]


def test_mean_and_sigma_by_hand() -> None:
    knots, costs = _samples(3), np.arange(40.0)
    found = update(knots, costs, INSIDE, SIGMA, SETTINGS, np.zeros(12, np.float32))
    np.testing.assert_allclose(found.mean, knots[:5].mean(axis=0), atol=1e-6)
    np.testing.assert_allclose(found.sigma, 0.7 * knots[:5].std(axis=0) + 0.3 * SIGMA, atol=1e-6)


def test_the_mean_can_be_smoothed() -> None:
    settings = PlannerSettings(num_samples=40, num_elites=5, mean_smoothing=0.4)
    knots, costs, old = _samples(3), np.arange(40.0), INSIDE + np.float32(0.02)
    found = update(knots, costs, old, SIGMA, settings, FLOOR)
    np.testing.assert_allclose(found.mean, 0.6 * knots[:5].mean(axis=0) + 0.4 * old, atol=1e-6)


def test_fewer_finite_samples_than_elites_give_the_best_of_them() -> None:
    knots, costs = _samples(1), np.full(40, np.nan)
    costs[[7, 9]] = 2.0, 1.0
    found = update(knots, costs, INSIDE, SIGMA, SETTINGS, FLOOR)
    assert list(found.elites) == [9, 7] and found.best_cost == 1.0
    np.testing.assert_array_equal(found.mean, knots[9])
    np.testing.assert_array_equal(found.sigma, SIGMA)


def test_no_finite_sample_changes_nothing() -> None:
    found = update(_samples(1), np.full(40, np.inf), INSIDE, SIGMA, SETTINGS, FLOOR)
    assert len(found.elites) == 0 and found.best_cost == np.inf
    np.testing.assert_array_equal(found.mean, INSIDE)
    np.testing.assert_array_equal(found.sigma, SIGMA)


@pytest.mark.parametrize("seed", range(3))
def test_it_finds_the_least_of_a_bowl(seed: int) -> None:
    settings = PlannerSettings(num_samples=200, num_elites=20, seed=seed)
    target = np.clip(INSIDE + 0.5 * SIGMA, LOWER, UPPER)
    mean: Numbers = INSIDE
    sigma: Numbers = SIGMA
    noise = NoisePool(settings)
    for _ in range(30):
        block, signs = noise.draw()
        knots = _propose(mean, sigma * signs, block, NONE)
        costs = (((knots - target) / SIGMA) ** 2).sum((1, 2))
        found = update(knots, costs, mean, sigma, settings, 0.02 * SIGMA)
        mean, sigma = found.mean, found.sigma
    assert (np.abs(mean - target) / SIGMA).max() < 0.1


# --- sigma, floor, noise ---------------------------------------------------------------------------------------------


def test_the_floor_shrinks_near_the_goal() -> None:
    far, near = sigma_floor(SETTINGS, 1.0), sigma_floor(SETTINGS, 0.0)
    np.testing.assert_allclose(far, [0.004] * 3 + [0.01] * 3 + [0.06] * 6, rtol=1e-6)
    np.testing.assert_allclose(near, 0.12 * far, rtol=1e-6)
    np.testing.assert_allclose(sigma_floor(SETTINGS, 0.05), 0.5 * far, rtol=1e-6)
    np.testing.assert_array_equal(sigma_floor(SETTINGS, None), far)
    np.testing.assert_array_equal(sigma_floor(SETTINGS, np.nan), far)


def test_the_box_is_that_of_the_trials_and_the_joints() -> None:
    np.testing.assert_allclose(LOWER[:6], [-0.08, -0.06, -0.08, -0.25, -0.25, -0.3], rtol=1e-6)
    np.testing.assert_allclose(UPPER[:6], [0.08, 0.06, 0.06, 0.25, 0.25, 0.3], rtol=1e-6)
    np.testing.assert_allclose(UPPER[6:], [2.618, 3.14, 0.0, 1.745, 1.22, 1.745], rtol=1e-6)


def test_noise_is_normal_and_differs_from_draw_to_draw() -> None:
    pool, again = NoisePool(SETTINGS), NoisePool(SETTINGS)
    draws = []
    for _ in range(20):
        (noise, signs), (same, same_signs) = pool.draw(), again.draw()
        np.testing.assert_array_equal(noise, same)  # the seed decides
        np.testing.assert_array_equal(signs, same_signs)
        assert noise.shape == (40, *SHAPE) and noise.dtype == np.float32
        assert set(np.unique(signs)) == {-1.0, 1.0}
        draws.append(noise * signs)
    assert all(not np.array_equal(draws[0], draw) for draw in draws[1:])
    everything = np.concatenate(draws)
    assert abs(everything.mean()) < 0.03 and abs(everything.std() - 1.0) < 0.03
