"""The plant host's 500 Hz loop against emulated dog and arm, beside the bare loop of the SDK: punctuality, round trip,
age of states, processor time."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from go2_piper_description.joints import NUM_JOINTS
from go2_piper_driver.emulation.control import ControlClient
from go2_piper_driver.real_plant import HostedGo2PiperPlant, RealOptions
from robot_bridge.priority import BRIDGE
from robot_bridge.timing import FixedRate
from robot_bridge.types import JointTargets

from .bare_loop import JOINT
from .round_trip import RoundTrips

_BRIDGE_PERIOD = 0.005
_RELEASE_TIME = 0.5
"""s of targets without torque, after which the host's watchdog lets some through."""


def _processor_time(pid: int) -> float:
    """Return the s of processor that a process has used; its times in /proc/PID/stat are counted in ticks of 4 ms."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) * 1e-9


def run(seconds: float = 15.0) -> list[str]:
    """Return the lines of the report.

    Args:
        seconds: to measure, each.
    """
    kinds = ["own", *(["unitree"] if importlib.util.find_spec("unitree_sdk2py") is not None else [])]
    lines = [line for kind in kinds for line in _with_robot(seconds, kind, _host)]
    lines += [line for kind in kinds for line in _with_robot(seconds, kind, _bare)]
    return lines if "unitree" in kinds else [*lines, "unitree_sdk2py is not installed here: no figures of it"]


def _with_robot(seconds: float, kind: str, measure: Callable[[float, str, int, str, int], list[str]]) -> list[str]:
    """Measure beside an emulated robot of its own."""
    domain = 100 + os.getpid() % 100
    can = f"bench{domain}"
    with tempfile.TemporaryDirectory() as folder:
        control = Path(folder) / "control"
        command = [sys.executable, "-m", "go2_piper_driver.emulation", f"--domain={domain}", f"--can={can}"]
        emulation = subprocess.Popen([*command, f"--control={control}"], stdout=subprocess.DEVNULL)
        try:
            ControlClient(control).close()
            return measure(seconds, kind, domain, can, emulation.pid)
        finally:
            emulation.terminate()
            emulation.wait()


def _bare(seconds: float, kind: str, domain: int, can: str, emulation: int) -> list[str]:
    before, begun = _processor_time(emulation), time.monotonic()
    command = [sys.executable, "-m", "benchmarks.bare_loop", str(domain), str(seconds), kind]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=seconds + 60.0)
    robot = (_processor_time(emulation) - before) / (time.monotonic() - begun)
    try:
        told = json.loads(result.stdout.splitlines()[-1])
    except (IndexError, ValueError):
        raise RuntimeError(f"bare loop: {result.stderr.strip()[-300:]}") from None
    return [
        f"bare loop, {told['name']}, {told['scheduling']} scheduling, dog only, period 2 ms: interval p50 / p99 / max "
        f"{_three(told['interval_ms'])} ms; round trip {_three(told['round_trip_ms'])} ms",
        f"  processor, of one core: loop {100 * told['processor']:.0f} %, emulated robot {100 * robot:.0f} % "
        "(with its start)",
    ]


def _three(values: list[float]) -> str:
    return " / ".join(f"{value:.2f}" for value in values)


def _host(seconds: float, kind: str, domain: int, can: str, emulation: int) -> list[str]:
    options = RealOptions(interface="lo", domain=domain, sdk=kind, can=can, can_interface="loopcan",
                          silence=1.0, state_age=1.0)  # fmt: skip
    plant = HostedGo2PiperPlant(options)
    try:
        plant.start()
        with contextlib.suppress(PermissionError):  # as the bridge does
            os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(BRIDGE))
        return _measure(plant, emulation, seconds)
    finally:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
        plant.stop()


def _measure(plant: HostedGo2PiperPlant, emulation: int, seconds: float) -> list[str]:
    assert plant._process is not None
    pids = (plant._process.pid, emulation)
    before = [_processor_time(pid) for pid in pids]
    rate, ages, trips = FixedRate(_BRIDGE_PERIOD), list[float](), RoundTrips()
    begun = time.monotonic()
    while time.monotonic() - begun < seconds:
        time.sleep(max(rate.remaining(), 0.0))
        rate.advance()
        state = plant.read()
        assert state is not None  # `start` waited for one
        now = time.monotonic()
        ages.append(now - state.stamp)
        trips.measured(state.effort[JOINT], now)
        effort = np.zeros(NUM_JOINTS)
        if now - begun > _RELEASE_TIME:
            effort[JOINT] = trips.torque(now)
        plant.write(JointTargets(state.position, effort=effort))
    elapsed = time.monotonic() - begun
    host, robot = (100 * (_processor_time(pid) - one) / elapsed for pid, one in zip(pids, before, strict=True))
    told = plant.diagnostics()
    return [
        f"plant host, {told['go2_link']}, {told['host_scheduling']} scheduling, dog and arm, period 2 ms: "
        f"interval p50 / p99 / max {told['host_interval_p50_ms']} / {told['host_interval_p99_ms']} / "
        f"{told['host_interval_max_ms']} ms, {told['host_skipped']} periods skipped; round trip of a bridge at 200 Hz "
        f"{_three(trips.percentiles_ms())} ms",
        f"  age of the state that the bridge reads {_three((1e3 * np.percentile(ages, [50, 99, 100])).tolist())} ms",
        f"  processor, of one core: host {host:.0f} %, emulated robot {robot:.0f} %",
    ]
