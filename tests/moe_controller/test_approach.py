"""The approach rule: projection into the trained region, hysteresis, and that it gets there and stays."""

from __future__ import annotations

import numpy as np
import pytest
from go2_piper_description.joints import ARM_SLICE, joint_array
from go2_piper_description.kinematics import ArmKinematics
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from moe_controller.approach import Approach, ApproachRule
from moe_controller.contract import TargetRegion, VelocityLimits
from moe_controller.targets import in_trunk_box, sample_targets
from numpy.typing import NDArray

SHOULDER = ArmKinematics().shoulder
REGION = TargetRegion()
RULE = ApproachRule(SHOULDER)
POINTS = hnp.arrays(np.float64, (7, 3), elements=st.floats(-5, 5))
LIGHT = settings(max_examples=40, deadline=None)
STILL = np.zeros(7, dtype=bool)


def spherical(points: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
    x, y, z = np.moveaxis(points - SHOULDER, -1, 0)
    flat = np.hypot(x, y)
    return np.hypot(flat, z), np.arctan2(y, x), np.arctan2(z, flat)


def one(target: tuple[float, float, float], walking: bool = False, rule: ApproachRule = RULE) -> Approach:
    return rule.step(np.array(target), np.array(walking))


# --- projection


@LIGHT
@given(POINTS)
def test_shown_targets_are_in_the_region_and_out_of_the_trunk(points: NDArray[np.float64]) -> None:
    shown = RULE.project(points)
    for values, (low, high) in zip(spherical(shown), (REGION.radius, REGION.azimuth, REGION.elevation), strict=True):
        assert np.all((values >= low - 1e-9) & (values <= high + 1e-9))
    assert not np.any(in_trunk_box(shown - [0, 0, -1e-9]))


@LIGHT
@given(POINTS)
def test_projecting_twice_changes_nothing(points: NDArray[np.float64]) -> None:
    once = RULE.project(points)
    np.testing.assert_allclose(RULE.project(once), once, atol=1e-9)


def test_targets_of_the_training_are_shown_as_they_are() -> None:
    targets = sample_targets(np.random.default_rng(0), 500, REGION, SHOULDER)
    np.testing.assert_array_equal(RULE.project(targets), targets)


def test_targets_of_the_training_do_not_start_the_walk() -> None:
    targets = sample_targets(np.random.default_rng(1), 2000, REGION, SHOULDER)
    assert not np.any(RULE.step(targets, np.zeros(2000, dtype=bool)).walking)


# --- command


@LIGHT
@given(POINTS, hnp.arrays(np.bool_, 7))
def test_finite_and_within_limits(points: NDArray[np.float64], walking: NDArray[np.bool_]) -> None:
    limits = VelocityLimits()
    result = RULE.step(points, walking)
    assert np.all(np.isfinite(result.velocity)) and np.all(np.isfinite(RULE.project(points)))
    np.testing.assert_array_equal(limits.clip(result.velocity), result.velocity)
    assert np.all(result.velocity[:, 0] < 0.6)
    assert np.all(result.velocity[:, 1] == 0)
    assert np.all(result.velocity[~result.walking] == 0)


@LIGHT
@given(POINTS)
def test_narrow_limits_of_a_policy_are_kept(points: NDArray[np.float64]) -> None:
    limits = VelocityLimits(vx=(0.0, 0.2), vy=(0.0, 0.0), wz=(-0.1, 0.1))
    result = ApproachRule(SHOULDER, limits=limits).step(points, STILL)
    np.testing.assert_array_equal(limits.clip(result.velocity), result.velocity)


@LIGHT
@given(POINTS, hnp.arrays(np.bool_, 7))
def test_batch_and_single_are_equal(points: NDArray[np.float64], walking: NDArray[np.bool_]) -> None:
    batch, shown = RULE.step(points, walking), RULE.project(points)
    for index in range(7):
        single = RULE.step(points[index], walking[index])
        np.testing.assert_allclose(single.velocity, batch.velocity[index], atol=1e-12)
        np.testing.assert_allclose(RULE.project(points[index]), shown[index], atol=1e-12)
        assert single.walking == batch.walking[index]


def test_far_ahead_walks_straight() -> None:
    result = one((3.0, 0.0, 0.4))
    assert result.walking
    np.testing.assert_allclose(result.velocity, (0.5, 0, 0))


@pytest.mark.parametrize(("y", "sign"), [(1.0, 1), (-1.0, -1)])
def test_target_at_the_side_turns_towards_it(y: float, sign: int) -> None:
    assert np.sign(one((0.0, y, 0.4)).velocity[2]) == sign


@pytest.mark.parametrize("y", [0.0, -0.0, 0.02, -0.02])
def test_straight_behind_turns_left_whatever_the_noise(y: float) -> None:
    result = one((-2.0, y, 0.4))
    assert result.velocity[2] == pytest.approx(0.8)
    assert result.velocity[0] == 0.0


def test_beside_the_trunk_and_overhead_steps_back() -> None:
    for target in ((0.30, 0.0, 0.0), (0.05, 0.0, 0.2), (0.0, 0.0, 0.6)):
        result = one(target)
        assert result.walking
        assert result.velocity[0] < 0


def test_hysteresis() -> None:
    edge = (0.57, 0.0, 0.188)
    assert not one(edge, walking=False).walking
    assert one(edge, walking=True).walking


@pytest.mark.parametrize(("height", "standoff"), [(-0.25, 0.48), (1.5, 0.30)])
def test_unreachable_heights_stop_at_the_standoff_and_are_shown_projected(height: float, standoff: float) -> None:
    assert one((standoff + 0.2, 0.0, height)).walking
    assert not one((standoff, 0.0, height), walking=True).walking
    radius, _, elevation = spherical(RULE.project(np.array((standoff, 0.0, height))))
    assert REGION.radius[0] <= radius <= REGION.radius[1] + 1e-9
    assert elevation == pytest.approx(REGION.elevation[1] if height > 0 else REGION.elevation[0])


# --- closed loop


def simulate(
    targets: NDArray[np.float64], seconds: float, noise: float = 0.0, lag: float = 0.0, seed: int = 0
) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.int64]]:
    """Move unicycles by the rule.

    Args:
        targets: m in odom, shape (N, 3); robots start at the origin.
        seconds: time to simulate.
        noise: of the target seen in base_link, m.
        lag: time constant of the base velocity, s.
        seed: of the noise.

    Returns:
        Targets in base_link at the end, who is still walking, and how often each began to walk.
    """
    rng, count, period = np.random.default_rng(seed), len(targets), 0.02
    position, yaw, speed = np.zeros((count, 2)), np.zeros(count), np.zeros((count, 3))
    walking, starts = np.zeros(count, dtype=bool), np.zeros(count, dtype=np.int64)
    gain = 1.0 if lag == 0 else period / lag

    def seen() -> NDArray[np.float64]:
        away, cos, sin = targets[:, :2] - position, np.cos(yaw), np.sin(yaw)
        flat = np.stack([cos * away[:, 0] + sin * away[:, 1], cos * away[:, 1] - sin * away[:, 0]], axis=-1)
        return np.concatenate([flat, targets[:, 2:]], axis=-1)

    for _ in range(round(seconds / period)):
        result = RULE.step(seen() + rng.normal(0, noise, targets.shape) if noise else seen(), walking)
        starts += result.walking & ~walking
        walking = result.walking
        speed += gain * (result.velocity - speed)
        yaw += period * speed[:, 2]
        position += period * speed[:, :1] * np.stack([np.cos(yaw), np.sin(yaw)], axis=-1)
    return seen(), walking, starts


def ring(count: int, low: float, high: float, heights: tuple[float, float], seed: int) -> NDArray[np.float64]:
    rng = np.random.default_rng(seed)
    distance, angle = rng.uniform(low, high, count), rng.uniform(-np.pi, np.pi, count)
    return np.stack([distance * np.cos(angle), distance * np.sin(angle), rng.uniform(*heights, count)], axis=-1)


def test_gets_to_any_target_and_stays() -> None:
    _, walking, starts = simulate(ring(200, 0.6, 4.0, (-0.3, 1.2), seed=3), seconds=22.0)
    assert not np.any(walking)
    assert np.max(starts) == 1


def test_reachable_targets_end_where_the_policy_knows_them() -> None:
    seen, _, _ = simulate(ring(200, 0.6, 4.0, (-0.05, 0.60), seed=4), seconds=22.0)
    np.testing.assert_allclose(RULE.project(seen), seen, atol=0.02)


def test_noise_and_lag_make_no_chatter() -> None:
    _, walking, starts = simulate(ring(200, 0.6, 4.0, (-0.3, 1.2), seed=5), seconds=25.0, noise=0.003, lag=0.15)
    assert not np.any(walking)
    assert np.max(starts) <= 2
    assert np.mean(starts > 1) < 0.02


def test_near_targets_are_left_room_for() -> None:
    _, walking, starts = simulate(ring(200, 0.0, 0.6, (-0.2, 0.8), seed=6), seconds=22.0)
    assert not np.any(walking)
    assert np.max(starts) <= 1


# --- carrying


@LIGHT
@given(POINTS)
def test_shown_targets_of_the_world_are_in_the_region_too(points: NDArray[np.float64]) -> None:
    shown = RULE.show(points)
    for values, (low, high) in zip(spherical(shown), (REGION.radius, REGION.azimuth, REGION.elevation), strict=True):
        assert np.all((values >= low - 1e-9) & (values <= high + 1e-9))


@pytest.mark.parametrize("target", [(2.0, 0.0, 0.5), (0.0, 2.0, 0.4), (-1.0, 0.1, 0.6), (-0.4, -0.05, 0.5)])
def test_far_targets_and_those_behind_are_approached_with_the_arm_carried_ahead(
    target: tuple[float, float, float],
) -> None:
    shown = RULE.show(np.array(target))
    stand = ArmKinematics().ee_transform(joint_array("stand")[ARM_SLICE])[:3, 3]
    np.testing.assert_allclose(shown, stand, atol=0.03)


def test_near_targets_are_reached_for_and_the_change_is_gradual() -> None:
    targets = sample_targets(np.random.default_rng(0), 500, REGION, SHOULDER)
    np.testing.assert_array_equal(RULE.show(targets), targets)
    path = np.stack([np.linspace(2.0, 0.3, 400), np.full(400, 0.3), np.full(400, 0.5)], axis=-1)
    assert np.abs(np.diff(RULE.show(path), axis=0)).max() < 0.02, "m per 4 mm of the way"
