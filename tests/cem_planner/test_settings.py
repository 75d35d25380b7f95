"""Settings: the document's defaults, and one clear line for each that cannot work."""

from __future__ import annotations

import dataclasses
import math
import subprocess
import sys
from typing import Any

import pytest
from cem_planner.cem import initial_sigma, knot_box, sigma_floor
from cem_planner.settings import MOST_NUMBERS, PlannerSettings, SettingsError
from hypothesis import given
from hypothesis import strategies as st

NUMBERS = [item.name for item in dataclasses.fields(PlannerSettings) if item.type != "str"]
WHOLE = [item.name for item in dataclasses.fields(PlannerSettings) if item.type == "int"]


def test_defaults_are_those_of_the_document() -> None:
    settings = PlannerSettings()
    assert (settings.num_samples, settings.num_elites, settings.plan_horizon) == (500, 20, 0.5)
    assert (settings.num_knots, settings.iterations, settings.frequency) == (4, 1, 50.0)
    assert settings.num_steps == 25 and settings.period == pytest.approx(0.02)


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"num_elites": 501}, "only 500 samples"),
        ({"num_samples": 0}, "num_samples is 0"),
        ({"num_elites": 0}, "num_elites is 0"),
        ({"num_knots": 0}, "num_knots is 0"),
        ({"num_knots": 26}, "no more than 25"),
        ({"iterations": 0}, "iterations is 0"),
        ({"seed": -1}, "seed is -1"),
        ({"num_samples": MOST_NUMBERS}, "at most"),
        ({"plan_horizon": 0.0}, "above 0"),
        ({"plan_horizon": -0.5}, "above 0"),
        ({"plan_horizon": 20.0}, "at most 10 s"),
        ({"plan_horizon": 0.51}, "such as 0.52 s"),
        ({"plan_horizon": 0.005, "num_knots": 1, "frequency": 300.0}, "such as 0.02 s"),
        ({"time_step": 0.0}, "above 0"),
        ({"time_step": 1e-9}, "at most 10000"),
        ({"frequency": 0.0}, "above 0"),
        ({"frequency": 1.0}, "at least 2 Hz"),
        ({"spline": "quintic"}, "one of zero, linear, cubic"),
        ({"spline": 3}, "one of zero, linear, cubic"),
        ({"returned": "all"}, "one of mean, best"),
        ({"smoothing": 1.0}, "0 to below 1"),
        ({"mean_smoothing": -0.1}, "0 to below 1"),
        ({"prior_share": 1.0}, "0 to below 1"),
        ({"prior_spread": 0.0}, "above 0"),
        ({"sigma_arm": 0.0}, "above 0"),
        ({"floor_arm": 1e-50}, "above 0"),
        ({"box_z_up": 0.0}, "above 0"),
        ({"floor_near": 1.5}, "at most 1"),
        ({"floor_arm": 0.2}, "not be above sigma_arm"),
        ({"num_samples": True}, "must be a number"),
        ({"frequency": "50"}, "must be a number"),
        ({"num_samples": 500.0}, "whole number"),
        ({"num_samples": 10**400}, "too large"),
    ],
)
def test_what_cannot_work_is_refused_in_one_line(values: dict[str, Any], says: str) -> None:
    with pytest.raises(SettingsError, match=says) as caught:
        PlannerSettings(**values)
    assert "\n" not in str(caught.value)
    assert f"planner.{next(iter(values))}" in str(caught.value)


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, None, "x"])
def test_no_setting_takes_what_is_no_number(name: str, value: object) -> None:
    with pytest.raises(SettingsError, match=name):
        PlannerSettings(**{name: value})  # type: ignore[arg-type]


SCALAR = st.one_of(st.integers(-5, 3000), st.floats(-2.0, 100.0), st.sampled_from([0.01, 0.02, 0.05, 0.5, 1.0]))


@given(st.dictionaries(st.sampled_from(NUMBERS), SCALAR, max_size=6), st.sampled_from(["zero", "linear", "cubic"]))
def test_what_is_accepted_can_work(values: dict[str, Any], spline: str) -> None:
    """Whatever passes has sensible counts and times, and box and sigma that CEM can use."""
    try:
        settings = PlannerSettings(spline=spline, **values)
    except SettingsError as error:
        assert "\n" not in str(error)
        return
    assert 1 <= settings.num_elites <= settings.num_samples
    assert 1 <= settings.num_knots <= settings.num_steps
    assert settings.num_steps * settings.time_step == pytest.approx(settings.plan_horizon, rel=1e-5)
    assert settings.period <= settings.plan_horizon * (1 + 1e-5)
    lower, upper = knot_box(settings)
    assert (lower < upper).all()
    assert (initial_sigma(settings) > 0.0).all()
    for error_at_end in (None, 0.0, 0.05, math.nan):
        assert (sigma_floor(settings, error_at_end) > 0.0).all()
        assert (sigma_floor(settings, error_at_end) <= initial_sigma(settings)).all()


def test_unknown_names_get_the_nearest_one() -> None:
    with pytest.raises(SettingsError, match=r"planner.num_sampels is unknown; do you mean num_samples\?"):
        PlannerSettings.from_mapping({"num_sampels": 3})
    assert PlannerSettings.from_mapping({"num_samples": 64, "num_elites": 8}).num_samples == 64


def test_the_core_imports_neither_ros_nor_jax() -> None:
    """JAX alone takes more than a second to import."""
    code = (
        "import sys, cem_planner.planner, cem_planner.prediction, cem_planner.observer, cem_planner.statistics;"
        "print(*(name for name in ('jax', 'rclpy', 'torch') if name in sys.modules))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.split() == []
