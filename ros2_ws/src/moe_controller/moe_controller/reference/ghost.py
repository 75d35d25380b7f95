"""The arm at a target, from the primitives of the link table, and the path ahead. Message packages, no rclpy."""

from __future__ import annotations

import numpy as np
from builtin_interfaces.msg import Duration, Time
from geometry_msgs.msg import Point, Quaternion, Vector3
from go2_piper_description.joints import ARM_JOINT_NAMES
from go2_piper_description.kinematics import ArmKinematics
from go2_piper_description.links import ARM_BASE_LINK, FINGER_JOINTS, Link, robot_links
from go2_piper_description.materials import INVISIBLE
from robot_bridge.types import BaseState
from scipy.spatial.transform import Rotation
from std_msgs.msg import ColorRGBA
from visualization_msgs.msg import Marker, MarkerArray

from ..goals import BASE_LINK, ODOM, EeGoal, in_base_link
from ..targets import natural_rotation, reachable_rotation
from ..trajectory import Array

LIFETIME = Duration(nanosec=500_000_000)
"""Markers vanish with what publishes them; they are renewed ten times a second."""
COLOUR = ColorRGBA(r=0.55, g=0.85, b=0.45, a=0.35)
PATH_COLOUR = ColorRGBA(r=0.30, g=0.75, b=0.25, a=0.9)
PATH_AHEAD = 5.0
"""s of a trajectory that are drawn."""
PATH_POINTS = 60
_TYPES = {"box": Marker.CUBE, "sphere": Marker.SPHERE, "cylinder": Marker.CYLINDER, "capsule": Marker.CYLINDER}


class ReferenceGhost:
    """Draws where a goal wants the arm."""

    def __init__(self) -> None:
        self._arm = ArmKinematics()
        self._links = _arm_links()

    def markers(self, goal: EeGoal, now: float, base: BaseState | None, stamp: Time) -> MarkerArray | None:
        """Return the ghost and the path in `base_link`; None where nobody knows where that is.

        Args:
            goal: with its start.
            now: stamp of the newest state, s.
            base: needed for goals in odom.
            stamp: of the markers.
        """
        if goal.frame == ODOM and base is None:
            return None
        end = (goal.start or 0.0) + goal.trajectory.end
        times = np.linspace(now, max(min(now + PATH_AHEAD, end), now), PATH_POINTS)
        positions, orientations = goal.poses(times)
        if goal.frame == ODOM and base is not None:
            positions, orientations = in_base_link(positions, orientations, base)
        first = positions[:1]
        wanted = (
            Rotation.from_quat(orientations[:1]).as_matrix()
            if goal.trajectory.turns
            else natural_rotation(first, self._arm.shoulder)
        )
        joints = self._arm.inverse(first, reachable_rotation(first, wanted, self._arm))[0][0]
        markers = self._robot(joints, stamp)
        if end > now:
            markers.append(_path(positions, stamp))
        return MarkerArray(markers=markers)

    def _robot(self, joints: Array, stamp: Time) -> list[Marker]:
        angles = dict(zip(ARM_JOINT_NAMES, joints.tolist(), strict=True))
        places: dict[str, tuple[Array, Rotation]] = {BASE_LINK: (np.zeros(3), Rotation.identity())}
        markers: list[Marker] = []
        for link in self._links:
            assert link.parent is not None
            origin, turn = places[link.parent]
            origin = origin + turn.apply(link.xyz)
            turn = turn * Rotation.from_euler("xyz", link.rpy)
            if link.joint is not None and link.joint not in FINGER_JOINTS:
                turn = turn * Rotation.from_rotvec(np.array(link.axis) * angles[link.joint])
            places[link.name] = origin, turn
            for shape in link.shapes:
                if shape.material == INVISIBLE:
                    continue
                marker = _marker("reference", _TYPES[shape.kind], stamp, COLOUR)
                marker.id = len(markers)
                marker.pose.position = _point(origin + turn.apply(shape.xyz))
                x, y, z, w = (turn * Rotation.from_euler("xyz", shape.rpy)).as_quat().tolist()
                marker.pose.orientation = Quaternion(x=x, y=y, z=z, w=w)
                marker.scale = _extent(shape.kind, shape.size)
                markers.append(marker)
        return markers


def _arm_links() -> list[Link]:
    """Return the links of the arm, parents before children."""
    kept: list[Link] = []
    names: set[str] = set()
    for link in robot_links():
        if link.name == ARM_BASE_LINK or link.parent in names:
            kept.append(link)
            names.add(link.name)
    return kept


def _extent(kind: str, size: tuple[float, ...]) -> Vector3:
    if kind == "box":
        return Vector3(x=2.0 * size[0], y=2.0 * size[1], z=2.0 * size[2])
    if kind == "sphere":
        return Vector3(x=2.0 * size[0], y=2.0 * size[0], z=2.0 * size[0])
    length = 2.0 * size[1] + (2.0 * size[0] if kind == "capsule" else 0.0)
    return Vector3(x=2.0 * size[0], y=2.0 * size[0], z=length)


def _path(positions: Array, stamp: Time) -> Marker:
    marker = _marker("reference_path", Marker.LINE_STRIP, stamp, PATH_COLOUR)
    marker.scale.x = 0.006
    marker.points = [_point(point) for point in positions]
    return marker


def _point(point: Array) -> Point:
    x, y, z = point.tolist()
    return Point(x=x, y=y, z=z)


def _marker(namespace: str, kind: int, stamp: Time, colour: ColorRGBA) -> Marker:
    marker = Marker(ns=namespace, type=kind, action=Marker.ADD, lifetime=LIFETIME, color=colour)
    marker.header.frame_id = BASE_LINK
    marker.header.stamp = stamp
    marker.pose.orientation.w = 1.0
    return marker
