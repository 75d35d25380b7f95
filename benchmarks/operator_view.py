"""State-to-command latency of the policy with cockpit, recorder and reference, against without, in turns; the stop.

The load changes on a busy machine: runs of both kinds follow each other, and each pair gives one ratio.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from . import stop

PAIRS = 3
DURATION = 20.0
"""s of each run."""
DOMAIN = "87"


def run(pairs: int = PAIRS, duration: float = DURATION) -> list[str]:
    """Return the lines of the report.

    Args:
        pairs: runs of each kind.
        duration: s of each run.
    """
    latencies: dict[bool, list[tuple[float, float]]] = {False: [], True: []}
    for _ in range(pairs):
        for watched in (False, True):
            latencies[watched].append(_latency(watched, duration))
    plain, watched_ = (np.array(latencies[kind]) for kind in (False, True))
    ratios = watched_[:, 1] / plain[:, 1]
    return [
        _line("without", plain),
        _line("with cockpit, recorder and reference", watched_),
        f"p99 with / without: {', '.join(f'{ratio:.2f}' for ratio in ratios)} (limit 1.10)",
        *stop.run(),
    ]


def _line(name: str, values: np.ndarray) -> str:
    p50, p99 = np.median(values, axis=0)
    return f"state to command {name}: p50 / p99 {p50:.2f} / {p99:.2f} ms (median of {len(values)} runs)"


def _latency(watched: bool, duration: float) -> tuple[float, float]:
    """Return p50 and p99 of one run in real time, ms."""
    with tempfile.TemporaryDirectory() as folder:
        options = ["--scenario", "walk-and-reach", "--duration", str(duration), "--out", folder]
        options += ["--record", "--cockpit-port", str(_free_port())] if watched else ["--headless"]
        environment = {name: value for name, value in os.environ.items() if name not in ("DISPLAY", "WAYLAND_DISPLAY")}
        subprocess.run(
            [sys.executable, "-m", "moe_controller.sim", *options],
            env={**environment, "ROS_DOMAIN_ID": DOMAIN}, capture_output=True, timeout=300.0, check=False,
        )  # fmt: skip
        summary = json.loads((Path(folder) / "summary.json").read_text())
    latency = summary["state_to_command_latency_ms"]
    return tuple(float("nan") if latency[key] is None else latency[key] for key in ("p50", "p99"))  # type: ignore[return-value]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
