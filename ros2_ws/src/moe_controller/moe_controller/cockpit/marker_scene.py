"""Markers of the graph (target, weights, ghosts) in the browser's scene; they vanish when their lifetime is over."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from visualization_msgs.msg import Marker, MarkerArray

from ..goals import BASE_LINK
from .shapes import unit_mesh

_KINDS = {Marker.CUBE: "box", Marker.SPHERE: "sphere", Marker.CYLINDER: "cylinder"}
MOST_MARKERS = 500
"""Of one topic."""


class MarkerScene:
    """Draws the marker arrays of one topic.

    Args:
        scene: of a viser server.
        name: of the topic, for the names of the scene's nodes.
        robot: node that moves with base_link.
    """

    def __init__(self, scene: Any, name: str, robot: str = "/robot") -> None:
        self._scene, self._name, self._robot = scene, name, robot
        self._shown: dict[tuple[str, int], tuple[object, Any, float]] = {}
        """Look, handle and time of its end, by namespace and id."""

    def show(self, message: MarkerArray) -> None:
        """Draw or move what a message holds."""
        for marker in message.markers[:MOST_MARKERS]:
            key = (marker.ns, marker.id)
            if marker.action != Marker.ADD:
                self._remove(key)
                continue
            self._draw(key, marker)

    def expire(self) -> None:
        """Remove what has outlived its time."""
        now = time.monotonic()
        for key in [key for key, (_, _, end) in self._shown.items() if end < now]:
            self._remove(key)

    def _remove(self, key: tuple[str, int]) -> None:
        if key in self._shown:
            self._shown.pop(key)[1].remove()

    def _draw(self, key: tuple[str, int], marker: Marker) -> None:
        life = marker.lifetime.sec + 1e-9 * marker.lifetime.nanosec
        end = time.monotonic() + life if life > 0.0 else np.inf
        scale = (marker.scale.x, marker.scale.y, marker.scale.z)
        colour = tuple(round(255 * min(max(c, 0.0), 1.0)) for c in (marker.color.r, marker.color.g, marker.color.b))
        look = (marker.type, scale, colour, marker.color.a, marker.text, marker.header.frame_id,
                tuple((p.x, p.y, p.z) for p in marker.points))  # fmt: skip
        point, turn = marker.pose.position, marker.pose.orientation
        position, wxyz = (point.x, point.y, point.z), (turn.w, turn.x, turn.y, turn.z)
        before = self._shown.get(key)
        if before is not None and before[0] == look:
            handle = before[1]
            if tuple(handle.position) != position:
                handle.position = position
            if tuple(handle.wxyz) != wxyz:
                handle.wxyz = wxyz
        else:
            made = self._make(key, marker, scale, colour, position, wxyz)
            if made is None:
                return
            handle = made
        self._shown[key] = (look, handle, end)

    def _make(self, key: tuple[str, int], marker: Marker, scale: Any, colour: Any, position: Any, wxyz: Any) -> Any:
        root = self._robot if marker.header.frame_id == BASE_LINK else ""
        name = f"{root}/{self._name}/{key[0]}_{key[1]}"
        where = {"position": position, "wxyz": wxyz}
        if marker.type in _KINDS:
            vertices, faces = unit_mesh(_KINDS[marker.type])
            return self._scene.add_mesh_simple(
                name, vertices * np.array(scale), faces, color=colour, opacity=float(marker.color.a), **where
            )
        if marker.type == Marker.LINE_STRIP and len(marker.points) > 1:
            points = np.array([(p.x, p.y, p.z) for p in marker.points])
            segments = np.stack([points[:-1], points[1:]], axis=1)
            return self._scene.add_line_segments(name, segments, colour, thickness=max(scale[0], 1e-3), **where)
        if marker.type == Marker.TEXT_VIEW_FACING:
            return self._scene.add_label(name, marker.text, **where)
        return None
