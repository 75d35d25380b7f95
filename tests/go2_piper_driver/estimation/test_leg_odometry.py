"""Leg kinematics against MuJoCo, odometry against the truth of the emulation."""

from __future__ import annotations

import mujoco
import numpy as np
import pytest
from go2_piper_description.joints import LEG_SLICE, LEGS, joint_array
from go2_piper_driver.emulation.physics import Physics
from go2_piper_driver.estimation.leg_kinematics import foot
from go2_piper_driver.estimation.leg_odometry import LegOdometry

UPRIGHT = np.array([0.0, 0.0, 0.0, 1.0])
REST = np.array([0.0, 0.0, 9.81])
STAND = joint_array("stand")[LEG_SLICE]
LOADED = np.full(4, 50.0)


def test_feet_are_where_mujoco_has_them_and_move_so() -> None:
    physics = Physics()
    model, data, robot = physics.model, physics.data, physics.robot
    random = np.random.default_rng(0)
    lower, upper = joint_array("lower"), joint_array("upper")
    for _ in range(20):
        mujoco.mj_resetData(model, data)
        data.qpos[robot.base_qpos : robot.base_qpos + 7] = (0, 0, 1, 1, 0, 0, 0)
        data.qpos[robot.joint_qpos] = random.uniform(lower, upper)
        data.qvel[robot.joint_qvel] = random.normal(size=18)
        mujoco.mj_forward(model, data)
        q, dq = data.qpos[robot.joint_qpos], data.qvel[robot.joint_qvel]
        for index, leg in enumerate(LEGS):
            row = slice(3 * index, 3 * index + 3)
            position, velocity, turn = foot(index, tuple(q[row]), tuple(dq[row]))
            site = model.site(f"{leg}_foot").id
            np.testing.assert_allclose(position, data.site_xpos[site] - [0, 0, 1], atol=1e-9)
            result = np.zeros(6)
            mujoco.mj_objectVelocity(model, data, mujoco.mjtObj.mjOBJ_SITE, site, result, 0)
            np.testing.assert_allclose(velocity, result[3:], atol=1e-9)
            np.testing.assert_allclose(turn, result[:3], atol=1e-9)


def _step(odometry: LegOdometry, stamp: float, **changes: np.ndarray):  # type: ignore[no-untyped-def]
    values = {"position": STAND, "velocity": np.zeros(12), "orientation": UPRIGHT, "gyro": np.zeros(3),
              "accel": REST, "force": LOADED} | changes  # fmt: skip
    return odometry.step(stamp, **values)


def test_standing_still_stays() -> None:
    odometry = LegOdometry()
    for index in range(500):
        base = _step(odometry, 0.002 * index)
    np.testing.assert_allclose(base.position[:2], 0.0, atol=1e-9)
    assert 0.25 < base.position[2] < 0.35
    np.testing.assert_allclose(base.linear_velocity, 0.0, atol=1e-9)


def test_without_a_foot_on_the_ground_the_accelerometer_carries_on() -> None:
    odometry = LegOdometry()
    for index in range(101):
        base = _step(odometry, 0.002 * index, force=np.zeros(4), accel=REST + [1.0, 0.0, 0.0])
    assert base.linear_velocity[0] == pytest.approx(0.2, abs=0.01)
    assert base.position[0] == pytest.approx(0.02, abs=0.002)


def test_velocity_is_in_the_axes_of_the_base() -> None:
    """Turned by 90 degrees about z, forward is y in odom."""
    odometry = LegOdometry()
    turned = np.array([0.0, 0.0, np.sqrt(0.5), np.sqrt(0.5)])
    for index in range(101):
        base = _step(odometry, 0.002 * index, orientation=turned, force=np.zeros(4), accel=REST + [1.0, 0.0, 0.0])
    assert base.linear_velocity[0] == pytest.approx(0.2, abs=0.01)
    assert base.position[1] == pytest.approx(0.02, abs=0.002)


@pytest.mark.parametrize("name", ["position", "velocity", "orientation", "gyro", "accel", "force"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_finite_gives_nothing_and_leaves_no_trace(name: str, value: float) -> None:
    odometry = LegOdometry()
    before = _step(odometry, 0.0)
    sizes = {"position": 12, "velocity": 12, "orientation": 4, "gyro": 3, "accel": 3, "force": 4}
    assert _step(odometry, 0.002, **{name: np.full(sizes[name], value)}) is None
    after = _step(odometry, 0.004)
    np.testing.assert_allclose(after.position, before.position, atol=1e-6)


def test_drift_of_a_short_walk() -> None:
    """5 % of the distance walked is the limit."""
    pytest.importorskip("cyclonedds")
    from benchmarks.odometry import measure

    drift = measure(seconds_each=3.0, commands=((0.5, 0.0, 0.0), (0.4, 0.0, 0.5)))
    assert drift.distance > 1.5
    assert drift.drift < 0.05, drift
    assert drift.worst_height_error < 0.02, drift
