"""Both steppers move the same robot the same way."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from training.amp.features import home_state
from training.amp.robot import RobotConfig, robot_model
from training.amp.stepper import Stepper, make_stepper
from training.structured import ConfigError

pytest.importorskip("mujoco.mjx")

MODEL = """
<mujoco><option timestep="0.005" iterations="5" ls_iterations="8"/>
  <worldbody><geom name="floor" type="plane" size="5 5 1"/>
    <body name="root" pos="0 0 .34"><freejoint name="root"/>
      <inertial pos="0 0 0" mass="3" diaginertia=".05 .05 .05"/>
      <body name="leg"><joint name="hip" axis="0 1 0" damping=".5" armature=".01"/>
        <inertial pos="0 0 -.15" mass=".4" diaginertia=".003 .003 .001"/>
        <geom type="sphere" pos="0 0 -.3" size=".04"/><site name="foot" pos="0 0 -.3" size=".045"/></body>
    </body>
  </worldbody>
  <actuator><position name="hip" joint="hip" kp="20" ctrlrange="-1 1"/></actuator>
  <sensor><touch name="touch" site="foot"/></sensor></mujoco>"""
"""One leg: compiling MJX for the whole robot takes minutes of a processor, too long for every test run."""
COUNT, STEPS = 2, 3


@pytest.fixture
def robot(tmp_path: Path) -> RobotConfig:
    path = tmp_path / "leg.xml"
    path.write_text(MODEL)
    return RobotConfig(str(path), joints=("hip",), key_sites=("foot",), key_bodies=("leg",), contact_sensors=("touch",))


def drive(stepper: Stepper, robot: RobotConfig) -> tuple[NDArray, ...]:
    """Let robots of their own mass and friction move their legs; return where they are."""
    model = robot_model(robot)
    rng = np.random.default_rng(0)
    qpos = np.tile(home_state(model, robot), (COUNT, 1))
    qpos[:, 7:] += rng.uniform(-0.05, 0.05, (COUNT, 1))
    ids = np.arange(COUNT)
    stepper.dress(ids, np.array([0.7, 1.2]), np.array([0.0, 2.0]))
    stepper.place(ids, qpos, np.zeros((COUNT, model.nv)))
    for _ in range(STEPS):
        ctrl = qpos[:, 7:] + rng.uniform(-0.2, 0.2, (COUNT, model.nu))
        stepper.run(np.tile(ctrl, (robot.substeps, 1, 1)))
        stepper.push(np.full((COUNT, 2), 0.05))
    return stepper.qpos.copy(), stepper.qvel.copy(), stepper.contacts()


@pytest.mark.slow
def test_mjx_and_mujoco_agree_on_a_short_rollout(robot: RobotConfig) -> None:
    qpos, qvel, contacts = drive(make_stepper("mujoco", robot, COUNT, 1), robot)
    theirs = drive(make_stepper("mjx", robot, COUNT, 1), robot)
    assert theirs[0] == pytest.approx(qpos, abs=1e-3)
    assert theirs[1] == pytest.approx(qvel, abs=2e-2)
    assert np.array_equal(theirs[2], contacts)
    assert contacts.any(), "it stands on its foot"
    assert np.abs(qvel[0] - qvel[1]).max() > 0.05, "masses and friction are their own"


def test_unknown_steppers_are_one_line(robot: RobotConfig) -> None:
    with pytest.raises(ConfigError, match="stepper 'isaac' is unknown: choose mujoco or mjx"):
        make_stepper("isaac", robot, 1, 1)
