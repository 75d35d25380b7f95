"""What the planner shows: the plan as a joint trajectory, the planned robot as markers. Message packages, no rclpy."""

from __future__ import annotations

from array import array

import numpy as np
from builtin_interfaces.msg import Duration, Time
from geometry_msgs.msg import Point, Quaternion, Vector3
from go2_piper_description.joints import JOINT_NAMES
from moe_controller.goals import BASE_LINK
from numpy.typing import NDArray
from robot_bridge import convert
from robot_bridge.types import RobotState
from std_msgs.msg import ColorRGBA
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint
from visualization_msgs.msg import Marker, MarkerArray

from .controller import CemOutput
from .handover import Driver
from .preview import BOX, CYLINDER, SPHERE, Piece, Preview, joint_path, plan_times

Array = NDArray[np.float64]

LIFETIME = Duration(nanosec=500_000_000)
"""Markers vanish soon after the plans end; they are renewed ten times a second."""
GHOST_COLOURS = {Driver.PLANNER: (0.25, 0.65, 0.95), Driver.WALK: (0.95, 0.60, 0.20)}
"""By driver; others are grey."""
OTHER_COLOUR = (0.65, 0.65, 0.65)
GHOST_ALPHA = 0.35
PATH_COLOUR = (0.95, 0.25, 0.55)
TARGET_COLOUR = (0.10, 0.75, 0.30)
_TYPES = {BOX: Marker.CUBE, SPHERE: Marker.SPHERE, CYLINDER: Marker.CYLINDER}


def plan_message(output: CemOutput, num_points: int, state_stamp: float) -> JointTrajectory:
    """Return the plan in force for `/cem/plan`: all 18 joints, times from the state that it was made from.

    Args:
        output: with a plan.
        num_points: over the horizon.
        state_stamp: of that state, s.
    """
    assert output.plan is not None
    times = plan_times(output.plan, num_points)
    message = JointTrajectory(joint_names=list(JOINT_NAMES))
    message.header.stamp = convert.to_time(state_stamp)
    for time, joints in zip(times - state_stamp, joint_path(output, times), strict=True):
        at = convert.to_time(max(float(time), 0.0))
        point = JointTrajectoryPoint(time_from_start=Duration(sec=at.sec, nanosec=at.nanosec))
        point.positions = array("d", joints.tolist())
        message.points.append(point)
    return message


def ghost_markers(output: CemOutput, preview: Preview, state: RobotState, stamp: Time) -> MarkerArray:
    """Return the goal, and of the plan in force the robot at its end and the path of the end-effector."""
    markers = [_ball("target", output.target.position, 0.05, TARGET_COLOUR, stamp)]
    if output.plan is not None:
        colour = GHOST_COLOURS.get(output.driver, OTHER_COLOUR)
        markers += [_piece(piece, index, colour, stamp) for index, piece in enumerate(preview.robot(output, state))]
        markers.append(_path(preview.ee_path(output, state), stamp))
    return MarkerArray(markers=markers)


def _piece(piece: Piece, index: int, colour: tuple[float, float, float], stamp: Time) -> Marker:
    marker = _marker("ghost", _TYPES[piece.kind], colour, GHOST_ALPHA, stamp)
    marker.id = index
    marker.pose.position = _point(piece.position)
    x, y, z, w = piece.orientation.tolist()
    marker.pose.orientation = Quaternion(x=x, y=y, z=z, w=w)
    width, depth, height = piece.size
    marker.scale = Vector3(x=width, y=depth, z=height)
    return marker


def _path(points: Array, stamp: Time) -> Marker:
    marker = _marker("ee_path", Marker.LINE_STRIP, PATH_COLOUR, 0.9, stamp)
    marker.scale.x = 0.006
    marker.points = [_point(point) for point in points]
    return marker


def _ball(name: str, position: Array, diameter: float, colour: tuple[float, float, float], stamp: Time) -> Marker:
    marker = _marker(name, Marker.SPHERE, colour, 0.9, stamp)
    marker.pose.position = _point(position)
    marker.scale = Vector3(x=diameter, y=diameter, z=diameter)
    return marker


def _point(position: Array) -> Point:
    x, y, z = position.tolist()
    return Point(x=x, y=y, z=z)


def _marker(name: str, kind: int, colour: tuple[float, float, float], alpha: float, stamp: Time) -> Marker:
    marker = Marker(ns=name, type=kind, action=Marker.ADD, lifetime=LIFETIME)
    marker.header.frame_id = BASE_LINK
    marker.header.stamp = stamp
    marker.pose.orientation.w = 1.0
    red, green, blue = colour
    marker.color = ColorRGBA(r=red, g=green, b=blue, a=alpha)
    return marker
