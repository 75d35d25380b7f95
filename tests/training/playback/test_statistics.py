"""Figures of rollouts whose answers are known."""

from __future__ import annotations

import numpy as np
import pytest

from training.playback.statistics import task_figures, weight_statistics

from .fixtures import made_up

WEIGHTS = np.array([[[[1.0, 0.0], [0.5, 0.5]]], [[[0.2, 0.8], [0.1, 0.9]]]], np.float32)
"""Two steps of one robot: legs, arm by base, arm."""


def test_weights() -> None:
    def phases(values: dict[str, np.ndarray]) -> None:
        values["mode"][1] = 1

    found = weight_statistics(made_up(WEIGHTS, phases))
    np.testing.assert_allclose(found.mean, [[0.6, 0.4], [0.3, 0.7]], atol=1e-6)
    np.testing.assert_allclose(found.spread, [[0.4, 0.4], [0.2, 0.2]], atol=1e-6)
    np.testing.assert_allclose(found.usage, [[0.5, 0.5], [0.5, 0.5]])
    np.testing.assert_allclose(found.entropy[0, 0], [0.0, np.log(2)], atol=1e-6)
    assert list(found.by_mode) == ["walk", "reach"]
    np.testing.assert_allclose(found.by_mode["reach"], WEIGHTS[1, 0], atol=1e-6)


def test_modes_that_did_not_occur_are_left_out() -> None:
    assert list(weight_statistics(made_up(WEIGHTS)).by_mode) == ["walk"]


def test_task() -> None:
    def happened(values: dict[str, np.ndarray]) -> None:
        values["target_position"][..., 0] = 0.1
        values["target_position"][3:, :, 0] = 9.0
        values["reaches"][3:] = False  # so that these do not count
        values["command"][:, 0, 0] = 0.5  # the other robot is not told to move
        values["base_linear_velocity"][:, :, 0] = 0.3
        values["base_angular_velocity"][:, :, 2] = 0.2
        values["fell"][2, 1] = True

    found = task_figures(made_up(np.full((5, 2, 1, 2), 0.5, np.float32), happened))
    assert found.seconds == pytest.approx(0.2) and found.falls == 1 and found.reward == 1.0
    assert (found.ee_median, found.ee_p90) == (pytest.approx(0.1), pytest.approx(0.1))
    assert (found.linear_error, found.yaw_error) == (pytest.approx(0.2), pytest.approx(0.2))
    assert found.ee_angle_median == 0.0


def test_figures_without_samples_are_none() -> None:
    def nothing(values: dict[str, np.ndarray]) -> None:
        values["reaches"][:] = False
        values["walks"][:] = False
        values["command"][:] = 1.0

    found = task_figures(made_up(np.full((2, 1, 1, 2), 0.5, np.float32), nothing))
    assert [found.ee_median, found.ee_p90, found.ee_angle_median, found.linear_error, found.yaw_error] == [None] * 5
