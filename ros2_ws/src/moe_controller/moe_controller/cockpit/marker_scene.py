"""Markers of the graph (target, weights, ghosts) in the browser's scene; they vanish when their lifetime is over."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from visualization_msgs.msg import Marker, MarkerArray

from ..goals import BASE_LINK
from .shapes import unit_mesh

_KINDS = {Marker.CUBE: "box", Marker.SPHERE: "sphere", Marker.CYLINDER: "cylinder"}
MOST_MARKERS = 500
"""Of one topic."""
MOST_POINTS = 2000
"""Of one line."""


@dataclass
class _Shown:
    """A marker in the scene."""

    kind: tuple[object, ...]
    """What a handle cannot change."""
    handle: Any
    properties: dict[str, Any]
    """Of the handle, by name; only what changes is sent to browsers."""
    end: float
    """Of its life, s."""


class MarkerScene:
    """Draws the marker arrays of one topic.

    Args:
        scene: of a viser server.
        name: of the topic, for the names of the scene's nodes.
        robot: node that moves with base_link.
        clock: s, monotonic.
    """

    def __init__(
        self, scene: Any, name: str, robot: str = "/robot", clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._scene, self._name, self._robot, self._clock = scene, name, robot, clock
        self._shown: dict[tuple[str, int], _Shown] = {}
        """By namespace and id."""

    def show(self, message: MarkerArray) -> None:
        """Draw or move what a message holds."""
        for marker in message.markers[:MOST_MARKERS]:
            key = (marker.ns, marker.id)
            if marker.action == Marker.DELETEALL:
                for shown in list(self._shown):
                    self._remove(shown)
            elif marker.action == Marker.DELETE:
                self._remove(key)
            else:
                self._draw(key, marker)

    def expire(self) -> None:
        """Remove what has outlived its time."""
        now = self._clock()
        for key in [key for key, shown in self._shown.items() if shown.end < now]:
            self._remove(key)

    def _remove(self, key: tuple[str, int]) -> None:
        if key in self._shown:
            self._shown.pop(key).handle.remove()

    def _draw(self, key: tuple[str, int], marker: Marker) -> None:
        properties = _properties(marker)
        if properties is None:
            self._remove(key)
            return
        life = marker.lifetime.sec + 1e-9 * marker.lifetime.nanosec
        end = self._clock() + life if life > 0.0 else np.inf
        kind: tuple[object, ...] = (marker.type, marker.header.frame_id)
        if marker.type == Marker.LINE_STRIP:
            kind += (len(properties["points"]), _colour(marker))
        before = self._shown.get(key)
        if before is None or before.kind != kind:
            self._remove(key)
            self._shown[key] = _Shown(kind, self._make(key, marker, properties), properties, end)
            return
        for name, value in properties.items():
            if value != before.properties[name]:
                setattr(before.handle, name, np.array(value) if name == "points" else value)
        before.properties, before.end = properties, end

    def _make(self, key: tuple[str, int], marker: Marker, properties: dict[str, Any]) -> Any:
        root = self._robot if marker.header.frame_id == BASE_LINK else ""
        name = f"{root}/{self._name}/{key[0]}_{key[1]}"
        if marker.type in _KINDS:
            return self._scene.add_mesh_simple(name, *unit_mesh(_KINDS[marker.type]), **properties)
        if marker.type == Marker.LINE_STRIP:
            given = {**properties, "points": np.array(properties["points"])}
            return self._scene.add_line_segments(name, colors=_colour(marker), **given)
        return self._scene.add_label(name, **properties)


def _properties(marker: Marker) -> dict[str, Any] | None:
    """Return what a handle of viser is given for a marker; None for what is not drawn."""
    point, turn = marker.pose.position, marker.pose.orientation
    where = {"position": (point.x, point.y, point.z), "wxyz": (turn.w, turn.x, turn.y, turn.z)}
    points = [[p.x, p.y, p.z] for p in marker.points[:MOST_POINTS]]
    if not all(np.all(np.isfinite(values)) for values in (*where.values(), points)):
        return None
    if marker.type in _KINDS:
        scale = (marker.scale.x, marker.scale.y, marker.scale.z)
        return where | {"scale": scale, "color": _colour(marker), "opacity": float(marker.color.a)}
    if marker.type == Marker.TEXT_VIEW_FACING:
        return where | {"text": marker.text}
    if marker.type == Marker.LINE_STRIP and len(points) > 1:
        segments = [[start, end] for start, end in zip(points[:-1], points[1:], strict=True)]
        return where | {"points": segments, "thickness": max(marker.scale.x, 1e-3)}
    return None


def _colour(marker: Marker) -> tuple[int, int, int]:
    red, green, blue = (
        round(255 * min(max(part, 0.0), 1.0)) for part in (marker.color.r, marker.color.g, marker.color.b)
    )
    return red, green, blue
