"""The command that sends a saved trajectory: what arrives, and what it says when it cannot."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

rclpy = pytest.importorskip("rclpy")

from moe_controller.messages import trajectory_of  # noqa: E402
from moe_controller.teleop import send_trajectory_node  # noqa: E402
from moe_controller.trajectory import PoseTrajectory  # noqa: E402
from moe_controller.trajectory_file import save_trajectory  # noqa: E402
from nav_msgs.msg import Odometry  # noqa: E402
from robot_bridge.inbox import Inbox  # noqa: E402
from trajectory_msgs.msg import MultiDOFJointTrajectory  # noqa: E402

pytestmark = pytest.mark.integration

TURNED = (0.0, 0.0, np.sqrt(0.5), np.sqrt(0.5))
"""A quarter turn to the left."""


class Controller:
    """Listens under a controller's name, and publishes where the robot is."""

    def __init__(self) -> None:
        self._context = rclpy.Context()
        rclpy.init(context=self._context)
        self._node = rclpy.create_node("moe_controller", context=self._context)
        self.heard: list[MultiDOFJointTrajectory] = []
        self._inbox = Inbox(self._node)
        self._inbox.subscribe(MultiDOFJointTrajectory, "ee_trajectory", self.heard.append, 10)
        self._odom = self._node.create_publisher(Odometry, "odom", 10)
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._loop)
        self._thread.start()

    def _loop(self) -> None:
        message = Odometry()
        pose = message.pose.pose
        pose.position.x, pose.position.z = 2.0, 0.3
        pose.orientation.z, pose.orientation.w = TURNED[2], TURNED[3]
        while not self._ending.wait(0.02):
            self._odom.publish(message)
            self._inbox.take()

    def close(self) -> None:
        self._ending.set()
        self._thread.join()
        self._node.destroy_node()
        self._context.try_shutdown()


@pytest.fixture
def controller(ros_domain: int) -> Any:
    controller = Controller()
    yield controller
    controller.close()


def saved(folder: Path, frame: str = "base_link") -> tuple[Path, PoseTrajectory]:
    trajectory = PoseTrajectory([0.0, 1.0, 2.5], [[0.4, 0.0, 0.3], [0.5, 0.1, 0.3], [0.5, 0.1, 0.4]], [TURNED] * 3)
    save_trajectory(folder / "path.json", trajectory, frame)
    return folder / "path.json", trajectory


def received(controller: Controller) -> tuple[PoseTrajectory, str]:
    give_up = time.monotonic() + 60.0
    while not controller.heard:
        assert time.monotonic() < give_up
        time.sleep(0.01)
    (message,) = controller.heard
    return trajectory_of(message, None)[0], message.header.frame_id


def test_it_arrives_as_it_was_saved(controller: Controller, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, trajectory = saved(tmp_path)
    assert send_trajectory_node.main([str(path)]) == 0
    assert capsys.readouterr().out == f"{path}: 2.5 s in base_link, sent\n"
    came, frame = received(controller)
    assert frame == "base_link"
    np.testing.assert_allclose(came.times, trajectory.times, atol=1e-9)
    np.testing.assert_allclose(came.positions, trajectory.positions)
    np.testing.assert_allclose(came.orientations, trajectory.orientations)


def test_here_fixes_it_where_the_robot_is(controller: Controller, tmp_path: Path) -> None:
    path, trajectory = saved(tmp_path)
    assert send_trajectory_node.main([str(path), "--here"]) == 0
    came, frame = received(controller)
    assert frame == "odom"
    x, y, z = trajectory.positions.T
    np.testing.assert_allclose(came.positions, np.stack([2.0 - y, x, 0.3 + z], axis=1), atol=1e-9)
    np.testing.assert_allclose(np.abs(came.orientations), [[0.0, 0.0, 1.0, 0.0]] * 3, atol=1e-9)


@pytest.mark.parametrize(
    ("content", "arguments", "words"),
    [
        (None, [], "cannot be read (No such file"),
        ("{", [], "is no JSON file of this project"),
        ({"frame": "odom", "points": [{"time": 0, "position": [0, 0, 0], "orientation": [0, 0, 0, 1]}]}, ["--here"],
         "is fixed already, in odom"),
        ({"frame": "odom", "points": [{"time": 0, "position": [0, 0, 0], "orientation": [0, 0, 0, 1]}]}, [],
         "nobody who controls the robot listens"),
    ],
)  # fmt: skip
def test_mistakes_are_one_line(
    content: Any, arguments: list[str], words: str, ros_domain: int, tmp_path: Path,
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(send_trajectory_node, "PATIENCE", 0.3)
    path = tmp_path / "path.json"
    if content is not None:
        path.write_text(content if isinstance(content, str) else json.dumps(content))
    assert send_trajectory_node.main([str(path), *arguments]) == 1
    error = capsys.readouterr().err
    assert error.startswith("send_trajectory: ") and error.count("\n") == 1 and words in error
