"""What the controller shows: messages with the expert weights, and markers for rviz2 and Foxglove. Pure functions."""

from __future__ import annotations

from array import array
from collections.abc import Sequence

import numpy as np
from builtin_interfaces.msg import Duration, Time
from geometry_msgs.msg import Point, Vector3
from std_msgs.msg import ColorRGBA, Float64MultiArray, MultiArrayDimension
from visualization_msgs.msg import Marker, MarkerArray

from .contract import Contract
from .controller import ControlOutput
from .goals import BASE_LINK
from .trajectory import Array

LIFETIME = Duration(sec=1)
"""Markers vanish with the controller; they are renewed ten times a second."""
BARS_AT = (0.0, 0.0, 0.60)
"""Foot of the bars above the robot, m in base_link."""
BAR_HEIGHT = 0.20
BAR_WIDTH = 0.04
SMALLEST = 0.002
"""m; viewers refuse markers without extent."""

EXPERT_COLOURS = ((0.20, 0.45, 0.85), (0.95, 0.55, 0.15), (0.35, 0.70, 0.35), (0.70, 0.40, 0.75))
TARGET_COLOUR = (0.10, 0.75, 0.30)
SHOWN_COLOUR = (0.95, 0.75, 0.10)
TEXT_COLOUR = (1.0, 1.0, 1.0)


def weights_message(weights: Array, contract: Contract) -> Float64MultiArray:
    """Return expert weights, shape (groups, experts), with the names in the labels of the dimensions."""
    groups, experts = weights.shape
    message = Float64MultiArray(data=array("d", np.ravel(weights).tolist()))
    message.layout.dim = [
        MultiArrayDimension(label=f"groups:{','.join(contract.groups)}", size=groups, stride=groups * experts),
        MultiArrayDimension(label=f"experts:{','.join(contract.experts)}", size=experts, stride=experts),
    ]
    return message


def weights_text(weights: Array, contract: Contract) -> str:
    """Return one line per group, such as "legs: base 0.89  arm 0.11"."""
    return "\n".join(
        f"{group}: " + "  ".join(f"{name} {value:.2f}" for name, value in zip(contract.experts, row, strict=True))
        for group, row in zip(contract.groups, weights, strict=True)
    )


def control_markers(output: ControlOutput, contract: Contract, stamp: Time) -> MarkerArray:
    """Return the target, where it is shown to the policy, and the weights above the robot, all in base_link."""
    text = weights_text(output.weights, contract) + ("\nwalking to the target" if output.walking else "")
    markers = [
        _sphere("target", output.target.position, 0.05, TARGET_COLOUR, stamp),
        _sphere("shown_target", output.shown_target, 0.03, SHOWN_COLOUR, stamp),
        *_bars(output.weights, stamp),
        _text(text, (BARS_AT[0], BARS_AT[1], BARS_AT[2] + BAR_HEIGHT + 0.10), stamp),
    ]
    return MarkerArray(markers=markers)


def _bars(weights: Array, stamp: Time) -> list[Marker]:
    """One bar per group and expert, side by side in y, from the left; a gap between groups."""
    groups, experts = weights.shape
    width = groups * experts * BAR_WIDTH + (groups - 1) * BAR_WIDTH
    markers = []
    for group in range(groups):
        for expert in range(experts):
            height = max(float(weights[group, expert]) * BAR_HEIGHT, SMALLEST)
            place = group * (experts + 1) + expert
            marker = _marker("weights", Marker.CUBE, EXPERT_COLOURS[expert % len(EXPERT_COLOURS)], stamp)
            marker.id = group * experts + expert
            marker.pose.position = Point(
                x=BARS_AT[0], y=BARS_AT[1] + width / 2 - (place + 0.5) * BAR_WIDTH, z=BARS_AT[2] + height / 2
            )
            marker.scale = Vector3(x=BAR_WIDTH * 0.8, y=BAR_WIDTH * 0.8, z=height)
            markers.append(marker)
    return markers


def _sphere(
    namespace: str, position: Array, diameter: float, colour: tuple[float, float, float], stamp: Time
) -> Marker:
    marker = _marker(namespace, Marker.SPHERE, colour, stamp)
    x, y, z = position.tolist()
    marker.pose.position = Point(x=x, y=y, z=z)
    marker.scale = Vector3(x=diameter, y=diameter, z=diameter)
    return marker


def _text(text: str, position: Sequence[float], stamp: Time) -> Marker:
    marker = _marker("weights_text", Marker.TEXT_VIEW_FACING, TEXT_COLOUR, stamp)
    marker.text = text
    x, y, z = position
    marker.pose.position = Point(x=x, y=y, z=z)
    marker.scale.z = 0.05
    return marker


def _marker(namespace: str, kind: int, colour: tuple[float, float, float], stamp: Time) -> Marker:
    marker = Marker(ns=namespace, type=kind, action=Marker.ADD, lifetime=LIFETIME)
    marker.header.frame_id = BASE_LINK
    marker.header.stamp = stamp
    marker.pose.orientation.w = 1.0
    red, green, blue = colour
    marker.color = ColorRGBA(r=red, g=green, b=blue, a=0.9)
    return marker
