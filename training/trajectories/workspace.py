"""Where the arm can put its hand, in coordinates in which straight ways stay inside."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from go2_piper_description.joints import ARM_SLICE, joint_array
from go2_piper_description.kinematics import ArmKinematics
from moe_controller.contract import TargetRegion
from moe_controller.targets import TRUNK_BOX_HIGH, TRUNK_BOX_LOW, from_spherical, natural_rotation
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

Array = NDArray[np.float64]

LARGEST_JUMP = 0.3
"""rad between neighbouring poses of a way; a larger step of a joint is another branch of the inverse kinematics."""
STRAIGHT_WRIST = 0.05
"""rad of joint 5 below which joints 4 and 6 turn about one axis: what one does the other can undo, and how they share
is no matter of the hand's pose. The home pose is such a one."""

MARGIN = 0.005
"""m kept from the trunk's box: a way is looked at in steps, between which it may graze the box."""


@dataclass(frozen=True)
class HandState:
    """A pose of `ee_link` as place about the shoulder and turn away from the arm's natural orientation there."""

    place: Array
    """radius m, azimuth rad, elevation rad; shape (3,)."""
    turn: Array
    """Rotation vector in the axes of the natural orientation (x left, so positive x looks down), rad, shape (3,)."""


class Workspace:
    """The region of targets that policies are trained on, and the arm's kinematics."""

    def __init__(self) -> None:
        self.region = TargetRegion()
        self.arm = ArmKinematics()
        home = self.arm.ee_transform(joint_array("stand")[ARM_SLICE])
        self.home = self.state(home[:3, 3], home[:3, :3])
        """Where the hand is while the robot stands, drawn into the region."""

    def state(self, position: Array, rotation: Array) -> HandState:
        """Return the state of a pose in base_link, (3,) and (3, 3), its place limited to the region."""
        x, y, z = position - self.arm.shoulder
        flat = np.hypot(x, y)
        place = np.array([np.hypot(flat, z), np.arctan2(y, x), np.arctan2(z, flat)])
        natural = Rotation.from_matrix(natural_rotation(position, self.arm.shoulder))
        turn = (natural.inv() * Rotation.from_matrix(rotation)).as_rotvec()
        low, high = np.array([self.region.radius, self.region.azimuth, self.region.elevation]).T
        return HandState(np.clip(place, low, high), turn)

    def poses(self, place: Array, turn: Array) -> tuple[Array, Array]:
        """Return positions (n, 3), m, and rotations (n, 3, 3) in base_link of states (n, 3), (n, 3)."""
        positions = from_spherical(place[:, 0], place[:, 1], place[:, 2], self.arm.shoulder)
        natural = natural_rotation(positions, self.arm.shoulder)
        return positions, natural @ Rotation.from_rotvec(turn).as_matrix()

    def reaches(self, positions: Array, rotations: Array) -> bool:
        """Return whether the arm can take all poses: m in base_link, (n, 3), and (n, 3, 3)."""
        return bool(self.arm.inverse(positions, rotations)[1].all())

    def joint_steps(self, positions: Array, rotations: Array) -> Array | None:
        """Return how far each joint goes between neighbouring poses, rad, (n - 1, 6); None where the arm cannot go.

        Args:
            positions: m in base_link, neighbours close together, (n, 3).
            rotations: (n, 3, 3).
        """
        if np.all((positions > TRUNK_BOX_LOW - MARGIN) & (positions < TRUNK_BOX_HIGH + MARGIN), axis=-1).any():
            return None
        joints, reached = self.arm.inverse(positions, rotations)
        if not reached.all():
            return None
        steps = np.abs(np.diff(joints, axis=0))
        straight = np.abs(joints[:, 4]) < STRAIGHT_WRIST
        steps[:, 3::2][straight[1:] | straight[:-1]] = 0.0
        return None if steps.max() > LARGEST_JUMP else steps
