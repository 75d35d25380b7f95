"""The space that every backend plans in: 12 coordinates, by name.

The first six are offsets of the trunk (`base_link`) from its nominal pose over the planted feet, in the stance frame:
the yaw-aligned frame at the centre of the four feet. The rotation of the trunk is Rz(yaw) Ry(pitch) Rx(roll). The
last six are the joints of the arm. The legs follow by inverse kinematics over the planted feet.

Arrays of coordinates have shape (..., 12); trunk positions in m, everything else in rad.
"""

from __future__ import annotations

from go2_piper_description.joints import ARM_JOINT_NAMES

TRUNK_COORDINATES: tuple[str, ...] = ("x", "y", "z", "roll", "pitch", "yaw")
COORDINATES: tuple[str, ...] = TRUNK_COORDINATES + ARM_JOINT_NAMES
NUM_COORDINATES = len(COORDINATES)

TRUNK_SLICE = slice(0, len(TRUNK_COORDINATES))
TRUNK_POSITION_SLICE = slice(0, 3)
TRUNK_ROTATION_SLICE = slice(3, len(TRUNK_COORDINATES))
ARM_SLICE_12 = slice(len(TRUNK_COORDINATES), NUM_COORDINATES)
"""The arm's place among the 12; among the 18 joints it is `go2_piper_description.joints.ARM_SLICE`."""
