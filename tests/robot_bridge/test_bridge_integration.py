"""The bridge node as a process, over real ROS messages, in lockstep."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from go2_piper_description.joints import JOINT_NAMES, joint_array

rclpy = pytest.importorskip("rclpy")

from robot_bridge import convert  # noqa: E402
from robot_bridge.gate_params import GateParams  # noqa: E402

from tests.support.real_time import granted  # noqa: E402

pytestmark = pytest.mark.integration

HANG = 180.0
"""s of wall time after which a test gives up; guards against hanging, says nothing about speed."""


@pytest.fixture
def ros_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    monkeypatch.setenv("ROS_DOMAIN_ID", str(20 + os.getpid() % 80))
    monkeypatch.setenv("ROS_LOG_DIR", str(tmp_path))
    monkeypatch.setenv("AMENT_PREFIX_PATH", sys.prefix)
    rclpy.init()
    yield
    rclpy.try_shutdown()


class BridgeProcess:
    """A bridge with its log; always killed at the end."""

    def __init__(self, log: Path, parameters: dict[str, object]) -> None:
        self._log = log
        arguments = [item for name, value in parameters.items() for item in ("-p", f"{name}:={value}")]
        with log.open("w") as stream:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "robot_bridge.bridge_node", "--ros-args", *arguments],
                stdout=stream, stderr=subprocess.STDOUT,
            )  # fmt: skip

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def log(self) -> str:
        return self._log.read_text()

    def alive(self) -> bool:
        return self._process.poll() is None

    def wait(self) -> int:
        return self._process.wait(timeout=HANG)

    def interrupt(self) -> int:
        self._process.send_signal(signal.SIGINT)
        return self.wait()

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()


class Operator:
    """Sends requests, and commands the stand pose for every control period while `controlling`."""

    def __init__(self) -> None:
        from diagnostic_msgs.msg import DiagnosticArray
        from rclpy.qos import DurabilityPolicy, QoSProfile
        from sensor_msgs.msg import JointState
        from std_msgs.msg import String

        self.node = rclpy.create_node("operator")
        self.safety: list[str] = []
        self.diagnostics: dict[str, str] = {}
        self.controlling = False
        self.last_stamp = -1.0
        latched = QoSProfile(depth=10, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self._commands = self.node.create_publisher(JointState, "/joint_commands", 10)
        self.node.create_subscription(String, "/safety/state", lambda m: self.safety.append(m.data), latched)
        self.node.create_subscription(JointState, "/joint_states", self._on_state, 10)
        self.node.create_subscription(DiagnosticArray, "/diagnostics", self._on_diagnostics, 10)

    def _on_state(self, message: object) -> None:
        stamp = convert.to_seconds(message.header.stamp)  # type: ignore[attr-defined]
        if self.controlling and stamp >= self.last_stamp + 0.02 - 1e-6:
            self.last_stamp = stamp
            order = np.random.default_rng(0).permutation(len(JOINT_NAMES))
            names = [JOINT_NAMES[index] for index in order]
            self._commands.publish(
                convert.joint_command_message(joint_array("stand")[order], message.header.stamp, names=names)  # type: ignore[attr-defined]
            )

    def _on_diagnostics(self, message: object) -> None:
        self.diagnostics = {item.key: item.value for item in message.status[0].values}  # type: ignore[attr-defined]

    def spin_until(self, condition: Callable[[], bool], bridge: BridgeProcess, what: str) -> None:
        give_up = time.monotonic() + HANG
        while not condition():
            assert bridge.alive(), f"the bridge ended while waiting for {what}:\n{bridge.log}"
            assert time.monotonic() < give_up, f"no {what}:\n{bridge.log}"
            rclpy.spin_once(self.node, timeout_sec=0.1)

    def wait_mode(self, mode: str, bridge: BridgeProcess) -> None:
        self.spin_until(lambda: bool(self.safety) and self.safety[-1].startswith(mode), bridge, mode)

    def request(self, name: str, bridge: BridgeProcess) -> tuple[bool, str]:
        from std_srvs.srv import Trigger

        client = self.node.create_client(Trigger, f"/safety/{name}")
        self.spin_until(client.service_is_ready, bridge, f"service {name}")
        future = client.call_async(Trigger.Request())
        self.spin_until(future.done, bridge, f"answer of {name}")
        return future.result().success, future.result().message


def event_time(log: str, event: str) -> float:
    found = re.search(rf"\[(\d+\.\d+) s\] {event}", log)
    assert found, f"no '{event}' in\n{log}"
    return float(found.group(1))


def test_stand_activate_and_loss_of_the_controller(ros_environment: None, tmp_path: Path) -> None:
    bridge = BridgeProcess(tmp_path / "bridge.log", {"lockstep": True, "command_patience": 1.0})
    try:
        operator = Operator()
        operator.wait_mode("PASSIVE", bridge)
        accepted, message = operator.request("activate", bridge)
        assert not accepted and "only from HOLD" in message
        assert operator.request("stand", bridge)[0]
        operator.wait_mode("HOLD", bridge)
        operator.controlling = True
        operator.spin_until(lambda: operator.last_stamp > 0.0, bridge, "first command")
        target = operator.last_stamp + 0.2
        operator.spin_until(lambda: operator.last_stamp > target, bridge, "lockstep to go on")
        accepted, message = operator.request("activate", bridge)
        assert accepted, message
        target = operator.last_stamp + 0.5
        operator.spin_until(lambda: operator.last_stamp > target, bridge, "half a second of control")
        assert operator.safety[-1].startswith("ACTIVE")
        operator.controlling = False  # the controller dies
        operator.wait_mode("DAMPING", bridge)
        params = GateParams()
        held = event_time(bridge.log, "ACTIVE -> HOLD") - operator.last_stamp
        damped = event_time(bridge.log, "HOLD -> DAMPING") - operator.last_stamp
        # in simulation time: the first step of 5 ms after the time-out
        assert held == pytest.approx(params.command_hold_after + 0.005, abs=0.006)
        assert damped == pytest.approx(params.command_damp_after + 0.005, abs=0.006)
        operator.spin_until(lambda: operator.diagnostics.get("mode") == "DAMPING", bridge, "diagnostics")
        assert float(operator.diagnostics["state_to_command_p50_ms"]) > 0.0
        # commands that come back do not bring ACTIVE back
        operator.controlling = True
        target = operator.last_stamp + 1.0
        operator.spin_until(lambda: operator.last_stamp > target, bridge, "commands again")
        assert operator.safety[-1].startswith("DAMPING")
        assert operator.request("estop", bridge)[0]
        operator.wait_mode("ESTOP", bridge)
        accepted, message = operator.request("stand", bridge)
        assert not accepted and "ESTOP" in message
        assert bridge.interrupt() == 0
        assert "Traceback" not in bridge.log
    finally:
        bridge.kill()


def test_goes_first_where_it_is_asked_to(ros_environment: None, tmp_path: Path) -> None:
    bridge = BridgeProcess(tmp_path / "bridge.log", {"real_time": True})
    try:
        operator = Operator()
        said = "real time" if granted() else "normal"
        operator.spin_until(lambda: operator.diagnostics.get("scheduling") == said, bridge, "word of the scheduling")
        assert os.sched_getscheduler(bridge.pid) == (os.SCHED_RR if granted() else os.SCHED_OTHER)
        assert bridge.interrupt() == 0
    finally:
        bridge.kill()


def test_waits_for_the_scenario_and_answers_meanwhile(ros_environment: None, tmp_path: Path) -> None:
    from builtin_interfaces.msg import Time
    from rosgraph_msgs.msg import Clock

    bridge = BridgeProcess(tmp_path / "bridge.log", {"lockstep": True, "wait_for_run_until": True})
    try:
        operator = Operator()
        times: list[float] = []
        operator.node.create_subscription(Clock, "/clock", lambda m: times.append(convert.to_seconds(m.clock)), 10)
        scenario = operator.node.create_publisher(Time, "/sim/run_until", 10)
        assert operator.request("stand", bridge)[0]  # before any time has passed
        operator.spin_until(lambda: scenario.get_subscription_count() > 0, bridge, "subscription")
        for until in (0.1, 0.25):
            scenario.publish(convert.to_time(until))
            operator.spin_until(lambda until=until: bool(times) and times[-1] >= until - 1e-9, bridge, f"{until} s")  # type: ignore[misc]
            for _ in range(10):
                rclpy.spin_once(operator.node, timeout_sec=0.05)
            assert times[-1] == pytest.approx(until)
    finally:
        bridge.kill()


@pytest.mark.parametrize("discovery_time", [10.0, 0.0])  # found before it starts, and only afterwards
def test_second_bridge_gives_way(ros_environment: None, tmp_path: Path, discovery_time: float) -> None:
    first = BridgeProcess(tmp_path / "first.log", {"wait_for_run_until": True, "lockstep": True})
    second = None
    try:
        operator = Operator()
        operator.spin_until(lambda: bool(operator.safety), first, "first bridge")
        second = BridgeProcess(tmp_path / "second.log", {"discovery_time": discovery_time})
        assert second.wait() == 1
        assert "another bridge" in second.log and "Traceback" not in second.log
    finally:
        first.kill()
        if second is not None:
            second.kill()


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"plant": "nowhere:Nothing"}, 'plant "nowhere:Nothing": cannot import nowhere'),
        ({"gate.max_tlt": 1.0}, "unknown parameter gate.max_tlt; did you mean gate.max_tilt"),
        ({"plant_options.plant_model": "/no/such/model.xml"}, "plant model /no/such/model.xml: no such file"),
        ({"gate.max_tilt": -1.0}, "gate.max_tilt is -1.0"),
    ],
)
def test_mistakes_are_told_in_one_line(
    ros_environment: None, tmp_path: Path, parameters: dict[str, object], expected: str
) -> None:
    bridge = BridgeProcess(tmp_path / "bridge.log", {"discovery_time": 0.0, **parameters})
    try:
        assert bridge.wait() == 1
        # the middleware complains about what killed processes of others left in shared memory
        lines = [line for line in bridge.log.strip().splitlines() if "RTPS_TRANSPORT_SHM" not in line]
        assert len(lines) == 1 and expected in lines[0]
    finally:
        bridge.kill()
