"""MJCF, URDF, the NumPy kinematics and piper_sdk agree on where everything is."""

from __future__ import annotations

import mujoco
import numpy as np
import pytest
from go2_piper_description.joints import ARM_JOINT_NAMES, ARM_JOINTS, ARM_SLICE, GRIPPER, JOINTS, joint_array
from go2_piper_description.kinematics import ArmKinematics
from go2_piper_description.links import ARM_BASE_LINK, EE_LINK, FINGER_JOINTS, FRAMES, TOOL_LENGTH, robot_links
from piper_sdk.kinematics.piper_fk import C_PiperForwardKinematics
from scipy.spatial.transform import Rotation

from tests.go2_piper_description.models import Array, mjcf_model, set_joints, urdf_model

POSES = 50
SAME = 1e-7
"""m and rotation matrix entries: the XML files carry nine digits."""


def _random_positions(seed: int) -> list[dict[str, float]]:
    rng = np.random.default_rng(seed)
    poses = []
    for _ in range(POSES):
        pose = {joint.name: float(rng.uniform(joint.lower, joint.upper)) for joint in JOINTS}
        poses.append(pose | dict.fromkeys(FINGER_JOINTS, float(rng.uniform(GRIPPER.lower, GRIPPER.upper))))
    return poses


def _arm(pose: dict[str, float]) -> Array:
    return np.array([pose[name] for name in ARM_JOINT_NAMES])


def _mjcf_ee(pose: dict[str, float]) -> Array:
    data = mujoco.MjData(mjcf_model())
    set_joints(mjcf_model(), data, pose)
    transform = np.eye(4)
    transform[:3, :3] = data.site(EE_LINK).xmat.reshape(3, 3)
    transform[:3, 3] = data.site(EE_LINK).xpos
    return transform


def test_numpy_kinematics_equal_mujoco() -> None:
    kinematics = ArmKinematics()
    for pose in _random_positions(1):
        assert kinematics.ee_transform(_arm(pose)) == pytest.approx(_mjcf_ee(pose), abs=SAME)


def test_numpy_kinematics_take_batches() -> None:
    kinematics = ArmKinematics()
    arms = np.array([_arm(pose) for pose in _random_positions(2)])
    batch = kinematics.ee_position(arms.reshape(5, -1, 6))
    assert batch.shape == (5, POSES // 5, 3)
    assert batch.reshape(-1, 3) == pytest.approx(np.array([kinematics.ee_position(arm) for arm in arms]))


def test_arm_equals_the_vendors_kinematics() -> None:
    """piper_sdk gives the flange in its base: mm and degrees. Its link 4 offset is rounded to 0.01 mm."""
    vendor = C_PiperForwardKinematics(dh_is_offset=1)
    kinematics = ArmKinematics()
    base = mjcf_model().body(ARM_BASE_LINK).pos
    for pose in _random_positions(3):
        x, y, z, roll, pitch, yaw = vendor.CalFK(list(_arm(pose)))[-1]
        flange = Rotation.from_euler("xyz", [roll, pitch, yaw], degrees=True)
        tool = base + np.array([x, y, z]) / 1000.0 + flange.apply([0.0, 0.0, TOOL_LENGTH])
        ee_axes = (flange * Rotation.from_euler("z", 90, degrees=True)).as_matrix()
        transform = kinematics.ee_transform(_arm(pose))
        assert transform[:3, 3] == pytest.approx(tool, abs=1e-5)
        assert transform[:3, :3] == pytest.approx(ee_axes, abs=1e-6)


def test_urdf_equals_mjcf_everywhere() -> None:
    mjcf, urdf = mujoco.MjData(mjcf_model()), mujoco.MjData(urdf_model())
    for pose in _random_positions(4):
        set_joints(mjcf_model(), mjcf, pose)
        set_joints(urdf_model(), urdf, pose)
        for link in robot_links():
            assert urdf.body(link.name).xpos == pytest.approx(mjcf.body(link.name).xpos, abs=SAME), link.name
            assert urdf.body(link.name).xmat == pytest.approx(mjcf.body(link.name).xmat, abs=SAME), link.name
        for frame in FRAMES:
            assert urdf.body(frame.name).xpos == pytest.approx(mjcf.site(frame.name).xpos, abs=SAME), frame.name
            assert urdf.body(frame.name).xmat == pytest.approx(mjcf.site(frame.name).xmat, abs=SAME), frame.name


def test_open_fingers_are_twice_the_travel_apart() -> None:
    data = mujoco.MjData(mjcf_model())
    set_joints(mjcf_model(), data, dict.fromkeys(FINGER_JOINTS, 0.03))
    left, right = data.body("piper_finger_left").xpos, data.body("piper_finger_right").xpos
    assert np.linalg.norm(left - right) == pytest.approx(0.06)
    assert (left + right) / 2 == pytest.approx(data.site(EE_LINK).xpos)


def test_gripper_is_in_front_of_the_robot_at_stand() -> None:
    stand = joint_array("stand")[ARM_SLICE]
    x, y, z = ArmKinematics().ee_position(stand)
    assert 0.35 < x < 0.6
    assert y == pytest.approx(0.0, abs=1e-6)
    assert 0.2 < z < 0.5


def test_gripper_points_forward_at_stand() -> None:
    """z of `ee_link` is the approach direction."""
    approach = ArmKinematics().ee_transform(joint_array("stand")[ARM_SLICE])[:3, 2]
    assert approach[0] > 0.7


def test_shoulder_is_where_joint_2_is() -> None:
    kinematics = ArmKinematics()
    data = mujoco.MjData(mjcf_model())
    set_joints(mjcf_model(), data, {joint.name: joint.rest for joint in ARM_JOINTS})
    assert kinematics.shoulder == pytest.approx(data.body("piper_link2").xpos, abs=SAME)


@pytest.mark.parametrize("seed", range(3))
def test_inverse_gives_joints_that_reach_the_pose(seed: int) -> None:
    kinematics = ArmKinematics()
    lower, upper = joint_array("lower")[ARM_SLICE], joint_array("upper")[ARM_SLICE]
    joints = np.random.default_rng(seed).uniform(lower, upper, (2000, 6))
    pose = kinematics.ee_transform(joints)
    found, reached = kinematics.inverse(pose[:, :3, 3], pose[:, :3, :3])
    assert reached.mean() > 0.6, "the others are arms folded back over the shoulder or an elbow turned down"
    np.testing.assert_allclose(kinematics.ee_transform(found[reached]), pose[reached], atol=1e-9)
    assert np.all((found >= lower) & (found <= upper))


def test_inverse_is_the_identity_about_the_stand_pose() -> None:
    kinematics = ArmKinematics()
    joints = joint_array("stand")[ARM_SLICE] + np.random.default_rng(0).uniform(-0.5, 0.5, (500, 6))
    pose = kinematics.ee_transform(joints)
    found, reached = kinematics.inverse(pose[:, :3, 3], pose[:, :3, :3])
    assert reached.all()
    np.testing.assert_allclose(found, joints, atol=1e-9)


def test_inverse_out_of_reach_points_at_the_target_and_says_so() -> None:
    kinematics = ArmKinematics()
    home = kinematics.ee_transform(joint_array("stand")[ARM_SLICE])
    joints, reached = kinematics.inverse(np.array([2.0, 2.0, 0.4]), home[:3, :3])
    assert not reached
    assert np.all(np.isfinite(joints))
    assert joints[0] == pytest.approx(np.pi / 4, abs=0.1)


def test_inverse_at_a_straight_wrist_is_finite() -> None:
    kinematics = ArmKinematics()
    joints = joint_array("stand")[ARM_SLICE].copy()
    joints[5] = 0.7
    pose = kinematics.ee_transform(joints)
    found, reached = kinematics.inverse(pose[:3, 3], pose[:3, :3])
    assert reached
    np.testing.assert_allclose(found, joints, atol=1e-9)
