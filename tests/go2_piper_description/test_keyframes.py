"""The keyframes are the poses of the joint table, and the robot stands under the table's gains."""

from __future__ import annotations

import mujoco
import numpy as np
import pytest
from go2_piper_description.joints import GRIPPER, JOINTS, joint_array
from go2_piper_description.links import EE_LINK, FINGER_JOINTS
from go2_piper_description.mjcf import REST_HEIGHT, STAND_HEIGHT

from tests.go2_piper_description.models import mjcf_model

HEIGHTS = {"stand": STAND_HEIGHT, "rest": REST_HEIGHT}


def _data_at(key: str) -> mujoco.MjData:
    data = mujoco.MjData(mjcf_model())
    mujoco.mj_resetDataKeyframe(mjcf_model(), data, mjcf_model().key(key).id)
    return data


def _simulate(data: mujoco.MjData, seconds: float) -> None:
    for _ in range(round(seconds / mjcf_model().opt.timestep)):
        mujoco.mj_step(mjcf_model(), data)


@pytest.mark.parametrize("key", HEIGHTS)
def test_keyframe(key: str) -> None:
    data = _data_at(key)
    for joint in (*JOINTS, GRIPPER):
        wanted = getattr(joint, key)
        assert data.joint(joint.name).qpos[0] == pytest.approx(wanted), joint.name
        assert data.actuator(joint.name).ctrl[0] == pytest.approx(wanted), joint.name
    assert data.joint(FINGER_JOINTS[1]).qpos[0] == pytest.approx(getattr(GRIPPER, key))
    assert data.joint("floating_base").qpos == pytest.approx([0, 0, HEIGHTS[key], 1, 0, 0, 0])


def test_stand_stands() -> None:
    data = _data_at("stand")
    _simulate(data, 3.0)
    base = data.body("base_link")
    assert 0.25 < base.xpos[2] < STAND_HEIGHT
    assert base.xmat[8] > np.cos(np.deg2rad(6.0)), "upright"
    assert np.linalg.norm(base.xpos[:2]) < 0.05
    assert np.max(np.abs(data.qvel)) < 0.05, "at rest"
    assert np.max(np.abs(_joint_positions(data) - joint_array("stand"))) < 0.2
    assert data.site(EE_LINK).xpos[0] - base.xpos[0] > 0.3, "gripper in front"


def test_stand_is_far_from_the_effort_limits() -> None:
    data = _data_at("stand")
    _simulate(data, 3.0)
    torque = np.array([data.actuator(joint.name).force[0] for joint in JOINTS])
    assert np.all(np.abs(torque) < 0.6 * joint_array("effort"))


def test_standing_touches_the_floor_with_the_feet_only() -> None:
    model, data = mjcf_model(), _data_at("stand")
    _simulate(data, 3.0)
    pairs = {frozenset(model.geom(int(g)).name for g in contact.geom) for contact in data.contact}
    assert pairs == {frozenset(("floor", f"{leg}_foot")) for leg in ("FL", "FR", "RL", "RR")}


def test_rest_lies_still() -> None:
    data = _data_at("rest")
    _simulate(data, 3.0)
    base = data.body("base_link")
    assert 0.03 < base.xpos[2] < STAND_HEIGHT / 2
    assert base.xmat[8] > np.cos(np.deg2rad(10.0))
    assert np.max(np.abs(data.qvel)) < 0.05


def _joint_positions(data: mujoco.MjData) -> np.ndarray:
    return np.array([data.joint(joint.name).qpos[0] for joint in JOINTS])
