"""When a robot counts as standing."""

from __future__ import annotations

import numpy as np
import pytest
from cem_planner.rest import RestParams, at_rest, foot_forces, stance_kept
from cem_planner.stance import Stance
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
