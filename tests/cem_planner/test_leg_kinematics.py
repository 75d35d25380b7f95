"""The legs' kinematics against MuJoCo and against themselves."""

from __future__ import annotations

import mujoco
import numpy as np
from cem_planner import leg_kinematics
from go2_piper_description.joints import LEGS
from go2_piper_description.mjcf import build_mjcf


def poses(count: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.uniform(leg_kinematics.LOWER, leg_kinematics.UPPER, (count, 12))


def test_forward_equals_mujoco() -> None:
    model = mujoco.MjModel.from_xml_string(build_mjcf())
    data = mujoco.MjData(model)
    for q in poses(50):
        data.qpos[:] = 0.0
        data.qpos[3] = 1.0
        data.qpos[7:19] = q
        mujoco.mj_kinematics(model, data)
        truth = np.array([data.site(f"{leg}_foot").xpos for leg in LEGS])
        assert np.allclose(leg_kinematics.forward(q), truth, atol=1e-9)


def test_inverse_undoes_forward() -> None:
    q = poses(500)
    feet = leg_kinematics.forward(q)
    found, reached = leg_kinematics.inverse(feet)
    below = (feet - leg_kinematics.HIPS)[..., 2] < -0.05  # legs that point up have another solution
    assert below.sum() > 500
    usual = below & reached
    assert usual.mean() > 0.3
    assert np.allclose(leg_kinematics.forward(found)[usual], feet[usual], atol=1e-9)


def test_inverse_near_the_stance_returns_the_same_joints() -> None:
    stand = np.tile([0.0, 0.9, -1.6], 4) + np.random.default_rng(1).uniform(-0.25, 0.25, (200, 12))
    found, reached = leg_kinematics.inverse(leg_kinematics.forward(stand))
    assert reached.all()
    assert np.allclose(found, stand, atol=1e-9)


def test_out_of_reach_stays_within_the_ranges_and_says_so() -> None:
    feet = leg_kinematics.HIPS + [0.0, 0.0, -0.6]
    found, reached = leg_kinematics.inverse(feet)
    assert not reached.any()
    assert np.all((found >= leg_kinematics.LOWER) & (found <= leg_kinematics.UPPER))
    assert np.all(np.isfinite(found))


def test_beyond_a_joint_range_is_not_reached() -> None:
    feet = leg_kinematics.HIPS + [0.0, 0.0, -0.10]  # the calf would have to fold beyond its stop
    _, reached = leg_kinematics.inverse(feet)
    assert not reached.any()


def test_foot_beside_the_hip_axis_is_finite() -> None:
    found, reached = leg_kinematics.inverse(leg_kinematics.HIPS.copy())
    assert np.all(np.isfinite(found))
    assert not reached.any()
