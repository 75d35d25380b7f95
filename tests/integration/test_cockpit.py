"""The cockpit in a real browser against the real graph: it shows the robot, moves the arm, and stops everything."""

from __future__ import annotations

import io
import json
import re
import shutil
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.image import imread

from tests.moe_controller.graph.test_rviz import shown_topics
from tests.support.processes import Processes

pytest.importorskip("viser")
sync_api = pytest.importorskip("playwright.sync_api")

CHROMIUM = shutil.which("chromium")

pytestmark = [
    pytest.mark.integration,
    pytest.mark.realtime,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium here: tools/system_deps.sh installs it"),
]

FLAGS = (
    "--no-sandbox --use-gl=angle --use-angle=swiftshader --enable-unsafe-swiftshader --disable-background-networking "
    "--disable-component-update --disable-sync --no-first-run --disable-quic"
)
"""WebGL in software, and no calls home."""
HANG = 180.0
"""s after which a test gives up; says nothing about speed."""
SCENE = {"x": 310, "y": 60, "width": 320, "height": 380}
"""Between the two panels, px."""
CAMERA = "initialCameraPosition=0.95,-0.95,0.75&initialCameraLookAt=0.2,0.05,0.4"
"""Near the arm, so that its motion is a large part of the picture."""
MANY = 800
"""px; standing still changes 300 from one picture to the next, without a robot there are none."""


@pytest.fixture
def page() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS.split())
        page = browser.new_page(viewport={"width": 1020, "height": 440})
        page.set_default_timeout(1000.0 * HANG)
        yield page
        browser.close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def ee_position(page: Any) -> list[float]:
    """Return where the page says that the end effector is."""
    found = re.search(r"EE at ([-\d.]+), ([-\d.]+), ([-\d.]+) m", page.inner_text("body"))
    return [float(number) for number in found.groups()] if found else []


def robot_pixels(page: Any) -> np.ndarray:
    """Return where the scene is as dark as parts of the robot, and nothing else in it, are; shape (height, width)."""
    picture = imread(io.BytesIO(page.screenshot(clip=SCENE)))[:, :, :3]
    return picture.max(axis=2) < 0.4


def assert_that_rviz_finds_its_topics() -> None:
    """Look for every topic that rviz2 is set up to show, but for those of nodes that do not run here."""
    rclpy = pytest.importorskip("rclpy")
    rclpy.init()
    node = rclpy.create_node("somebody")
    elsewhere = {"/robot_description", "/cem/ghost"}  # robot_state_publisher; the planner, see its own test
    wanted = {topic: kind for topic, kind in shown_topics().items() if topic not in elsewhere}
    try:
        wait_for(lambda: all(node.count_publishers(topic) for topic in wanted), f"publishers of {sorted(wanted)}")
        offered = dict(node.get_topic_names_and_types())
        for topic, kind in wanted.items():
            assert [name.rpartition("/")[2] for name in offered[topic]] == [kind]
    finally:
        node.destroy_node()
        rclpy.try_shutdown()


def wait_for(condition: Any, what: str) -> None:
    give_up = time.monotonic() + HANG
    while not condition():
        assert time.monotonic() < give_up, f"no {what}"
        time.sleep(0.2)


def test_it_shows_the_robot_moves_the_arm_and_stops(processes: Processes, tmp_path: Path, page: Any) -> None:
    port = free_port()
    # a browser that draws without a GPU leaves little of two cores: no command comes late in lockstep
    graph = processes.start("moe_controller.sim", "--scenario", "none", "--lockstep", "--speed", "0.5",
                            "--cockpit-port", str(port), "--out", str(tmp_path))  # fmt: skip
    wait_for(lambda: "cockpit at" in _log(tmp_path / "log" / "cockpit.log") or graph.poll() is not None, "cockpit")
    page.goto(f"http://127.0.0.1:{port}?{CAMERA}")
    # the robot has stood up by itself, before or after the page was there
    wait_for(lambda: "ACTIVE" in page.inner_text("body") and ee_position(page), "activation")
    page.locator(".mantine-Notification-closeButton").click()  # "software rendering", above the scene
    wait_for(lambda: robot_pixels(page).sum() > MANY, "robot in the scene")

    before, seen = ee_position(page), robot_pixels(page)
    for index, value in enumerate(("0.45", "0.25", "0.5")):
        field = page.locator("input[type=text], input[type=number]").nth(index)
        field.fill(value)
        field.press("Enter")
    page.get_by_role("button", name="Send target").click()
    wait_for(lambda: ee_position(page)[1] - before[1] > 0.1, "motion of the arm")
    wait_for(lambda: (robot_pixels(page) != seen).sum() > MANY, "motion in the scene")

    assert_that_rviz_finds_its_topics()
    page.get_by_role("button", name="STOP").click()
    wait_for(lambda: "ESTOP" in page.inner_text("body"), "stop")
    graph.send_signal(2)
    result = processes.finish(graph)
    assert "Traceback" not in result.stderr
    events = json.loads((tmp_path / "summary.json").read_text())["gate_events"]
    assert "ESTOP" in events[-1]


def _log(path: Path) -> str:
    return path.read_text() if path.is_file() else ""
