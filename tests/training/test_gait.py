"""The trot: leg kinematics both ways, and feet that move as the command says."""

from __future__ import annotations

import mujoco
import numpy as np
import pytest
from go2_piper_description.joints import LEG_JOINTS, LEG_SLICE, LEGS, joint_array

from training.envs.physics import training_model
from training.gait import Trot, feet, legs


def test_feet_are_where_the_model_has_them() -> None:
    model = training_model(0.005)
    data = mujoco.MjData(model)
    data.qpos[:7] = [0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0]
    joints = joint_array("stand")[LEG_SLICE] + np.random.default_rng(0).uniform(-0.3, 0.3, len(LEG_JOINTS))
    data.qpos[7 : 7 + len(LEG_JOINTS)] = joints
    mujoco.mj_kinematics(model, data)
    expected = [data.site(f"{leg}_foot").xpos for leg in LEGS]
    np.testing.assert_allclose(feet(joints), expected, atol=3e-3)  # the foot sits 2 mm behind the calf's axis


@pytest.mark.parametrize("seed", range(3))
def test_legs_is_the_inverse_of_feet(seed: int) -> None:
    joints = joint_array("stand")[LEG_SLICE] + np.random.default_rng(seed).uniform(-0.4, 0.4, (50, len(LEG_JOINTS)))
    np.testing.assert_allclose(legs(feet(joints)), joints, atol=1e-9)


def test_without_a_command_it_stands() -> None:
    stand = joint_array("stand")[LEG_SLICE]
    joints = Trot().joints(np.zeros((3, 3)), np.array([0.0, 0.3, 0.8]))
    np.testing.assert_allclose(joints, np.tile(stand, (3, 1)), atol=1e-9)


def test_diagonal_feet_swing_together_and_stance_feet_go_back() -> None:
    trot = Trot()
    command = np.array([[0.5, 0.0, 0.0]])
    phase = 0.25 * (1.0 - trot.duty) * 2.0  # amid the swing of the first pair
    heights = feet(trot.joints(command, np.array([phase])))[0, :, 2] - feet(joint_array("stand")[LEG_SLICE])[:, 2]
    up = heights > 0.03
    assert up.tolist() == [True, False, False, True]
    later = feet(trot.joints(command, np.array([phase + 0.05])))[0, :, 0]
    now = feet(trot.joints(command, np.array([phase])))[0, :, 0]
    assert np.all((later - now)[up] > 0)
    assert np.all((later - now)[~up] < 0)
