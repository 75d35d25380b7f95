"""The compiled MJCF against the tables, by name."""

from __future__ import annotations

import mujoco
import numpy as np
import pytest
from go2_piper_description.joints import GRIPPER, JOINT_NAMES, JOINTS, Joint
from go2_piper_description.links import ARM_BASE_LINK, FINGER_JOINTS, FRAMES, Frame, Link, Mount, robot_links
from go2_piper_description.mjcf import PHYSICS_TIMESTEP, build_mjcf

from tests.go2_piper_description.models import body_inertia, link_inertia, mjcf_model

EVERY_JOINT = [pytest.param(joint, id=joint.name) for joint in (*JOINTS, GRIPPER)]
EVERY_LINK = [pytest.param(link, id=link.name) for link in robot_links()]
EVERY_FRAME = [pytest.param(frame, id=frame.name) for frame in FRAMES]


def test_names_and_counts() -> None:
    model = mjcf_model()
    joints = {model.joint(i).name for i in range(model.njnt)}
    assert joints == {"floating_base", *JOINT_NAMES, *FINGER_JOINTS}
    assert [model.actuator(i).name for i in range(model.nu)] == [*JOINT_NAMES, GRIPPER.name]
    assert {model.body(i).name for i in range(1, model.nbody)} == {link.name for link in robot_links()}
    assert model.opt.timestep == PHYSICS_TIMESTEP


@pytest.mark.parametrize("joint", EVERY_JOINT)
def test_joint(joint: Joint) -> None:
    model = mjcf_model()
    compiled = model.joint(joint.name)
    address = compiled.dofadr[0]
    assert compiled.limited[0]
    assert compiled.range == pytest.approx([joint.lower, joint.upper])
    assert model.dof_armature[address] == pytest.approx(joint.armature)
    assert model.dof_damping[address].ravel()[0] == pytest.approx(joint.damping)
    assert model.dof_frictionloss[address] == pytest.approx(joint.frictionloss)


@pytest.mark.parametrize("joint", EVERY_JOINT)
def test_actuator(joint: Joint) -> None:
    model = mjcf_model()
    actuator = model.actuator(joint.name)
    assert model.joint(int(actuator.trnid[0])).name == joint.name
    assert actuator.forcerange == pytest.approx([-joint.effort, joint.effort])
    assert actuator.gainprm[0] == pytest.approx(joint.kp)
    assert actuator.biasprm[:3] == pytest.approx([0.0, -joint.kp, -joint.kd])


@pytest.mark.parametrize("link", EVERY_LINK)
def test_link(link: Link) -> None:
    body = mjcf_model().body(link.name)
    assert body.mass[0] == pytest.approx(link.mass)
    assert body.ipos == pytest.approx(link.com, abs=1e-9)
    assert body_inertia(mjcf_model(), link.name) == pytest.approx(link_inertia(link), abs=1e-9)


@pytest.mark.parametrize("link", EVERY_LINK)
def test_inertia_is_physical(link: Link) -> None:
    moments = np.linalg.eigvalsh(link_inertia(link))
    assert link.mass > 0
    assert moments[0] > 0
    assert moments[0] + moments[1] > moments[2], "triangle inequality"


@pytest.mark.parametrize("frame", EVERY_FRAME)
def test_frame(frame: Frame) -> None:
    site = mjcf_model().site(frame.name)
    assert mjcf_model().body(int(site.bodyid[0])).name == frame.parent
    assert site.pos == pytest.approx(frame.xyz, abs=1e-9)


def test_total_mass() -> None:
    assert float(np.sum(mjcf_model().body_mass)) == pytest.approx(19.87, abs=0.01)


def test_welded_gripper_keeps_the_robot() -> None:
    model = mujoco.MjModel.from_xml_string(build_mjcf(fixed_gripper=True))
    assert [model.actuator(i).name for i in range(model.nu)] == list(JOINT_NAMES)
    assert model.nq == 7 + len(JOINT_NAMES)
    assert np.sum(model.body_mass) == pytest.approx(np.sum(mjcf_model().body_mass))


def test_mount_moves_the_arm() -> None:
    model = mujoco.MjModel.from_xml_string(build_mjcf(Mount(xyz=(0.1, -0.02, 0.09))))
    assert model.body(ARM_BASE_LINK).pos == pytest.approx([0.1, -0.02, 0.09])


def test_floor_touches_feet_and_trunk_touches_only_the_arm() -> None:
    """Contacts are pruned for speed: of the robot with itself, only arm against trunk is left."""
    model = mjcf_model()

    def may_touch(first: str, second: str) -> bool:
        a, b = model.geom(first), model.geom(second)
        return bool((a.contype[0] & b.conaffinity[0]) | (b.contype[0] & a.conaffinity[0]))

    arm = ("elbow", "forearm", "wrist", "gripper")
    for name in ("trunk", "head", "chin", "FL_thigh", "RR_calf", "FR_foot", *arm):
        assert may_touch("floor", name), name
    for name in arm:
        assert may_touch(name, "trunk") and may_touch(name, "head"), name
        assert not may_touch(name, "FL_thigh"), name
    assert not may_touch("FL_foot", "FR_foot") and not may_touch("elbow", "gripper")
