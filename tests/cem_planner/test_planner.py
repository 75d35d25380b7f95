"""The planner: warm start, priors, deadlines on a clock of the test's own, and faults."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from cem_planner.cem import CemUpdate, knot_box, sigma_floor, update
from cem_planner.costs import TERM, Weights
from cem_planner.plan import Plan, PlanFault
from cem_planner.planner import DurationEstimate, Planner
from cem_planner.problem import Goal, PlanState, Problem
from cem_planner.settings import PlannerSettings
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from tests.cem_planner.bowl import Bowl, FakeClock, problem

PERIOD = 0.02


def _run(planner: Planner, plans: int, *priors: np.ndarray) -> list[Plan]:
    return [planner.plan(problem(), turn * PERIOD, priors=priors) for turn in range(plans)]


# --- search ----------------------------------------------------------------------------------------------------------


def test_it_descends_to_the_least_cost() -> None:
    bowl = Bowl()
    plans = _run(Planner(PlannerSettings(), bowl), 80)
    start = float(bowl.cost(plans[0].knots[None] * 0 + problem().previous_command)[0])
    assert plans[-1].cost < 0.05 * start
    assert bowl.cost(plans[-1].mean[None])[0] < 0.05 * start


def test_a_plan_says_where_it_comes_from() -> None:
    plan = Planner(PlannerSettings(), Bowl()).plan(problem(), 3.5, nn_seconds=0.004)
    assert (plan.stamp, plan.horizon, plan.kind, plan.backend, plan.rung) == (3.5, 0.5, "linear", "bowl", "none")
    assert plan.samples_used == 500 and plan.iterations_used == 1 and not plan.missed
    assert plan.knots.shape == plan.best.shape == plan.mean.shape == plan.sigma.shape == (4, 12)
    assert plan.seconds.nn == 0.004 and plan.seconds.total >= plan.seconds.cem + 0.004


def test_the_same_seed_gives_the_same_plans() -> None:
    first, second = (_run(Planner(PlannerSettings(seed=3), Bowl()), 4)[-1] for _ in range(2))
    other = _run(Planner(PlannerSettings(seed=4), Bowl()), 4)[-1]
    np.testing.assert_array_equal(first.knots, second.knots)
    assert not np.array_equal(first.knots, other.knots)


def test_reset_forgets_everything() -> None:
    planner = Planner(PlannerSettings(), Bowl())
    first = _run(planner, 3)[-1]
    planner.reset()
    assert planner.last is None
    np.testing.assert_array_equal(_run(planner, 3)[-1].knots, first.knots)


def test_warm_up_leaves_no_trace_but_the_measured_times() -> None:
    clock = FakeClock()
    bowl = Bowl(100, clock, 0.004)
    bowl.seconds = lambda call: 2.0 if call == 0 else 0.004  # the first one compiles
    planner = Planner(PlannerSettings(), bowl, clock=clock)
    planner.warm_up(problem())
    fresh = Planner(PlannerSettings(), Bowl())
    np.testing.assert_array_equal(planner.plan(problem(), 0.0, 0.1).knots, fresh.plan(problem(), 0.0).knots)


def test_more_iterations_go_further() -> None:
    one = _run(Planner(PlannerSettings(iterations=1), Bowl()), 3)[-1]
    four = _run(Planner(PlannerSettings(iterations=4), Bowl()), 3)[-1]
    assert four.cost < one.cost
    assert four.iterations_used == 4 and four.samples_used == 2000


def test_weights_are_an_argument_and_change_between_plans() -> None:
    bowl = Bowl()
    planner = Planner(PlannerSettings(), bowl)
    planner.plan(problem(), 0.0)
    planner.weights = Weights(posture=7.0)
    planner.plan(problem(), PERIOD)
    assert bowl.weights[0][TERM["posture"]] == np.float32(0.005)
    assert bowl.weights[-1][TERM["posture"]] == 7.0


@pytest.mark.parametrize("kind", ["zero", "linear", "cubic"])
def test_plans_stay_in_the_box(kind: str) -> None:
    settings = PlannerSettings(spline=kind, num_samples=60)
    lower, upper = knot_box(settings)
    bowl = Bowl()
    bowl.target = upper + 1.0  # outside
    for plan in _run(Planner(settings, bowl), 40):
        for knots in (plan.knots, plan.best, plan.mean):
            assert (knots >= lower).all() and (knots <= upper).all()


def test_a_shifted_plan_stays_in_the_box() -> None:
    """A cubic spline swings out of the box between knots at its borders."""

    class Knowing(Bowl):
        def goal_error(self, problem: Problem, knots: np.ndarray) -> float:
            assert (knots >= lower).all() and (knots <= upper).all()
            return 1.0

    settings = PlannerSettings(spline="cubic", num_elites=1)
    lower, upper = knot_box(settings)
    corners = np.stack([lower, upper, upper, lower])
    bowl = Knowing()
    bowl.target = corners
    planner = Planner(settings, bowl)
    np.testing.assert_allclose(planner.plan(problem(), 0.0, priors=[corners]).mean, corners, atol=1e-6)
    planner.plan(problem(), 0.08)


def test_the_best_sample_can_be_returned_instead_of_the_mean() -> None:
    best, mean = (_run(Planner(PlannerSettings(returned=which), Bowl()), 3)[-1] for which in ("best", "mean"))
    np.testing.assert_array_equal(best.knots, best.best)
    np.testing.assert_array_equal(mean.knots, mean.mean)
    np.testing.assert_array_equal(best.mean, mean.mean)
    assert not np.array_equal(best.knots, mean.knots)


def test_sigma_narrows_near_the_goal_and_opens_again_when_the_goal_moves() -> None:
    class Knowing(Bowl):
        error = 0.0

        def goal_error(self, problem: Problem, knots: np.ndarray) -> float:
            return self.error

    bowl = Knowing()
    planner = Planner(PlannerSettings(), bowl)
    near = _run(planner, 40)[-1]
    assert (near.sigma < sigma_floor(planner.settings, None)).any()
    bowl.error = 1.0
    far = planner.plan(problem(), 40 * PERIOD)
    assert (far.sigma >= sigma_floor(planner.settings, None)).all()
    spread = bowl.seen[-5][10:].std(axis=0)
    assert (spread > 0.7 * sigma_floor(planner.settings, None)).all()  # already the samples of that plan


def test_sigma_never_exceeds_the_first_one() -> None:
    """Elites in two heaps, of which one is a prior far away, would otherwise throw the trunk about."""
    bowl = Bowl()
    planner = Planner(PlannerSettings(prior_share=0.5), bowl)
    bowl.spoil = np.zeros_like  # all are alike: the elites are a mixture
    prior = np.tile(knot_box(planner.settings)[1], (4, 1))
    for turn in range(5):
        seen = len(bowl.seen)
        planner.plan(problem(), turn * PERIOD, priors=[prior])
        if turn > 0:
            around_mean = np.concatenate(bowl.seen[seen:])[
                4::2, :, :3
            ]  # after four candidates every second is not the prior's
            assert around_mean.std(axis=0).max() < 1.3 * planner.settings.sigma_trunk_position


# --- warm start ------------------------------------------------------------------------------------------------------


def test_the_first_plan_starts_from_the_command_in_force() -> None:
    bowl = Bowl()
    command = np.clip(problem().previous_command + 0.02, *knot_box(PlannerSettings()))
    Planner(PlannerSettings(), bowl).plan(replace(problem(), previous_command=command), 0.0)
    np.testing.assert_allclose(bowl.seen[0][0], np.tile(command, (4, 1)), atol=1e-6)


def test_candidates_are_the_shifted_mean_the_shifted_best_the_command_and_the_prior() -> None:
    bowl = Bowl()
    planner = Planner(PlannerSettings(), bowl)
    _run(planner, 5)
    last = planner.last
    assert last is not None
    prior = np.tile(problem().previous_command + 0.01, (4, 1))
    seen = len(bowl.seen)
    stamp = last.stamp + 0.05
    planner.plan(problem(), stamp, priors=[prior])
    first = bowl.seen[seen]
    later = replace(last, knots=last.best)
    times = stamp + np.linspace(0.0, 0.5, 4)
    np.testing.assert_allclose(first[0], replace(last, knots=last.mean).sample_many(times), atol=1e-6)
    np.testing.assert_allclose(first[1], later.sample_many(times), atol=1e-6)
    np.testing.assert_allclose(first[2], np.tile(problem().previous_command, (4, 1)), atol=1e-6)
    np.testing.assert_allclose(first[3], prior, atol=1e-6)


@pytest.mark.parametrize("stamp", [-1.0, 0.61])
def test_after_a_jump_in_time_it_starts_anew(stamp: float) -> None:
    """Backwards: a simulation was reset. On by more than a horizon: the plan before has long ended."""
    bowl = Bowl()
    planner = Planner(PlannerSettings(), bowl)
    _run(planner, 6)  # until 0.1 s
    seen = len(bowl.seen)
    planner.plan(problem(), stamp)
    np.testing.assert_allclose(bowl.seen[seen][0], np.tile(problem().previous_command, (4, 1)), atol=1e-6)


# --- priors ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
def test_a_terrible_prior_does_not_hurt(seed: int) -> None:
    """It costs its share of the samples, and nothing else: the search without it stays among the candidates."""
    bowl = Bowl()
    bad = np.tile(2 * knot_box(PlannerSettings())[1] - bowl.target, (4, 1))  # far on the other side
    with_prior = _run(Planner(PlannerSettings(seed=seed), bowl), 60, bad)
    without = _run(Planner(PlannerSettings(seed=seed), bowl), 60)
    start = float(bowl.cost(problem().previous_command[None, None])[0]) * 4
    for turn in (5, 20, 59):
        assert with_prior[turn].cost <= without[turn].cost + 0.03 * start
        assert bowl.cost(with_prior[turn].knots[None])[0] <= bowl.cost(without[turn].knots[None])[0] + 0.03 * start


def test_a_prior_that_turns_bad_in_the_middle_does_not_undo_the_search() -> None:
    bowl = Bowl()
    planner = Planner(PlannerSettings(), bowl)
    good = _run(planner, 60)[-1]
    bad = np.tile(knot_box(planner.settings)[1], (4, 1))
    after = [planner.plan(problem(), (60 + turn) * PERIOD, priors=[bad]) for turn in range(10)]
    assert max(plan.cost for plan in after) < 1.5 * good.cost + 1e-3


def test_a_good_prior_is_taken_at_once() -> None:
    bowl = Bowl()
    prior = np.tile(bowl.target, (4, 1))
    plan = Planner(PlannerSettings(), bowl).plan(problem(), 0.0, priors=[prior])
    without = Planner(PlannerSettings(), bowl).plan(problem(), 0.0)
    np.testing.assert_allclose(plan.best, prior, atol=1e-6)
    assert bowl.cost(plan.knots[None])[0] < 0.5 * bowl.cost(without.knots[None])[0]


def test_a_share_of_the_samples_is_drawn_around_the_prior() -> None:
    bowl = Bowl()
    prior = np.tile(bowl.target, (4, 1))
    settings = PlannerSettings(prior_share=0.2, prior_spread=1e-6)
    Planner(settings, bowl).plan(problem(), 0.0, priors=[prior])
    near = np.abs(np.concatenate(bowl.seen) - prior).max(axis=(1, 2)) < 1e-4
    assert near.sum() == pytest.approx(0.2 * 500, abs=2)
    assert near[:100].sum() == pytest.approx(0.2 * 100, abs=2)  # in the first chunk as well


def test_a_prior_outside_of_the_box_is_taken_at_its_border() -> None:
    """Otherwise all samples around it would be the same corner of the box."""
    bowl = Bowl()
    Planner(PlannerSettings(prior_share=0.5), bowl).plan(problem(), 0.0, priors=[np.full((4, 12), 1e300)])
    around = np.concatenate(bowl.seen)[4::2]
    assert len(np.unique(around[:, 0, 6])) > 50


@pytest.mark.parametrize("bad", [np.full((4, 12), np.nan), np.full((4, 12), np.inf), np.zeros((3, 12)), np.zeros(12)])
def test_a_prior_that_cannot_be_used_is_left_out_and_counted(bad: np.ndarray) -> None:
    planner, without = Planner(PlannerSettings(), Bowl()), Planner(PlannerSettings(), Bowl())
    plan = planner.plan(problem(), 0.0, priors=[bad])
    np.testing.assert_array_equal(plan.knots, without.plan(problem(), 0.0).knots)
    assert planner.priors_refused == 1 and without.priors_refused == 0


def test_several_priors_have_their_shares_and_the_best_is_taken() -> None:
    bowl = Bowl()
    good, other = np.tile(bowl.target, (4, 1)), np.tile(problem().previous_command + 0.01, (4, 1))
    settings = PlannerSettings(prior_share=0.2, prior_spread=1e-6)
    planner = Planner(settings, bowl)
    plan = planner.plan(problem(), 0.0, priors=[other, np.full((4, 12), np.nan), good])
    np.testing.assert_allclose(plan.best, good, atol=1e-4)
    assert planner.priors_refused == 1
    seen = np.concatenate(bowl.seen)
    for prior in (good, other):
        near = np.abs(seen - prior).max(axis=(1, 2)) < 1e-4
        assert near.sum() == pytest.approx(0.2 * 500, abs=3)


def test_more_priors_than_there_is_room_for_are_left_out_and_counted() -> None:
    planner = Planner(PlannerSettings(), Bowl())
    planner.plan(problem(), 0.0, priors=[np.zeros((4, 12))] * 5)
    assert planner.priors_refused == 2


# --- deadlines -------------------------------------------------------------------------------------------------------


def _timed(seconds: float = 0.004, chunk: int = 100, **settings: int) -> tuple[Planner, Bowl, FakeClock]:
    clock = FakeClock()
    bowl = Bowl(chunk, clock, seconds)
    planner = Planner(PlannerSettings(**settings), bowl, clock=clock)  # type: ignore[arg-type]
    planner.warm_up(problem())
    bowl.calls.clear()
    bowl.seen.clear()
    return planner, bowl, clock


def test_without_a_deadline_all_samples_are_used() -> None:
    planner, bowl, _ = _timed(10.0)
    assert planner.plan(problem(), 0.0).samples_used == 500
    assert len(bowl.calls) == 5


@pytest.mark.parametrize(
    ("deadline", "chunks_run"), [(0.0205, 5), (0.0195, 4), (0.0125, 3), (0.0085, 2), (0.0045, 1), (0.001, 1), (-1.0, 1)]
)
def test_no_chunk_begins_that_would_end_after_the_deadline(deadline: float, chunks_run: int) -> None:
    planner, bowl, clock = _timed(0.004)
    begin = clock.now
    plan = planner.plan(problem(), 0.0, deadline)
    assert len(bowl.calls) == chunks_run and plan.samples_used == 100 * chunks_run
    assert plan.missed == (deadline < 0.004)
    if not plan.missed:
        assert clock.now <= begin + deadline


def test_the_update_after_the_chunks_is_reckoned_with(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = FakeClock()

    def slow_update(*arguments: Any) -> CemUpdate:
        clock.now += 0.003
        return update(*arguments)

    monkeypatch.setattr("cem_planner.planner.update", slow_update)
    bowl = Bowl(100, clock, 0.004)
    planner = Planner(PlannerSettings(), bowl, clock=clock)
    planner.warm_up(problem())
    plan = planner.plan(problem(), 0.0, 0.0125)
    assert plan.samples_used == 200 and not plan.missed


@hypothesis_settings(max_examples=30, deadline=None)
@given(st.floats(0.0, 0.03), st.integers(1, 130), st.integers(1, 3))
def test_at_least_one_chunk_and_never_one_too_many(deadline: float, chunk: int, iterations: int) -> None:
    planner, bowl, clock = _timed(0.003, chunk, iterations=iterations, num_samples=250)
    begin = clock.now
    plan = planner.plan(problem(), 0.0, deadline)
    assert len(bowl.calls) >= 1
    assert all(when + 0.003 <= begin + deadline + 1e-9 for when, _ in bowl.calls[1:])
    assert plan.samples_used == sum(count for _, count in bowl.calls)
    fit = min(int((deadline + 1e-9) / 0.003), iterations * math.ceil(250 / chunk))
    assert len(bowl.calls) == max(fit, 1)


def test_a_short_plan_returns_its_best_sample() -> None:
    """Of 10 samples no 20 elites can be made: the plan is the best one, which is no worse than the mean before."""
    planner, bowl, _ = _timed(0.004, 10)
    plan = planner.plan(problem(), 0.0, 0.0045)
    assert plan.samples_used == 10
    costs = bowl.cost(bowl.seen[0])
    np.testing.assert_array_equal(plan.knots, bowl.seen[0][costs.argmin()])
    assert plan.cost == costs.min() <= costs[0]


def test_best_so_far_is_kept_when_a_later_iteration_is_cut_short() -> None:
    """The second iteration has time for 10 of 500 samples; the mean of the first one stays."""
    planner, bowl, _ = _timed(0.004, 10, iterations=2)
    full, full_bowl, _ = _timed(0.004, 10, iterations=1)
    # whole first iteration: 50 chunks; then 1 more
    plan = planner.plan(problem(), 0.0, 0.2045)
    whole = full.plan(problem(), 0.0)
    assert plan.samples_used == 510 and whole.samples_used == 500
    np.testing.assert_array_equal(plan.mean, whole.mean)
    np.testing.assert_array_equal(plan.sigma, whole.sigma)
    assert plan.cost <= whole.cost and plan.iterations_used == 1
    everything = np.concatenate(bowl.seen)
    assert plan.cost == bowl.cost(everything).min()


def test_slow_chunks_are_expected_to_come_again() -> None:
    """The 95th percentile of the latest chunks counts, not their mean."""
    planner, bowl, clock = _timed(0.004)
    bowl.seconds = lambda call: 0.012 if call % 10 == 5 else 0.004
    for turn in range(12):
        planner.plan(problem(), turn * PERIOD)
    bowl.calls.clear()
    bowl.seconds = lambda call: 0.004
    begin = clock.now
    planner.plan(problem(), 1.0, 0.020)
    assert all(when + 0.012 <= begin + 0.020 + 1e-9 for when, _ in bowl.calls[1:])


def test_a_late_plan_is_returned_and_says_so() -> None:
    planner, bowl, _ = _timed(0.004)
    bowl.seconds = lambda call: 0.5
    plan = planner.plan(problem(), 0.0, 0.02)
    assert plan.missed and plan.samples_used == 100 and math.isfinite(plan.cost)


def test_a_deadline_that_is_no_number_leaves_one_chunk() -> None:
    planner, bowl, _ = _timed(0.004)
    assert planner.plan(problem(), 0.0, math.nan).samples_used == 100


def test_duration_estimate() -> None:
    estimate = DurationEstimate()
    assert estimate.seconds() is None
    for value in [1.0] * 90 + [5.0] * 10:
        estimate.add(value)
    assert estimate.seconds() == 5.0
    for _ in range(64):
        estimate.add(1.0)
    assert estimate.seconds() == pytest.approx(1.0, abs=1e-4)
    estimate.clear()
    assert estimate.seconds() is None
    estimate.add(2.0)
    assert estimate.seconds() == 2.0


# --- faults ----------------------------------------------------------------------------------------------------------


def _spoilt(**values: object) -> Problem:
    return replace(problem(), **values)  # type: ignore[arg-type]


NAN = np.full(12, np.nan)


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        (_spoilt(state=PlanState(NAN, np.zeros(12))), "state.position is not finite"),
        (_spoilt(state=PlanState(np.zeros(12), NAN)), "state.velocity is not finite"),
        (_spoilt(goal=Goal(NAN[:3])), "goal.position is not finite"),
        (_spoilt(previous_command=NAN), "previous_command is not finite"),
        (_spoilt(offset=NAN), "offset is not finite"),
        (_spoilt(feet=np.zeros((4, 2))), "feet has shape"),
    ],
)
def test_a_problem_that_is_not_finite_is_a_fault_and_the_plan_before_stays(bad: Problem, says: str) -> None:
    planner, undisturbed = Planner(PlannerSettings(), Bowl()), Planner(PlannerSettings(), Bowl())
    before = _run(planner, 3)[-1]
    with pytest.raises(PlanFault, match=says) as caught:
        planner.plan(bad, 3 * PERIOD)
    assert "\n" not in str(caught.value)
    assert planner.last is before
    _run(undisturbed, 3)
    after = planner.plan(problem(), 3 * PERIOD)
    np.testing.assert_array_equal(after.knots, undisturbed.plan(problem(), 3 * PERIOD).knots)


def test_a_stamp_that_is_no_number_is_a_fault() -> None:
    with pytest.raises(PlanFault, match="stamp"):
        Planner(PlannerSettings(), Bowl()).plan(problem(), math.nan)


def test_a_backend_without_a_finite_cost_is_a_fault_and_the_plan_before_stays() -> None:
    bowl = Bowl()
    planner = Planner(PlannerSettings(iterations=2), bowl)
    before = _run(planner, 3)[-1]
    bowl.spoil = lambda costs: np.full_like(costs, np.nan)
    with pytest.raises(PlanFault, match="none of 1000 samples has a finite cost") as caught:
        planner.plan(problem(), 3 * PERIOD)
    assert "\n" not in str(caught.value)
    assert planner.last is before
    bowl.spoil = lambda costs: costs
    assert planner.plan(problem(), 4 * PERIOD).cost <= before.cost * 1.1


def test_some_costs_that_are_no_numbers_do_not_matter() -> None:
    bowl = Bowl()
    bowl.spoil = lambda costs: np.where(np.arange(len(costs)) % 2 == 0, costs, np.nan)
    plan = _run(Planner(PlannerSettings(), bowl), 30)[-1]
    assert np.isfinite(plan.knots).all() and math.isfinite(plan.cost)


def test_a_backend_that_returns_too_little_is_a_fault() -> None:
    bowl = Bowl()
    bowl.spoil = lambda costs: costs[:-1]
    with pytest.raises(PlanFault, match=r"shape \(99,\) for 100"):
        Planner(PlannerSettings(), bowl).plan(problem(), 0.0)
