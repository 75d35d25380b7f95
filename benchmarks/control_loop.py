"""The plant host's 500 Hz loop against emulated dog and arm: punctuality, age of states, processor time."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from go2_piper_description.joints import NUM_JOINTS
from go2_piper_driver.emulation.control import ControlClient
from go2_piper_driver.real_plant import HostedGo2PiperPlant, RealOptions
from robot_bridge.timing import FixedRate
from robot_bridge.types import JointTargets

_BRIDGE_PERIOD = 0.005


def _processor_time(pid: int) -> float:
    """Return the s of processor that a process has used; its times in /proc/PID/stat are counted in ticks of 4 ms."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) * 1e-9


def run(seconds: float = 10.0, sdk: str = "auto") -> list[str]:
    """Return the lines of the report.

    Args:
        seconds: to measure.
        sdk: as `Go2Options.sdk`.
    """
    domain = 100 + os.getpid() % 100
    can = f"bench{domain}"
    with tempfile.TemporaryDirectory() as folder:
        control = Path(folder) / "control"
        command = [sys.executable, "-m", "go2_piper_driver.emulation", f"--domain={domain}", f"--can={can}"]
        emulation = subprocess.Popen([*command, f"--control={control}"], stdout=subprocess.DEVNULL)
        options = RealOptions(interface="lo", domain=domain, sdk=sdk, can=can, can_interface="loopcan",
                              silence=1.0, state_age=1.0)  # fmt: skip
        plant = HostedGo2PiperPlant(options)
        try:
            ControlClient(control).close()
            plant.start()
            return _measure(plant, emulation.pid, seconds)
        finally:
            plant.stop()
            emulation.terminate()
            emulation.wait()


def _measure(plant: HostedGo2PiperPlant, emulation: int, seconds: float) -> list[str]:
    assert plant._process is not None
    pids = (plant._process.pid, emulation)
    before = [_processor_time(pid) for pid in pids]
    rate, ages = FixedRate(_BRIDGE_PERIOD), []
    begun = time.monotonic()
    while time.monotonic() - begun < seconds:
        time.sleep(max(rate.remaining(), 0.0))
        rate.advance()
        state = plant.read()
        assert state is not None  # `start` waited for one
        ages.append(time.monotonic() - state.stamp)
        plant.write(JointTargets(state.position, kd=np.full(NUM_JOINTS, 3.0)))
    elapsed = time.monotonic() - begun
    host, robot = (100 * (_processor_time(pid) - one) / elapsed for pid, one in zip(pids, before, strict=True))
    told = plant.diagnostics()
    p50, p99, worst = 1e3 * np.percentile(ages, [50, 99, 100])
    return [
        f"plant host, {told['go2_link']}, {told['host_scheduling']} scheduling, period 2 ms: interval p50 / p99 / max "
        f"{told['host_interval_p50_ms']} / {told['host_interval_p99_ms']} / {told['host_interval_max_ms']} ms, "
        f"{told['host_skipped']} periods skipped",
        f"age of the state that the bridge reads, p50 / p99 / max: {p50:.2f} / {p99:.2f} / {worst:.2f} ms",
        f"processor, of one core: host {host:.0f} %, emulated robot {robot:.0f} %",
    ]
