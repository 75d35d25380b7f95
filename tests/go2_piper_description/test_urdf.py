"""The URDF against the tables, by name: its text, and as MuJoCo compiles it."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import numpy as np
import pytest
from go2_piper_description.joints import GRIPPER, JOINT_NAMES, JOINTS, Joint
from go2_piper_description.links import (
    ARM_BASE_LINK,
    BASE_LINK,
    FINGER_JOINTS,
    FRAMES,
    Contact,
    Link,
    Mount,
    robot_links,
)
from go2_piper_description.materials import INVISIBLE, MATERIALS
from go2_piper_description.urdf import build_urdf

from tests.go2_piper_description.models import body_inertia, link_inertia, urdf_model, urdf_root

EVERY_JOINT = [pytest.param(joint, id=joint.name) for joint in (*JOINTS, GRIPPER)]
EVERY_LINK = [pytest.param(link, id=link.name) for link in robot_links()]


def _element(kind: str, name: str) -> ET.Element:
    found = [element for element in urdf_root().findall(kind) if element.get("name") == name]
    assert len(found) == 1, f"{kind} {name}"
    return found[0]


def _numbers(element: ET.Element | None, *keys: str) -> list[float]:
    assert element is not None
    return [float(element.attrib[key]) for key in keys]


def test_names() -> None:
    moving = {joint.get("name") for joint in urdf_root().findall("joint") if joint.get("type") != "fixed"}
    assert moving == {*JOINT_NAMES, *FINGER_JOINTS}
    links = [link.get("name") for link in urdf_root().findall("link")]
    assert sorted(filter(None, links)) == sorted([x.name for x in robot_links()] + [x.name for x in FRAMES])


def test_it_is_one_tree_that_begins_at_the_base() -> None:
    children = [child.attrib["link"] for child in urdf_root().findall("joint/child")]
    links = {link.attrib["name"] for link in urdf_root().findall("link")}
    assert len(children) == len(set(children))
    assert links - set(children) == {BASE_LINK}


@pytest.mark.parametrize("joint", EVERY_JOINT)
def test_joint(joint: Joint) -> None:
    element = _element("joint", joint.name)
    wanted = [joint.lower, joint.upper, joint.effort, joint.velocity]
    assert _numbers(element.find("limit"), "lower", "upper", "effort", "velocity") == pytest.approx(wanted)
    assert _numbers(element.find("dynamics"), "damping", "friction") == pytest.approx(
        [joint.damping, joint.frictionloss]
    )
    assert element.get("type") == ("prismatic" if joint is GRIPPER else "revolute")


def test_second_finger_mimics_the_first() -> None:
    mimic = _element("joint", FINGER_JOINTS[1]).find("mimic")
    assert mimic is not None and mimic.get("joint") == FINGER_JOINTS[0]
    assert _numbers(mimic, "multiplier", "offset") == [1.0, 0.0]
    limits = [_numbers(_element("joint", name).find("limit"), "lower", "upper") for name in FINGER_JOINTS]
    assert limits[0] == limits[1] == [GRIPPER.lower, GRIPPER.upper]


@pytest.mark.parametrize("link", EVERY_LINK)
def test_link(link: Link) -> None:
    body = urdf_model().body(link.name)
    assert body.mass[0] == pytest.approx(link.mass)
    assert body.ipos == pytest.approx(link.com, abs=1e-9)
    assert body_inertia(urdf_model(), link.name) == pytest.approx(link_inertia(link), abs=1e-9)


def test_total_mass() -> None:
    assert float(np.sum(urdf_model().body_mass)) == pytest.approx(19.87, abs=0.01)


@pytest.mark.parametrize("link", EVERY_LINK)
def test_shapes(link: Link) -> None:
    """A capsule is a cylinder and two spheres; only what may touch something collides."""
    parts = [(3 if shape.kind == "capsule" else 1, shape) for shape in link.shapes]
    element = _element("link", link.name)
    assert len(element.findall("visual")) == sum(n for n, shape in parts if shape.material != INVISIBLE)
    assert len(element.findall("collision")) == sum(n for n, shape in parts if shape.contact is not Contact.NONE)


def test_materials_are_defined_once() -> None:
    colours = {
        material.attrib["name"]: colour.attrib["rgba"]
        for material in urdf_root().findall("material")
        for colour in material.findall("color")
    }
    used = {material.attrib["name"] for material in urdf_root().findall("link/visual/material")}
    assert used <= set(colours)
    assert colours == {name: rgba for name, rgba in MATERIALS.items() if name != INVISIBLE}


def test_mount_moves_the_arm() -> None:
    root = ET.fromstring(build_urdf(Mount(xyz=(0.1, -0.02, 0.09), rpy=(0.0, 0.0, 0.5))))
    (joint,) = [x for x in root.findall("joint") if x.get("name") == f"{ARM_BASE_LINK}_fixed"]
    origin = joint.find("origin")
    assert origin is not None
    assert origin.attrib == {"xyz": "0.1 -0.02 0.09", "rpy": "0 0 0.5"}
