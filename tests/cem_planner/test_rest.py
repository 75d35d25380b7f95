"""When a robot counts as standing."""

from __future__ import annotations

import numpy as np
import pytest
from cem_planner.prior import prior_knots, trunk_over_feet
from cem_planner.rest import RestParams, at_rest, foot_forces, stance_kept
from cem_planner.stance import Stance, legs_for
from go2_piper_description.joints import ARM_SLICE, LEG_SLICE
from robot_bridge.types import RobotState

from .fakes import STAND, loaded, moved

PARAMS = RestParams()


def with_leg(state: RobotState, name: str, index: int, value: float) -> RobotState:
    values = getattr(state, name).copy()
    values[index] = value
    return moved(state, **{name: values})


def test_torques_tell_the_load_of_each_foot() -> None:
    np.testing.assert_allclose(foot_forces(loaded()), 50.0, rtol=1e-3)


@pytest.mark.parametrize(
    "state",
    [
        with_leg(loaded(), "velocity", 4, 1.5),
        with_leg(loaded(), "position", 2, STAND[2] - 0.7),
        with_leg(loaded(), "position", 1, STAND[1] + 0.4),  # a foot in the air
        with_leg(with_leg(loaded(), "effort", 1, 0.0), "effort", 2, 0.0),  # on the ground, without load
        moved(loaded(), angular_velocity=np.array([0.0, 0.0, 0.5])),
        moved(loaded(), orientation=np.array([0.0, 0.3, 0.0, 0.954])),
        loaded(velocity=(0.1, 0.0, 0.0)),
    ],
    ids=["leg moves", "leg far away", "foot lifted", "foot unloaded", "turns", "tilted", "base moves"],
)
def test_each_sign_of_motion_counts(state: RobotState) -> None:
    assert at_rest(loaded(), PARAMS)
    assert not at_rest(state, PARAMS)


def test_stance_is_lost_by_slipping_and_by_tilting() -> None:
    stance = Stance.from_state(loaded())
    assert stance_kept(loaded(), stance, PARAMS)
    slipped = loaded()
    assert slipped.base is not None
    slipped.base.position[:] += (0.0, 0.1, 0.0)
    assert not stance_kept(slipped, stance, PARAMS)
    assert not stance_kept(moved(loaded(), orientation=np.array([0.3, 0.0, 0.0, 0.954])), stance, PARAMS)


def test_leg_targets_become_the_trunk_that_they_mean() -> None:
    stance = Stance.from_state(loaded())
    wanted = np.array([0.03, -0.02, 0.01, 0.05, -0.08, 0.1])
    legs, _ = legs_for(np.concatenate([wanted, np.zeros(6)]), stance.feet)
    np.testing.assert_allclose(trunk_over_feet(legs, stance), wanted, atol=1e-6)


def test_prior_holds_the_policys_targets() -> None:
    targets = STAND.copy()
    targets[ARM_SLICE] += 0.1
    knots = prior_knots(targets, 4, Stance.from_state(loaded()))
    assert knots.shape == (4, 12)
    np.testing.assert_allclose(knots[:, 6:], np.tile(targets[ARM_SLICE], (4, 1)))
    assert not np.any(prior_knots(targets, 4, None)[:, :6])
    assert len(targets[LEG_SLICE]) == 12
