"""The JAX model against MuJoCo, the NumPy kinematics and a numerical integration of the lag."""

from __future__ import annotations

import mujoco
import numpy as np
import pytest
from cem_planner import leg_kinematics, splines
from cem_planner.lag import LagParameters
from cem_planner.stance import NOMINAL_TRUNK, trunk_rotation
from go2_piper_description.joints import ARM_SLICE, LEG_SLICE, joint_array
from go2_piper_description.kinematics import ArmKinematics
from go2_piper_description.links import CALF_LENGTH, THIGH_LENGTH, Mount
from go2_piper_description.mjcf import build_mjcf

jnp = pytest.importorskip("jax.numpy")

from cem_planner.backends.reduced import model as reduced  # noqa: E402

LOWER, UPPER = joint_array("lower"), joint_array("upper")


def arm_poses(count: int) -> np.ndarray:
    return np.random.default_rng(0).uniform(LOWER[ARM_SLICE], UPPER[ARM_SLICE], (count, 6))


def columns(values: np.ndarray) -> tuple:
    return tuple(jnp.asarray(values[..., i], jnp.float32) for i in range(values.shape[-1]))


def stacked(vector: tuple) -> np.ndarray:
    return np.stack([np.asarray(x) for x in vector], axis=-1)


@pytest.mark.parametrize("mount", [None, Mount((0.1, 0.02, 0.07), (0.1, -0.2, 0.4))])
def test_arm_pose_equals_numpy(mount: Mount | None) -> None:
    q = arm_poses(200)
    truth = ArmKinematics(mount).ee_transform(q)
    points = reduced.arm_points(reduced.arm_shape(mount), columns(q))
    assert np.allclose(stacked(points.ee), truth[:, :3, 3], atol=2e-6)
    axes = np.stack([stacked(points.x_axis), stacked(points.y_axis), stacked(points.z_axis)], axis=-1)
    assert np.allclose(axes, truth[:, :3, :3], atol=3e-6)


def test_points_equal_mujoco() -> None:
    model = mujoco.MjModel.from_xml_string(build_mjcf())
    data = mujoco.MjData(model)
    q = arm_poses(50)
    points = reduced.arm_points(reduced.arm_shape(), columns(q))
    errors = []
    for row in range(len(q)):
        mujoco.mj_resetDataKeyframe(model, data, 0)
        data.qpos[:3] = 0.0
        data.qpos[7:25] = np.concatenate([joint_array("stand")[LEG_SLICE], q[row]])
        mujoco.mj_forward(model, data)
        assert np.allclose(stacked(points.elbow)[row], data.body("piper_link3").xpos, atol=2e-6)
        assert np.allclose(stacked(points.wrist)[row], data.body("piper_link4").xpos, atol=2e-6)
        assert np.allclose(stacked(points.ee)[row], data.site("ee_link").xpos, atol=2e-6)
        mass = model.body_subtreemass[1]
        errors.append(stacked(points.moment)[row] / mass - data.subtree_com[1])
    assert np.max(np.abs(errors)) < 1e-3  # m; what is left is the part of the arm's links off their axes


def test_centre_of_mass_where_the_legs_bend() -> None:
    model = mujoco.MjModel.from_xml_string(build_mjcf())
    data = mujoco.MjData(model)
    rng = np.random.default_rng(1)
    feet = np.array([[0.19, 0.2, 0.0], [0.19, -0.2, 0.0], [-0.28, 0.18, 0.0], [-0.28, -0.18, 0.0]]) - [0.048, 0, 0.262]
    for _ in range(20):
        legs, _ = leg_kinematics.inverse(feet + rng.uniform(-0.05, 0.05, 3))
        mujoco.mj_resetDataKeyframe(model, data, 0)
        data.qpos[:3] = 0.0
        data.qpos[7:19] = legs
        mujoco.mj_forward(model, data)
        points = reduced.arm_points(reduced.arm_shape(), columns(data.qpos[None, 19:25]))
        error = stacked(points.moment)[0] / model.body_subtreemass[1] - data.subtree_com[1]
        assert np.max(np.abs(error[:2])) < 0.010


def test_trunk_rotation_equals_numpy() -> None:
    angles = np.random.default_rng(2).uniform(-0.6, 0.6, (30, 3))
    rows = reduced.rotation_rows(*columns(angles))
    truth = trunk_rotation(np.concatenate([np.zeros((30, 3)), angles], axis=1))
    assert np.allclose(np.stack([stacked(row) for row in rows], axis=1), truth, atol=1e-6)
    vector = np.random.default_rng(3).normal(size=(30, 3))
    assert np.allclose(
        stacked(reduced.rotate(rows, columns(vector))), np.einsum("nij,nj->ni", truth, vector), atol=3e-6
    )
    back = stacked(reduced.rotate_back(rows, columns(vector)))
    assert np.allclose(back, np.einsum("nji,nj->ni", truth, vector), atol=3e-6)
    assert np.allclose(stacked(reduced.trunk_position(columns(vector))), vector + NOMINAL_TRUNK, atol=1e-6)


def test_legs_equal_numpy() -> None:
    q = np.random.default_rng(4).uniform(LOWER[LEG_SLICE] * 0.5, UPPER[LEG_SLICE] * 0.6, (100, 12))
    q[:, 2::3] = np.clip(q[:, 2::3], LOWER[2], UPPER[2])
    q[:, 1::3] = 0.9
    feet = leg_kinematics.forward(q)
    truth, reached = leg_kinematics.inverse(feet)
    assert reached.mean() > 0.9
    for leg in range(4):
        twin = stacked(reduced.leg_inverse(columns(feet[:, leg]), leg))
        rows = reached[:, leg]
        assert np.allclose(twin[rows], truth.reshape(-1, 4, 3)[rows, leg], atol=2e-3)  # float32 near a straight leg
        length = np.sqrt(np.asarray(reduced.leg_length_squared(columns(feet[:, leg]), leg)))
        assert np.all(length < THIGH_LENGTH + CALF_LENGTH + 1e-3)


def test_responses_equal_integration() -> None:
    lag = LagParameters(np.linspace(8.0, 40.0, 12), np.linspace(0.4, 2.0, 12), np.linspace(0.9, 1.1, 12))
    rng = np.random.default_rng(5)
    times = (np.arange(25) + 0.5) * 0.02
    basis = splines.basis(times, 0.5, 4, "linear")
    x0, v0, offset, knots = rng.normal(size=12), rng.normal(size=12), rng.normal(size=12), rng.normal(size=(4, 12))
    position, velocity = reduced.responses(lag, basis, 0.02)
    x, v = x0.copy(), v0.copy()
    for step in range(25):
        target = lag.gain * (basis[step] @ knots) + offset
        for _ in range(2000):
            v += (lag.frequency**2 * (target - x) - 2.0 * lag.damping * lag.frequency * v) * 1e-5
            x += v * 1e-5
        for part, truth, tolerance in ((position, x, 1e-3), (velocity, v, 3e-2)):
            free = part.free[step, :, 0] * x0 + part.free[step, :, 1] * v0
            value = free + np.einsum("ki,ki->i", part.forced[step], knots) + part.held[step] * offset
            assert np.allclose(value, truth, atol=tolerance)


def test_responses_settle_at_the_command() -> None:
    position, velocity = reduced.responses(LagParameters(), np.ones((500, 1)), 0.02)
    assert np.allclose(position.forced[-1], 1.0, atol=1e-6)
    assert np.allclose(position.held[-1], 1.0, atol=1e-6)
    assert np.allclose(position.free[-1], 0.0, atol=1e-6)
    assert np.allclose(velocity.forced[-1], 0.0, atol=1e-5)
