"""Markers in the browser's scene: moved rather than made anew, gone when their time is over."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

pytest.importorskip("viser")
pytest.importorskip("rclpy")

from builtin_interfaces.msg import Duration
from geometry_msgs.msg import Point, Vector3
from moe_controller.cockpit import marker_scene
from moe_controller.cockpit.marker_scene import MarkerScene
from std_msgs.msg import ColorRGBA
from visualization_msgs.msg import Marker, MarkerArray

from .scenes import Remembered


class Clock:
    """Time that a test sets, s."""

    now = 10.0

    def __call__(self) -> float:
        return self.now


def marker(kind: int = Marker.CUBE, height: float = 0.1, **fields: object) -> Marker:
    made = Marker(ns="weights", id=1, type=kind, action=Marker.ADD, lifetime=Duration(sec=1))
    made.header.frame_id = "base_link"
    made.pose.orientation.w = 1.0
    made.pose.position.z = height
    made.scale = Vector3(x=0.1, y=0.1, z=max(height, 0.01))
    made.color = ColorRGBA(r=1.0, g=0.5, b=0.0, a=0.5)
    for name, value in fields.items():
        setattr(made, name, value)
    return made


def line(*heights: float) -> Marker:
    return marker(Marker.LINE_STRIP, points=[Point(x=0.0, y=0.0, z=height) for height in heights])


@pytest.fixture
def markers(scene: Remembered) -> MarkerScene:
    return MarkerScene(scene, "moe_markers", clock=Clock())


def show(markers: MarkerScene, *shown: Marker) -> None:
    markers.show(MarkerArray(markers=list(shown)))


def test_a_marker_that_changes_is_not_made_anew(scene: Remembered, markers: MarkerScene) -> None:
    for height in (0.1, 0.2, 0.3):
        show(markers, marker(height=height))
    box = scene.handles["/robot/moe_markers/weights_1"]
    assert scene.made == 1 and box.position[2] == pytest.approx(0.3) and box.scale[2] == pytest.approx(0.3)
    assert box.color == (255, 128, 0) and box.opacity == 0.5
    for text in ("a", "b"):
        show(markers, marker(Marker.TEXT_VIEW_FACING, text=text, id=2))
    assert scene.made == 2 and scene.handles["/robot/moe_markers/weights_2"].text == "b"


def test_lines_follow_and_may_change_their_length(scene: Remembered, markers: MarkerScene) -> None:
    show(markers, line(0.0, 1.0, 2.0))
    show(markers, line(0.0, 1.5, 2.0))
    drawn = scene.handles["/robot/moe_markers/weights_1"]
    assert scene.made == 1 and np.asarray(drawn.points)[:, :, 2].tolist() == [[0.0, 1.5], [1.5, 2.0]]
    show(markers, line(0.0, 1.0))
    assert scene.made == 2 and np.asarray(scene.handles["/robot/moe_markers/weights_1"].points).shape == (1, 2, 3)


def test_the_frame_decides_what_it_moves_with(scene: Remembered, markers: MarkerScene) -> None:
    fixed = marker()
    fixed.header.frame_id = "odom"
    show(markers, fixed)
    assert list(scene.handles) == ["/moe_markers/weights_1"]


@pytest.mark.parametrize(
    "end",
    [
        lambda markers: show(markers, marker(action=Marker.DELETE)),
        lambda markers: show(markers, Marker(action=Marker.DELETEALL)),
        lambda markers: show(markers, marker(height=float("nan"))),
        lambda markers: show(markers, marker(kind=Marker.ARROW)),
    ],
    ids=["delete", "delete all", "not a number", "unknown kind"],
)
def test_nothing_lingers(
    scene: Remembered,
    markers: MarkerScene,
    end: Callable[[MarkerScene], None],
) -> None:
    show(markers, marker())
    end(markers)
    with pytest.raises(RuntimeError, match="removed"):
        scene.handles["/robot/moe_markers/weights_1"].visible = False


def test_lifetimes_end(scene: Remembered) -> None:
    clock = Clock()
    markers = MarkerScene(scene, "moe_markers", clock=clock)
    show(markers, marker(), marker(id=2, lifetime=Duration()))
    clock.now += 0.9
    markers.expire()
    scene.handles["/robot/moe_markers/weights_1"].visible = True
    clock.now += 0.2
    markers.expire()
    with pytest.raises(RuntimeError, match="removed"):
        scene.handles["/robot/moe_markers/weights_1"].visible = True
    scene.handles["/robot/moe_markers/weights_2"].visible = True  # no lifetime: stays


def test_a_flood_of_markers_is_bounded(
    scene: Remembered, markers: MarkerScene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(marker_scene, "MOST_MARKERS", 5)
    show(markers, *(marker(id=index) for index in range(9)))
    assert scene.made == 5
