"""The whole ROS graph: simulation speed in lockstep, and latency and deadlines in real time."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path


def simulate(*options: str) -> dict:
    """Run the graph without a window and return its summary. Raises RuntimeError where it left none."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "moe_controller.sim", "--headless", "--out", folder, *options]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        summary = Path(folder) / "summary.json"
        if not summary.is_file():
            raise RuntimeError(f"{' '.join(command)} left no summary: {result.stderr.strip()[-300:]}")
        return json.loads(summary.read_text())


def run() -> list[str]:
    """Return the lines of the report."""
    lockstep = simulate("--lockstep", "--scenario", "walk", "--duration", "30")
    real = simulate("--scenario", "walk-and-reach", "--duration", "60")
    latency = real["state_to_command_latency_ms"]
    return [
        f"lockstep through ROS: {lockstep['simulation_speed']:.2f} x real time (limit of a real-time run: 1)",
        f"real time, {real['duration_s']:.0f} s: policy rate {real['policy_rate_hz']:.1f} Hz (asked: 50), "
        f"deadline misses {real['deadline_misses']}, falls {real['falls']}",
        f"state to command: p50 {latency['p50']:.2f} ms, p99 {latency['p99']:.2f} ms (limit: 20 ms, a control period)",
    ]
