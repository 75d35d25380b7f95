"""The planner's node as a process, over real ROS messages."""

from __future__ import annotations

import hashlib
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from go2_piper_description.joints import JOINT_NAMES, joint_array

from tests.support.processes import Processes

rclpy = pytest.importorskip("rclpy")
pytest.importorskip("jax")

from cem_planner.factory import make_planners  # noqa: E402
from cem_planner.settings import PlannerSettings  # noqa: E402
from robot_bridge import convert  # noqa: E402
from trajectory_msgs.msg import JointTrajectory  # noqa: E402
from visualization_msgs.msg import MarkerArray  # noqa: E402

from tests.moe_controller.fake_robot import FakeRobot  # noqa: E402

pytestmark = pytest.mark.integration

MODULE = "cem_planner.cem_planner_node"
SAMPLES = 64
Start = Callable[..., tuple[subprocess.Popen[str], FakeRobot]]


CONFIG = Path(__file__).parents[2] / "ros2_ws/src/cem_planner/config/cem_planner.yaml"


def ros_arguments(**parameters: object) -> list[str]:
    given = {"planner.num_samples": SAMPLES, **parameters}
    return [
        "--ros-args",
        "--params-file",
        str(CONFIG),
        *(item for name, value in given.items() for item in ("-p", f"{name}:={value}")),
    ]


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the compiled planner, so that each node starts quickly."""
    folder = tmp_path_factory.mktemp("compiled")
    make_planners(PlannerSettings(num_samples=SAMPLES), directory=folder)
    return folder


@pytest.fixture
def start(processes: Processes, compiled: Path) -> Iterator[Start]:
    """Starts a planner and a fake robot beside it."""
    robots: list[FakeRobot] = []
    rclpy.init()

    def begin(**parameters: object) -> tuple[subprocess.Popen[str], FakeRobot]:
        process = processes.start(MODULE, *ros_arguments(precompiled_dir=compiled, auto_activate="true", **parameters))
        robots.append(FakeRobot(process, controller="cem_planner"))
        return process, robots[-1]

    yield begin
    for robot in robots:
        robot.close()
    rclpy.try_shutdown()


def end(processes: Processes, process: subprocess.Popen[str]) -> str:
    process.send_signal(signal.SIGINT)
    result = processes.finish(process)
    assert result.returncode == 0, result.stderr
    assert "Traceback" not in result.stderr
    return result.stdout + result.stderr


def test_lockstep_publishes_commands_plans_and_ghosts(processes: Processes, start: Start) -> None:
    process, robot = start(mode="cem", lockstep="true")
    plans: list[JointTrajectory] = []
    ghosts: list[MarkerArray] = []
    robot.listen(JointTrajectory, "cem/plan", plans.append)
    robot.listen(MarkerArray, "cem/ghost", ghosts.append)
    begin = robot.first_command()
    for after in range(20, 301, 20):
        robot.publish_state(begin + after)
        robot.wait_command(begin + after)
    command = robot.commands[-1]
    assert tuple(command.name) == JOINT_NAMES and len(command.effort) == 18
    np.testing.assert_allclose(command.position, joint_array("stand"))  # the gate does not execute yet
    robot.wait(lambda: plans and convert.to_nanoseconds(plans[-1].header.stamp) // 1_000_000 == begin + 300, "plan")
    assert tuple(plans[-1].joint_names) == JOINT_NAMES
    robot.wait(lambda: ghosts and any(marker.ns == "ghost" for marker in ghosts[-1].markers), "ghost")
    robot.wait(lambda: robot.diagnostics.get("driver") == "idle", "diagnostics")
    robot.wait(lambda: int(robot.diagnostics["plans"]) > 5, "diagnostics after some plans")
    assert robot.diagnostics["backend"].startswith("reduced/")
    assert not robot.weights, "the planner alone has no experts"
    end(processes, process)


def test_hybrid_publishes_the_policys_weights_too(processes: Processes, start: Start, tiny_policy: Path) -> None:
    process, robot = start(mode="hybrid", model=tiny_policy)
    robot.wait_for_controller()
    robot.publish_mode("ACTIVE")
    stamp = 0

    def publish() -> None:
        nonlocal stamp
        stamp += 20
        robot.publish_state(stamp)

    robot.wait(lambda: len(robot.commands) >= 5 and robot.weights, "commands and weights", publish)
    robot.wait(lambda: robot.diagnostics.get("driver") == "back", "driver: the feet bear nothing", publish)
    robot.wait(lambda: int(robot.diagnostics.get("plans", "0")) > 2, "plans made in the thread", publish)
    assert robot.diagnostics["model_sha256"] == hashlib.sha256(tiny_policy.read_bytes()).hexdigest(), "for replays"
    end(processes, process)


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"planner.num_elites": 100}, "planner.num_elites is 100: there are only 64 samples to choose from"),
        ({"planner.plan_horizon": 0.0}, "planner.plan_horizon is 0.0: it must be above 0"),
        ({"planner.num_knots": 60}, "planner.num_knots is 60"),
        ({"mode": "dance"}, "mode 'dance' is unknown: choose one of cem, hybrid"),
        ({"backend": "gpu"}, "backend 'gpu' is unknown"),
        ({"max_plan_age": 0.0}, "max_plan_age is 0 s"),
        ({"mode": "hybrid", "model": "/none.onnx"}, "/none.onnx"),
    ],
    ids=["elites", "horizon", "knots", "mode", "backend", "age", "model"],
)
def test_settings_without_sense_end_with_one_line(
    processes: Processes, compiled: Path, parameters: dict[str, object], words: str
) -> None:
    arguments = ros_arguments(precompiled_dir=compiled, auto_activate="true", **parameters)
    result = processes.run(MODULE, *arguments)
    assert result.returncode == 1
    lines = (result.stdout + result.stderr).strip().splitlines()
    assert len(lines) == 1 and "cannot configure" in lines[0] and words in lines[0], lines
