"""The controller's core on the simulated robot, behind the safety gate: reaching, walking and both handovers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from cem_planner.controller import CemController
from cem_planner.factory import make_kinematics, make_planners
from cem_planner.handover import Driver, Rates
from cem_planner.planning import InlinePlanning, MakesPlans
from cem_planner.settings import PlannerSettings
from moe_controller.controller import MoeController
from moe_controller.policy import OnnxPolicy
from moe_controller.shipped import shipped_model
from robot_bridge.modes import Mode

from .rig import Rig

pytest.importorskip("jax")

SETTINGS = PlannerSettings()
NEAR = np.array([0.5, 0.1, 0.5])
LOW_AND_FAR = np.array([0.75, 0.0, 0.4])
"""The arm alone is too short for it."""
TO_WALK_TO = np.array([1.8, 0.4, 0.45])
UPRIGHT_HEIGHT = 0.2
"""m; a base below it has fallen."""


@pytest.fixture(scope="module")
def planners(tmp_path_factory: pytest.TempPathFactory) -> dict[str, MakesPlans]:
    return make_planners(SETTINGS, directory=tmp_path_factory.mktemp("compiled"))


def error(rig: Rig, target: np.ndarray, seconds: float) -> float:
    """Let the robot reach for a target in odom; return the mean error of the last 0.5 s, m."""
    rig.core.set_target(target, "odom", rig.state.base)
    end, errors = rig.now + seconds, []
    while rig.now < end:
        rig.step()
        errors.append(float(np.linalg.norm(rig.ee() - target)))
        assert rig.mode is Mode.ACTIVE
        assert rig.state.base is not None and rig.state.base.position[2] > UPRIGHT_HEIGHT
    return float(np.mean(errors[-100:]))


def drivers(rig: Rig) -> list[Driver]:
    """Return who drove, in order, without repetitions."""
    seen: list[Driver] = []
    for output in rig.outputs:
        if not seen or seen[-1] is not output.driver:
            seen.append(output.driver)
    return seen


def steps_keep_to_the_rates(rig: Rig) -> bool:
    moved = np.abs(np.diff(rig.positions, axis=0))
    return bool(np.all(moved <= Rates().position * 0.02 + 1e-9))


def test_cem_reaches_with_arm_and_trunk_and_stays_up_for_what_is_out_of_reach(planners: dict[str, MakesPlans]) -> None:
    rig = Rig(CemController(InlinePlanning(planners, kinematics=make_kinematics(SETTINGS)), SETTINGS))
    rig.activate()
    rig.until(rig.now + 1.0)
    assert error(rig, NEAR, 2.5) < 0.005
    assert error(rig, LOW_AND_FAR, 3.0) < 0.010
    assert error(rig, np.array([3.0, 0.0, 0.4]), 2.0) > 1.0
    assert drivers(rig) == [Driver.IDLE, Driver.HOLD, Driver.PLANNER]
    assert steps_keep_to_the_rates(rig)


@pytest.mark.skipif(not Path(shipped_model()).is_file(), reason="models/ has no policy yet")
def test_hybrid_hands_over_to_walk_and_back(planners: dict[str, MakesPlans]) -> None:
    planning = InlinePlanning(planners, kinematics=make_kinematics(SETTINGS))
    rig = Rig(CemController(planning, SETTINGS, MoeController(OnnxPolicy(shipped_model()))))
    rig.activate()
    rig.until(rig.now + 1.5)
    assert error(rig, TO_WALK_TO, 7.0) < 0.010
    assert drivers(rig) == [Driver.IDLE, Driver.BACK, Driver.PLANNER, Driver.WALK, Driver.BACK, Driver.PLANNER]
    assert steps_keep_to_the_rates(rig)
    walked = [output for output in rig.outputs if output.driver is Driver.WALK]
    assert all(output.plan_kind == "arm" for output in walked)
