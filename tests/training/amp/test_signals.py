"""Resampling, smoothing and differences against motion that is known in closed form."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from training.amp.data.signals import (
    continuous,
    differences,
    low_pass,
    low_pass_rotations,
    new_times,
    resample,
    resample_rotations,
    turn_rates,
)
from training.amp.motion import MotionError


def test_resampling_finds_a_sine_again_and_never_overshoots() -> None:
    times = np.arange(121) / 120.0
    new = new_times(121, 120.0, 50.0)
    assert len(new) == 51 and new[-1] == pytest.approx(1.0)
    wave = np.sin(2.0 * np.pi * 2.0 * times)
    assert np.allclose(resample(wave, 120.0, new), np.sin(2.0 * np.pi * 2.0 * new), atol=2e-3)
    step = (times > 0.5).astype(float)
    assert resample(step, 120.0, new).min() >= 0.0 and resample(step, 120.0, new).max() <= 1.0


def test_slerp_turns_at_a_constant_rate_across_the_sign_of_quaternions() -> None:
    axis = np.array([1.0, 2.0, -0.5]) / np.linalg.norm([1.0, 2.0, -0.5])
    angles = np.linspace(0.0, 5.0, 31)
    turns = Rotation.from_rotvec(angles[:, None] * axis).as_quat()
    turns[10:20] *= -1.0
    new = new_times(31, 30.0, 100.0)
    wanted = Rotation.from_rotvec((5.0 * new)[:, None] * axis)
    got = Rotation.from_quat(resample_rotations(turns, 30.0, new))
    assert (wanted.inv() * got).magnitude().max() < 1e-9


def test_the_filter_keeps_what_is_slow_without_delay_and_takes_what_is_fast() -> None:
    times = np.arange(500) / 100.0
    slow, fast = np.sin(2.0 * np.pi * 1.0 * times), 0.3 * np.sin(2.0 * np.pi * 30.0 * times)
    kept = low_pass(slow + fast, 100.0, 8.0)
    assert np.abs(kept - slow)[50:-50].max() < 0.02
    assert low_pass(np.ones(4), 100.0, 8.0) == pytest.approx(1.0)  # shorter than the filter's run-in
    with pytest.raises(MotionError, match="more than 16 Hz"):
        low_pass(slow, 16.0, 8.0)


def test_filtered_rotations_are_rotations() -> None:
    rng = np.random.default_rng(0)
    angles = np.sin(np.arange(200) / 20.0)
    clean = Rotation.from_rotvec(angles[:, None] * [0.0, 0.0, 1.0])
    noisy = (clean * Rotation.from_rotvec(rng.normal(0.0, 0.05, (200, 3)))).as_quat()
    noisy[::3] *= -1.0
    smooth = Rotation.from_quat(low_pass_rotations(noisy, 100.0, 5.0))
    assert np.allclose(np.linalg.norm(low_pass_rotations(noisy, 100.0, 5.0), axis=1), 1.0)
    before = (clean.inv() * Rotation.from_quat(noisy)).magnitude().mean()
    assert (clean.inv() * smooth).magnitude().mean() < 0.5 * before
    assert np.all(np.sum(continuous(noisy)[1:] * continuous(noisy)[:-1], axis=1) > 0.0)


def test_turn_rates_are_in_the_turning_frame() -> None:
    count, rate = 100, 200.0
    own = np.array([0.4, -1.0, 2.0])
    start = Rotation.from_euler("xyz", [0.5, -0.3, 2.0])
    turns = (start * Rotation.from_rotvec(np.outer(np.arange(count) / rate, own))).as_quat()
    turns[40:] *= -1.0
    assert np.allclose(turn_rates(turns, rate), own, atol=1e-9)


def test_differences_are_central() -> None:
    times = np.arange(20) / 50.0
    assert np.allclose(differences(times**2, 50.0)[1:-1], 2.0 * times[1:-1])


def test_too_few_frames_remain() -> None:
    with pytest.raises(MotionError, match="2 frames at 10 Hz are too short"):
        new_times(10, 50.0, 10.0)
