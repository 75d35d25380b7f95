"""Build the URDF of the robot from the joint and link tables, for rviz2, robot_state_publisher and other ROS tools.

`python -m go2_piper_description.generate` writes it to `urdf/go2_piper.urdf`; `build_urdf` serves variants (another
mount). URDF has no capsules, so each becomes a cylinder and two spheres. It has no place for PD gains and rotor
inertias either: those are only in the joint table and the MJCF.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from scipy.spatial.transform import Rotation

from .joints import GRIPPER, JOINT_BY_NAME, Joint
from .links import FINGER_JOINTS, FRAMES, ZERO, Contact, Frame, Link, Mount, Shape, Vec3, robot_links
from .materials import INVISIBLE, MATERIALS

ROBOT_NAME = "go2_piper"


def _text(values: object) -> str:
    return " ".join(f"{float(v):.9g}" for v in np.atleast_1d(np.asarray(values, dtype=float)))


def _add_origin(parent: ET.Element, xyz: Vec3, rpy: Vec3) -> None:
    if any(xyz) or any(rpy):
        ET.SubElement(parent, "origin", xyz=_text(xyz), rpy=_text(rpy))


def _urdf_shapes(shape: Shape) -> Iterator[Shape]:
    """Yield the shape, or what stands for it in URDF."""
    if shape.kind != "capsule":
        yield shape
        return
    radius, half_length = shape.size
    yield replace(shape, kind="cylinder")
    axis = Rotation.from_euler("xyz", shape.rpy).apply([0.0, 0.0, half_length])
    for end in (axis, -axis):
        x, y, z = np.round(np.add(shape.xyz, end), 9) + 0.0  # + 0.0 turns -0 into 0
        yield replace(shape, kind="sphere", size=(radius,), xyz=(float(x), float(y), float(z)), rpy=ZERO)


def _add_geometry(parent: ET.Element, shape: Shape) -> None:
    geometry = ET.SubElement(parent, "geometry")
    if shape.kind == "box":
        ET.SubElement(geometry, "box", size=_text(np.multiply(shape.size, 2.0)))
    elif shape.kind == "sphere":
        ET.SubElement(geometry, "sphere", radius=_text(shape.size))
    elif shape.kind == "cylinder":
        radius, half_length = shape.size
        ET.SubElement(geometry, "cylinder", radius=_text(radius), length=_text(2.0 * half_length))
    else:
        raise ValueError(f"shape kind {shape.kind!r} is not box, sphere, cylinder or capsule")


def _add_shape(link: ET.Element, shape: Shape) -> None:
    if shape.material != INVISIBLE:
        visual = ET.SubElement(link, "visual")
        _add_origin(visual, shape.xyz, shape.rpy)
        _add_geometry(visual, shape)
        ET.SubElement(visual, "material", name=shape.material)
    if shape.contact is not Contact.NONE:
        collision = ET.SubElement(link, "collision")
        _add_origin(collision, shape.xyz, shape.rpy)
        _add_geometry(collision, shape)


def _add_link(root: ET.Element, link: Link) -> None:
    element = ET.SubElement(root, "link", name=link.name)
    inertial = ET.SubElement(element, "inertial")
    _add_origin(inertial, link.com, ZERO)
    ET.SubElement(inertial, "mass", value=_text(link.mass))
    components = zip(("ixx", "iyy", "izz", "ixy", "ixz", "iyz"), link.inertia, strict=True)
    ET.SubElement(inertial, "inertia", {name: _text(value) for name, value in components})
    for shape in link.shapes:
        for part in _urdf_shapes(shape):
            _add_shape(element, part)


def _add_fixed_joint(root: ET.Element, child: Link | Frame) -> None:
    element = ET.SubElement(root, "joint", name=f"{child.name}_fixed", type="fixed")
    _add_origin(element, child.xyz, child.rpy)
    ET.SubElement(element, "parent", link=str(child.parent))
    ET.SubElement(element, "child", link=child.name)


def _add_joint(root: ET.Element, link: Link, name: str, joint: Joint) -> None:
    kind = "prismatic" if name in FINGER_JOINTS else "revolute"
    element = ET.SubElement(root, "joint", name=name, type=kind)
    _add_origin(element, link.xyz, link.rpy)
    ET.SubElement(element, "parent", link=str(link.parent))
    ET.SubElement(element, "child", link=link.name)
    ET.SubElement(element, "axis", xyz=_text(link.axis))
    ET.SubElement(
        element, "limit", lower=_text(joint.lower), upper=_text(joint.upper), effort=_text(joint.effort),
        velocity=_text(joint.velocity),
    )  # fmt: skip
    ET.SubElement(element, "dynamics", damping=_text(joint.damping), friction=_text(joint.frictionloss))
    if name == FINGER_JOINTS[1]:
        ET.SubElement(element, "mimic", joint=FINGER_JOINTS[0], multiplier="1", offset="0")


def build_urdf(mount: Mount | None = None) -> str:
    """Return the URDF as text; its root is `base_link`.

    Args:
        mount: pose of the arm on the trunk; None for the default.
    """
    root = ET.Element("robot", name=ROBOT_NAME)
    for name, rgba in MATERIALS.items():
        if name != INVISIBLE:
            ET.SubElement(ET.SubElement(root, "material", name=name), "color", rgba=rgba)
    for link in robot_links(mount):
        _add_link(root, link)
        if link.joint is not None:
            joint = GRIPPER if link.joint in FINGER_JOINTS else JOINT_BY_NAME[link.joint]
            _add_joint(root, link, link.joint, joint)
        elif link.parent is not None:
            _add_fixed_joint(root, link)
    for frame in FRAMES:
        ET.SubElement(root, "link", name=frame.name)
        _add_fixed_joint(root, frame)
    ET.indent(root)
    return ET.tostring(root, encoding="unicode") + "\n"
