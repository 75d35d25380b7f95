"""Terms by hand and in JAX; weights by name."""

from __future__ import annotations

import importlib.util
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from cem_planner import costs
from cem_planner.costs import BACKEND_TERMS, TERM, TERM_NAMES, Weights
from cem_planner.settings import PlannerSettings, SettingsError

HAS_JAX = importlib.util.find_spec("jax") is not None


def _modules() -> list[Any]:
    return [
        pytest.param("numpy", id="numpy"),
        pytest.param("jax.numpy", id="jax", marks=pytest.mark.skipif(not HAS_JAX, reason="no JAX here")),
    ]


@pytest.fixture(params=_modules())
def xp(request: pytest.FixtureRequest) -> ModuleType:
    """NumPy and JAX: the terms are written for both."""
    return importlib.import_module(request.param)


def _is(value: Any, wanted: Any, tolerance: float = 1e-6) -> None:
    np.testing.assert_allclose(np.asarray(value), wanted, atol=tolerance)


def test_weights_are_in_the_order_of_the_names() -> None:
    array = Weights(clearance=7.0, ee_position=3.0).array()
    assert array.dtype == np.float32 and array.shape == (len(TERM_NAMES),)
    assert array[TERM["clearance"]] == 7.0 and array[TERM["ee_position"]] == 3.0
    assert array[TERM["terminal_ee"]] == 2.0 and array[TERM["base_height"]] == 10.0


def test_the_issue_s_terms_are_there() -> None:
    wanted = (
        "ee_position ee_orientation terminal_ee base_height base_tilt base_velocity foot_drift support_margin posture "
        "joint_limits torque command_rate clearance fall"
    )
    assert set(wanted.split()) <= set(TERM_NAMES)


def test_backends_compute_terms_that_exist() -> None:
    assert set(BACKEND_TERMS) == {"reduced", "mujoco", "mjx"}
    for names in BACKEND_TERMS.values():
        assert set(names) <= set(TERM_NAMES)
    assert not {"foot_drift", "torque", "fall"} & set(BACKEND_TERMS["reduced"])


@pytest.mark.parametrize("bad", [-0.1, np.nan, np.inf, "1", True, None])
@pytest.mark.parametrize("name", TERM_NAMES)
def test_weights_that_cannot_be(name: str, bad: Any) -> None:
    with pytest.raises(SettingsError, match=f"weights.{name}"):
        Weights(**{name: bad})


def test_unknown_weights_get_the_nearest_name() -> None:
    with pytest.raises(SettingsError, match=r"weights.clearence is unknown; do you mean clearance\?"):
        Weights.from_mapping({"clearence": 1.0})
    assert Weights.from_mapping({"clearance": 1.0}).clearance == 1.0


def test_ee_terms(xp: ModuleType) -> None:
    error = xp.asarray([[0.0, 0.0, 0.0], [0.3, 0.0, 0.4]], dtype=np.float32)
    _is(costs.ee_position(error, xp), [0.0, np.hypot(0.5, 0.01) - 0.01])
    _is(costs.ee_position_squared(error), [0.0, 0.25])
    trace = xp.asarray([3.0, 3.0 + 1e-6, -1.0], dtype=np.float32)
    same, over, turned = np.asarray(costs.ee_orientation(trace, xp))
    _is([same, over], 0.3 * np.sqrt(1e-3))  # also where rounding brought the trace above 3
    _is(turned, 2.0 + 0.3 * np.sqrt(2.001))


def test_hinges_cost_nothing_inside(xp: ModuleType) -> None:
    _is(costs.hinge(xp.asarray([-1.0, 0.0, 0.5]), xp), [0.0, 0.0, 0.25])
    _is(costs.support_margin(xp.asarray([[0.04, 0.1, 0.2, 0.3], [0.03, 0.1, 0.2, -0.01]]), xp), [0.0, 1e-4 + 25e-4])
    _is(costs.leg_length(xp.asarray([[0.12, 0.3, 0.372, 0.2], [0.11, 0.392, 0.2, 0.2]]), xp), [0.0, 1e-4 + 4e-4])
    _is(costs.ee_height(xp.asarray([0.06, 0.03]), xp), [0.0, 4e-4])
    lower, upper = xp.asarray([-1.0, 0.0]), xp.asarray([1.0, 2.0])
    limits = costs.joint_limits(xp.asarray([[-0.97, 1.97], [-1.0, 2.07]]), lower, upper, xp)
    _is(limits, [0.0, 0.03**2 + 0.1**2])


def test_clearance_is_the_distance_from_the_trunk_s_box(xp: ModuleType) -> None:
    touching, near, corner, far = [0.0, 0.0, 0.0], [0.0, 0.0, 0.10], [0.31, 0.12, 0.0], [0.5, 0.0, 0.0]
    points = xp.asarray([[touching], [near], [corner], [far]])
    wanted = [0.06**2, 0.02**2, (0.06 - np.hypot(0.03, 0.03)) ** 2, 0.0]
    _is(costs.clearance(points, xp), wanted)
    _is(costs.clearance(xp.asarray([[near, near]]), xp), [2 * 0.02**2])


def test_fallen(xp: ModuleType) -> None:
    height, up = xp.asarray([0.3, 0.11, 0.3]), xp.asarray([0.99, 0.99, 0.5])
    assert list(np.asarray(costs.fallen(height, up))) == [False, True, True]


def test_command_rate(xp: ModuleType) -> None:
    scale = costs.rate_scale(PlannerSettings())
    _is(scale[0], 0.01 / np.sqrt(20.0), 1e-8)
    _is(scale[3], 0.025 / np.sqrt(20.0), 1e-8)
    _is(scale[6], 0.15)
    knots = np.zeros((3, 4, 12), np.float32)
    knots[1, 2:, 6] = 0.15  # one step of an arm joint
    knots[2, :, 0] = 0.01  # a jump of the trunk from the command in force
    _is(costs.command_rate(xp.asarray(knots), xp.zeros(12), xp.asarray(scale)), [0.0, 1.0, 20.0], 1e-4)
