"""The controller node as a process, over real ROS messages."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import yaml
from go2_piper_description.joints import JOINT_NAMES, joint_array

from tests.support.processes import Processes
from tests.support.real_time import granted
from tests.support.tiny_policy import tiny_contract, write_tiny_policy

rclpy = pytest.importorskip("rclpy")

from .fake_robot import FakeRobot, shuffled_joints  # noqa: E402

pytestmark = pytest.mark.integration

PARAMETERS = Path(__file__).parents[2] / "ros2_ws/src/moe_controller/config/moe_controller.yaml"
MODULE = "moe_controller.moe_controller_node"
ROS_PARAMETERS = ("use_sim_time", "start_type_description_service")
Start = Callable[..., tuple[subprocess.Popen[str], FakeRobot]]


def ros_arguments(*remaps: str, **parameters: object) -> list[str]:
    """Return the command line with the package's parameter file, and these parameters above it."""
    given = [item for name, value in parameters.items() for item in ("-p", f"{name}:={value}")]
    renamed = [item for remap in remaps for item in ("-r", remap)]
    return ["--ros-args", "--params-file", str(PARAMETERS), *given, *renamed]


@pytest.fixture
def start(processes: Processes) -> Iterator[Start]:
    """Starts a controller and a fake robot beside it."""
    robots: list[FakeRobot] = []
    rclpy.init()

    def begin(*remaps: str, namespace: str = "", **parameters: object) -> tuple[subprocess.Popen[str], FakeRobot]:
        process = processes.start(MODULE, *ros_arguments(*remaps, **parameters))
        robots.append(FakeRobot(process, namespace))
        return process, robots[-1]

    yield begin
    for robot in robots:
        robot.close()
    rclpy.try_shutdown()


def end(processes: Processes, process: subprocess.Popen[str], number: int = signal.SIGINT) -> str:
    """End a controller by a signal, check that it does so cleanly, and return what it logged."""
    process.send_signal(number)
    result = processes.finish(process)
    assert result.returncode == 0, result.stderr
    assert "Traceback" not in result.stderr
    return result.stdout + result.stderr


def test_lockstep_answers_one_state_per_control_period(processes: Processes, start: Start, tmp_path: Path) -> None:
    action = np.linspace(-0.2, 0.2, 18)
    contract = write_tiny_policy(tmp_path / "p.onnx", action=action.tolist())
    process, robot = start(model=tmp_path / "p.onnx", auto_activate="true", lockstep="true")
    begin = robot.first_command()
    first = len(robot.commands)
    for after in range(5, 101, 5):
        robot.publish_state(begin + after, shuffled_joints())
        if after % 20 == 0:
            robot.wait_command(begin + after)
    assert robot.stamps[first:] == [begin + after for after in (20, 40, 60, 80, 100)]
    assert tuple(robot.commands[-1].name) == JOINT_NAMES
    expected = joint_array("stand") + np.array(contract.action_scale) * action
    np.testing.assert_allclose(
        robot.commands[-1].position, np.clip(expected, joint_array("lower"), joint_array("upper")), atol=1e-6
    )
    robot.wait(lambda: len(robot.weights) >= len(robot.commands), "weights")
    assert [dim.label for dim in robot.weights[-1].layout.dim] == ["groups:legs,arm", "experts:base,arm"]
    end(processes, process)


def test_lockstep_refuses_what_is_wrong_and_goes_on(processes: Processes, start: Start, tiny_policy: Path) -> None:
    process, robot = start(model=tiny_policy, auto_activate="true", lockstep="true")
    begin = robot.first_command()
    robot.publish_target("map", (0.4, 0.0, 0.3))
    robot.publish_target("odom", (400.0, 0.0, 0.3))
    robot.publish_state(begin + 20, shuffled_joints(leave_out=3))
    robot.wait(lambda: robot.diagnostics.get("bad_states") == "1", "count of bad states")
    robot.wait(lambda: robot.diagnostics.get("refused_goals") == "2", "count of refused goals")
    assert begin + 20 not in robot.stamps
    robot.publish_state(begin + 40)
    robot.wait_command(begin + 40)
    log = end(processes, process)
    assert log.count(f"missing joints {JOINT_NAMES[3]}") == 1
    assert "/ee_target refused: frame 'map' is unknown: give the target in odom or base_link" in log


def test_goes_first_once_it_commands(processes: Processes, start: Start, tiny_policy: Path) -> None:
    process, robot = start(model=tiny_policy, real_time="true")
    assert robot.change("configure") and os.sched_getscheduler(process.pid) == os.SCHED_OTHER
    assert robot.change("activate")
    assert os.sched_getscheduler(process.pid) == (os.SCHED_RR if granted() else os.SCHED_OTHER)
    said = "real time" if granted() else "normal"
    robot.wait(lambda: robot.diagnostics.get("scheduling") == said, "word of the scheduling")
    end(processes, process)


def test_far_target_is_approached(processes: Processes, start: Start, tiny_policy: Path) -> None:
    process, robot = start(model=tiny_policy, auto_activate="true", lockstep="true")
    stamp = robot.first_command()
    robot.publish_mode("ACTIVE")  # a robot that is held is not told to walk
    robot.publish_target("odom", (3.0, 0.0, 0.6))
    robot.spin(0.5)
    assert robot.diagnostics.get("walking", "false") == "false"
    robot.publish_state(stamp + 20)
    robot.wait(lambda: robot.diagnostics.get("walking") == "true", "walk")
    end(processes, process)


def test_commands_stop_with_the_states_and_come_back(processes: Processes, start: Start, tiny_policy: Path) -> None:
    process, robot = start(model=tiny_policy, auto_activate="true")
    robot.wait_for_controller()
    stamp = 0

    def publish() -> None:
        nonlocal stamp
        stamp += 20
        robot.publish_state(stamp)

    robot.wait(lambda: len(robot.commands) >= 3, "commands", publish)
    published = stamp
    assert set(robot.stamps) <= set(range(20, published + 1, 20))
    robot.wait(lambda: robot.message == "no new states", "word that the states are gone")
    robot.spin(0.2)
    count = len(robot.commands)
    robot.spin(1.0)
    assert len(robot.commands) == count
    stamp = 0  # the bridge was started again: its clock begins anew
    robot.wait(lambda: len(robot.commands) >= count + 3, "commands after the restart", publish)
    assert robot.stamps[-1] <= stamp
    for key in ("policy_rate_hz", "inference_p50_ms", "inference_p99_ms", "weights_entropy", "state_age"):
        assert np.isfinite(float(robot.diagnostics[key]))
    assert robot.diagnostics["model"] == tiny_policy.name
    end(processes, process, signal.SIGTERM)


def test_lifecycle_by_hand_in_a_namespace(processes: Processes, start: Start, tiny_policy: Path) -> None:
    process, robot = start("__ns:=/robot1", namespace="/robot1", model=tiny_policy, lockstep="true")
    assert robot.lifecycle() == "unconfigured"
    assert robot.change("configure")
    assert robot.lifecycle() == "inactive"
    robot.wait_for_controller()
    robot.publish_state(0)
    assert not robot.controller_publishes()
    assert robot.change("activate")
    begin = robot.first_command(begin=1000)
    assert robot.change("deactivate")
    robot.wait(lambda: not robot.controller_publishes(), "end of the publisher")
    count = len(robot.commands)
    robot.publish_state(begin + 1000)
    assert robot.change("cleanup")
    assert robot.lifecycle() == "unconfigured"
    assert len(robot.commands) == count
    end(processes, process)


def test_failed_configure_leaves_the_node_unconfigured(processes: Processes, start: Start, tmp_path: Path) -> None:
    process, robot = start(model=tmp_path / "none.onnx")
    assert not robot.change("configure")
    assert robot.lifecycle() == "unconfigured"
    log = end(processes, process)
    assert log.count("cannot configure") == 1


@pytest.mark.parametrize("case", ["missing", "corrupt", "other gains"])
def test_bad_model_ends_with_one_line(processes: Processes, tmp_path: Path, case: str) -> None:
    path = tmp_path / "bad.onnx"
    if case == "corrupt":
        path.write_bytes(b"not a policy")
    if case == "other gains":
        write_tiny_policy(path, contract=tiny_contract(kd=(9.0,) * 18))
    result = processes.run(MODULE, *ros_arguments(model=path, auto_activate="true"))
    assert result.returncode == 1
    lines = (result.stdout + result.stderr).strip().splitlines()
    assert len(lines) == 1, lines
    assert "cannot configure" in lines[0]
    assert ("kd differs" if case == "other gains" else str(path)) in lines[0]


def test_parameter_file_names_every_parameter_with_its_default(processes: Processes, start: Start) -> None:
    given = yaml.safe_load(PARAMETERS.read_text())["/**/moe_controller"]["ros__parameters"]
    process, robot = start()
    assert given == {name: value for name, value in robot.parameters().items() if name in given}
    own = {name for name in robot.parameters() if name not in ROS_PARAMETERS}
    assert own == set(given)
    end(processes, process)


def test_parameter_of_the_wrong_kind_ends_with_one_line(processes: Processes, tiny_policy: Path) -> None:
    result = processes.run(MODULE, *ros_arguments(model=tiny_policy, control_rate="fast"))
    assert result.returncode == 1
    assert len(result.stderr.strip().splitlines()) == 1
    assert "control_rate" in result.stderr
