"""The rviz2 configuration: every display shows a topic that the code publishes, with the right type."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[3] / "ros2_ws/src"
CONFIG = ROOT / "moe_controller/rviz/sim.rviz"
KINDS = {
    "rviz_default_plugins/RobotModel": "String",
    "rviz_default_plugins/MarkerArray": "MarkerArray",
    "rviz_default_plugins/Pose": "PoseStamped",
    "rviz_default_plugins/Odometry": "Odometry",
}
"""Message types by display. Displays without an entry show no topic."""
FROM_ROS = {"/robot_description": "String"}
"""Published by robot_state_publisher."""


def displays() -> list[dict[str, Any]]:
    return yaml.safe_load(CONFIG.read_text())["Visualization Manager"]["Displays"]


def published() -> dict[str, str]:
    """Return type by topic of every publisher in our packages' sources."""
    found = dict(FROM_ROS)
    for path in ROOT.glob("*/*/**/*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            if node.func.attr not in ("create_publisher", "_advertise") or len(node.args) < 2:
                continue
            kind, topic = node.args[0], node.args[1]
            if isinstance(kind, ast.Name) and isinstance(topic, ast.Constant):
                found[f"/{str(topic.value).lstrip('/')}"] = kind.id
    return found


@pytest.mark.parametrize("display", displays(), ids=lambda display: display["Name"])
def test_a_display_s_topic_is_published_with_its_type(display: dict[str, Any]) -> None:
    topic: Any = display.get("Topic") or display.get("Description Topic")
    if display["Class"] not in KINDS:
        assert topic is None, f"say in KINDS what {display['Class']} shows"
        return
    assert published()[topic["Value"]] == KINDS[display["Class"]]


def shown_topics() -> dict[str, str]:
    """Return type by topic of all displays; `tests/integration/test_cockpit.py` looks for them in a running graph."""
    found = {}
    for display in displays():
        topic: Any = display.get("Topic") or display.get("Description Topic")
        if topic is not None:
            found[str(topic["Value"])] = KINDS[display["Class"]]
    return found


def test_what_the_operator_needs_is_shown() -> None:
    shown = {(d.get("Topic") or {}).get("Value") for d in displays()}
    assert {"/moe/markers", "/cem/ghost", "/reference/ghost", "/ee_target", "/odom"} <= shown
    assert "rviz_default_plugins/TF" in {d["Class"] for d in displays()}


def test_the_fixed_frame_is_published() -> None:
    assert yaml.safe_load(CONFIG.read_text())["Visualization Manager"]["Global Options"]["Fixed Frame"] == "odom"
