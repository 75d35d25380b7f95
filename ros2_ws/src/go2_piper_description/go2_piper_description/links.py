"""The link table: kinematic tree, masses, inertias and primitive geometry of the Go2 + Piper.

MJCF and URDF are generated from it. Frames: x forward, y left, z up; lengths in m, masses in kg, inertias in kg m2
about the centre of mass, rpy in rad (fixed axes x, y, z, as in URDF).

Sources (letters as in `joints.py`): Go2 from [U] and [M] (feet merged into the calves as in [M]); Piper kinematics from
[S]'s DH table (offset 1; [P] is the same, rounded), its masses from [P]. The inertia tensors printed in [P] are about
the link origins; they are shifted to the centres of mass here and their inconsistent products dropped. Shapes are our
own primitives.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from math import pi, radians

from .joints import LEGS

Vec3 = tuple[float, float, float]
ZERO: Vec3 = (0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Mount:
    """Pose of the arm's base in `base_link`. Labs differ (x 0 to 0.2 m, z 0.054 to 0.09 m): measure yours."""

    xyz: Vec3 = (0.0, 0.0, 0.065)
    """Trunk half height 0.057 m plus an 8 mm plate."""
    rpy: Vec3 = ZERO


class Contact(Enum):
    """What a shape may touch. Everything else is pruned for speed."""

    NONE = "none"
    FLOOR = "floor"
    FOOT = "foot"
    TRUNK = "trunk"
    """Floor and arm."""
    ARM = "arm"
    """Floor and trunk."""


@dataclass(frozen=True)
class Shape:
    """A primitive. `size`: box half lengths; sphere (r,); cylinder and capsule (r, half length along local z)."""

    kind: str
    size: tuple[float, ...]
    xyz: Vec3 = ZERO
    rpy: Vec3 = ZERO
    material: str = "dark"
    contact: Contact = Contact.NONE
    name: str = ""


@dataclass(frozen=True)
class Link:
    """A rigid body, its joint to the parent (None: welded or, for the root, floating) and its shapes."""

    name: str
    parent: str | None
    xyz: Vec3
    rpy: Vec3
    mass: float
    com: Vec3
    inertia: tuple[float, float, float, float, float, float]
    """ixx, iyy, izz, ixy, ixz, iyz about the centre of mass, link axes."""
    joint: str | None = None
    axis: Vec3 = (0.0, 0.0, 1.0)
    shapes: tuple[Shape, ...] = field(default_factory=tuple)


@dataclass(frozen=True)
class Frame:
    """A named frame fixed to a link."""

    name: str
    parent: str
    xyz: Vec3
    rpy: Vec3 = ZERO


BASE_LINK = "base_link"
ARM_BASE_LINK = "piper_base_link"
EE_LINK = "ee_link"
IMU_LINK = "imu_link"

HIP_OFFSET = 0.0955
THIGH_LENGTH = 0.213
CALF_LENGTH = 0.213
FOOT_RADIUS = 0.022
HIP_POSITION: Vec3 = (0.1934, 0.0465, 0.0)
"""Hip joint of the front left leg in `base_link`; the others mirror it."""
SHOULDER_HEIGHT = 0.123
"""Joint 2 of the arm above its base."""
TOOL_LENGTH = 0.1358
"""From the flange (link 6) to the centre between the finger pads, along +z."""
FINGER_JOINTS = ("piper_gripper", "piper_gripper_mimic")


def leg_signs(leg: str) -> tuple[float, float]:
    """Return (s_x, s_y): +1 front and left, -1 rear and right."""
    return (1.0 if leg[0] == "F" else -1.0, 1.0 if leg[1] == "L" else -1.0)


def _trunk() -> Link:
    shapes = (
        Shape("box", (0.1881, 0.04675, 0.057), material="dark", contact=Contact.TRUNK, name="trunk"),
        Shape("box", (0.150, 0.062, 0.040), (0.0, 0.0, 0.004), material="shell"),
        Shape("cylinder", (0.05, 0.045), (0.285, 0.0, 0.01), material="dark", contact=Contact.TRUNK, name="head"),
        Shape("sphere", (0.047,), (0.293, 0.0, -0.06), material="light", contact=Contact.FLOOR, name="chin"),
        Shape("box", (0.030, 0.040, 0.028), (0.225, 0.0, 0.02), material="shell"),
        Shape("box", (0.100, 0.060, 0.004), (0.0, 0.0, 0.061), material="metal"),  # mounting plate
    )
    inertia = (0.02448, 0.098077, 0.107, 0.00012166, 0.0014849, -3.12e-5)
    return Link(BASE_LINK, None, ZERO, ZERO, 6.921, (0.021112, 0.0, -0.005366), inertia, shapes=shapes)


def _leg(leg: str) -> tuple[Link, ...]:
    sx, sy = leg_signs(leg)
    hip = Link(
        f"{leg}_hip", BASE_LINK, (HIP_POSITION[0] * sx, HIP_POSITION[1] * sy, 0.0), ZERO,
        0.678, (-0.0054 * sx, 0.00194 * sy, -0.000105),
        (0.00048, 0.000884, 0.000596, -3.01e-6 * sx * sy, 1.11e-6 * sx, -1.42e-6 * sy),
        joint=f"{leg}_hip_joint", axis=(1.0, 0.0, 0.0),
        shapes=(
            Shape("cylinder", (0.046, 0.02), (0.0, 0.08 * sy, 0.0), (pi / 2, 0.0, 0.0), "dark"),
            Shape("capsule", (0.036, 0.030), (-0.035 * sx, 0.0, 0.0), (0.0, pi / 2, 0.0), "shell"),
        ),
    )  # fmt: skip
    thigh = Link(
        f"{leg}_thigh", f"{leg}_hip", (0.0, HIP_OFFSET * sy, 0.0), ZERO,
        1.152, (-0.00374, -0.0223 * sy, -0.0327),
        (0.00584, 0.0058, 0.00103, 8.72e-5 * sy, -0.000289, 0.000808 * sy),
        joint=f"{leg}_thigh_joint", axis=(0.0, 1.0, 0.0),
        shapes=(
            Shape("capsule", (0.022, 0.085), (0.0, 0.0, -0.105), ZERO, "shell", Contact.FLOOR, f"{leg}_thigh"),
            Shape("cylinder", (0.043, 0.022), (0.0, -0.018 * sy, 0.0), (pi / 2, 0.0, 0.0), "light"),
            Shape("cylinder", (0.024, 0.018), (0.0, 0.0, -THIGH_LENGTH), (pi / 2, 0.0, 0.0), "dark"),
        ),
    )  # fmt: skip
    calf = Link(
        f"{leg}_calf", f"{leg}_thigh", (0.0, 0.0, -THIGH_LENGTH), ZERO,
        0.241352, (0.00629595, -0.000622121 * sy, -0.141417), (0.0014901, 0.00146356, 5.31397e-5, 0.0, 0.0, 0.0),
        joint=f"{leg}_calf_joint", axis=(0.0, 1.0, 0.0),
        shapes=(
            Shape("capsule", (0.013, 0.055), (0.008, 0.0, -0.060), (0.0, -0.21, 0.0), "dark", Contact.FLOOR,
                  f"{leg}_calf"),
            Shape("capsule", (0.011, 0.048), (0.007, 0.0, -0.160), (0.0, 0.16, 0.0), "dark"),
            Shape("sphere", (FOOT_RADIUS,), (-0.002, 0.0, -CALF_LENGTH), ZERO, "foot", Contact.FOOT, f"{leg}_foot"),
        ),
    )  # fmt: skip
    return hip, thigh, calf


def _diagonal(ixx: float, iyy: float, izz: float) -> tuple[float, float, float, float, float, float]:
    return (ixx, iyy, izz, 0.0, 0.0, 0.0)


def _finger(joint: str, name: str, yaw: float) -> Link:
    com = (0.0007, -0.0492, 0.0097)
    shape = Shape("box", (0.010, 0.030, 0.0075), (0.0, -0.030, 0.0075), material="dark")
    return Link(
        name, "piper_link6", (0.0, 0.0, TOOL_LENGTH), (pi / 2, 0.0, yaw), 0.025, com, _diagonal(8e-6, 8e-6, 8e-6),
        joint=joint, shapes=(shape,),
    )  # fmt: skip


def _arm(mount: Mount) -> tuple[Link, ...]:
    arm = Contact.ARM
    return (
        Link(
            ARM_BASE_LINK, BASE_LINK, mount.xyz, mount.rpy, 1.02, (-0.0047, 0.0, 0.0415),
            _diagonal(9.22e-4, 1.051e-3, 8.73e-4),
            shapes=(
                Shape("cylinder", (0.045, 0.030), (0.0, 0.0, 0.030), material="shell"),
                Shape("box", (0.055, 0.040, 0.008), (-0.01, 0.0, 0.008), material="dark"),
            ),
        ),
        Link(
            "piper_link1", ARM_BASE_LINK, (0.0, 0.0, SHOULDER_HEIGHT), ZERO, 0.71, (0.0003, -0.0004, -0.0035),
            _diagonal(4.92e-4, 4.00e-4, 4.58e-4), joint="piper_joint1",
            shapes=(
                Shape("cylinder", (0.042, 0.030), (0.0, 0.0, -0.032), material="dark"),
                Shape("cylinder", (0.036, 0.045), (0.0, 0.0, 0.0), (pi / 2, 0.0, 0.0), "shell"),
            ),
        ),
        Link(
            "piper_link2", "piper_link1", ZERO, (pi / 2, -radians(7.78), -pi), 1.16, (0.2185, -0.0086, 0.0013),
            _diagonal(1.03e-3, 1.224e-2, 1.208e-2), joint="piper_joint2",
            shapes=(
                Shape("capsule", (0.028, 0.125), (0.142, 0.0, 0.0), (0.0, pi / 2, 0.0), "shell"),
                Shape("cylinder", (0.038, 0.042), (0.28503, 0.0, 0.0), ZERO, "dark", arm, "elbow"),
            ),
        ),
        Link(
            "piper_link3", "piper_link2", (0.28503, 0.0, 0.0), (0.0, 0.0, -radians(102.78)), 0.50,
            (-0.0200, -0.1481, -0.0005), _diagonal(2.51e-3, 2.64e-4, 2.47e-3), joint="piper_joint3",
            shapes=(
                Shape("capsule", (0.026, 0.085), (-0.020, -0.120, 0.0), (pi / 2, 0.0, 0.0), "shell", arm, "forearm"),
            ),
        ),
        Link(
            "piper_link4", "piper_link3", (-0.021984, -0.25075, 0.0), (pi / 2, 0.0, 0.0), 0.38,
            (0.0001, -0.0008, -0.0039), _diagonal(1.72e-4, 1.83e-4, 1.46e-4), joint="piper_joint4",
            shapes=(Shape("cylinder", (0.032, 0.040), (0.0, 0.0, -0.010), material="dark"),),
        ),
        Link(
            "piper_link5", "piper_link4", ZERO, (-pi / 2, 0.0, 0.0), 0.383, (0.0002, -0.0610, -0.0023),
            _diagonal(2.94e-4, 1.77e-4, 2.85e-4), joint="piper_joint5",
            shapes=(
                Shape("capsule", (0.030, 0.030), (0.0, -0.045, 0.0), (pi / 2, 0.0, 0.0), "shell", arm, "wrist"),
            ),
        ),
        # link 6 and the gripper's base merged: link 6 alone (7 g) carries a nonsensical inertia in [P]
        Link(
            "piper_link6", "piper_link5", (0.0, -0.091, 0.0), (pi / 2, 0.0, 0.0), 0.457, (0.0, 0.0, 0.0323),
            _diagonal(4.7e-4, 2.6e-4, 4.0e-4), joint="piper_joint6",
            shapes=(
                Shape("cylinder", (0.030, 0.014), (0.0, 0.0, 0.010), material="dark"),
                Shape("box", (0.055, 0.028, 0.026), (0.0, 0.0, 0.048), material="shell"),
                Shape("sphere", (0.030,), (0.0, 0.0, 0.105), material="none", contact=arm, name="gripper"),
            ),
        ),
        _finger(FINGER_JOINTS[0], "piper_finger_left", pi / 2),
        _finger(FINGER_JOINTS[1], "piper_finger_right", -pi / 2),
    )  # fmt: skip


def robot_links(mount: Mount | None = None) -> tuple[Link, ...]:
    """Return all links, parents before children."""
    legs = tuple(link for leg in LEGS for link in _leg(leg))
    return (_trunk(), *legs, *_arm(mount or Mount()))


FRAMES: tuple[Frame, ...] = (
    Frame(IMU_LINK, BASE_LINK, (-0.02557, 0.0, 0.04232)),
    *(Frame(f"{leg}_foot", f"{leg}_calf", (-0.002, 0.0, -CALF_LENGTH)) for leg in LEGS),
    # axes of the vendor's gripper_base (turned by 90 degrees about z from link 6), origin between the finger pads
    Frame(EE_LINK, "piper_link6", (0.0, 0.0, TOOL_LENGTH), (0.0, 0.0, pi / 2)),
)
