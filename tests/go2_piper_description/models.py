"""Compiled models that the tests here share."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from functools import cache

import mujoco
import numpy as np
from go2_piper_description.links import Link
from go2_piper_description.paths import MJCF_PATH, URDF_PATH
from numpy.typing import NDArray

Array = NDArray[np.float64]


@cache
def mjcf_model() -> mujoco.MjModel:
    """Return the shipped MJCF, compiled."""
    return mujoco.MjModel.from_xml_path(str(MJCF_PATH))


@cache
def urdf_root() -> ET.Element:
    """Return the shipped URDF, parsed."""
    return ET.parse(URDF_PATH).getroot()


@cache
def urdf_model() -> mujoco.MjModel:
    """Return the shipped URDF, compiled by MuJoCo, its base and all of its other fixed links kept as bodies."""
    root = ET.fromstring(URDF_PATH.read_text("utf-8"))
    extension = ET.SubElement(root, "mujoco")
    ET.SubElement(extension, "compiler", fusestatic="false", discardvisual="false")
    return mujoco.MjModel.from_xml_string(ET.tostring(root, encoding="unicode"))


def link_inertia(link: Link) -> Array:
    """Return the inertia tensor of the table about the centre of mass, kg m2, shape (3, 3)."""
    xx, yy, zz, xy, xz, yz = link.inertia
    return np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])


def body_inertia(model: mujoco.MjModel, name: str) -> Array:
    """Return the inertia tensor of a compiled body about its centre of mass, in the body's axes."""
    body = model.body(name)
    turn = np.empty(9)
    mujoco.mju_quat2Mat(turn, body.iquat)
    axes = turn.reshape(3, 3)
    return np.asarray(axes @ np.diag(body.inertia) @ axes.T)


def set_joints(model: mujoco.MjModel, data: mujoco.MjData, positions: dict[str, float]) -> None:
    """Put the base at the origin and joints at these positions, by name, and compute the poses of all bodies."""
    data.qpos[:] = model.qpos0
    if mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_JOINT, "floating_base") >= 0:
        data.joint("floating_base").qpos[:] = [0, 0, 0, 1, 0, 0, 0]
    for name, value in positions.items():
        data.qpos[model.joint(name).qposadr[0]] = value
    mujoco.mj_kinematics(model, data)
