"""State-to-command latency of the policy with cockpit, recorder and reference, against without, in turns; the stop.

The load changes on a busy machine: runs of both kinds follow each other. Where the machine itself stood still
(`stalls.py`), of both kinds no latency counts.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from moe_controller.graph.transport import loopback
from numpy.typing import NDArray

from . import stop
from .stalls import standstills, touched, watched

PAIRS = 5
DURATION = 20.0
"""s of each run."""
DOMAIN = "87"
PERCENTILES = (50, 99)


def run(pairs: int = PAIRS, duration: float = DURATION) -> list[str]:
    """Return the lines of the report.

    Args:
        pairs: runs of each kind.
        duration: s of each run.
    """
    seen: dict[bool, list[NDArray[np.float64]]] = {False: [], True: []}
    still: dict[bool, list[float]] = {False: [], True: []}
    for _ in range(pairs):
        for with_views in (False, True):
            latencies, part = _latencies(with_views, duration)
            seen[with_views].append(latencies)
            still[with_views].append(part)
    p99 = {kind: np.array([np.percentile(values, 99) for values in runs]) for kind, runs in seen.items()}
    ratios = p99[True] / p99[False]
    whole = np.percentile(np.concatenate(seen[True]), 99) / np.percentile(np.concatenate(seen[False]), 99)
    return [
        _line("without", seen[False], still[False]),
        _line("with cockpit, recorder and reference", seen[True], still[True]),
        f"p99 with / without: {whole:.2f} (limit 1.10); pair by pair {', '.join(f'{ratio:.2f}' for ratio in ratios)}",
        *stop.run(),
    ]


def _line(name: str, runs: list[NDArray[np.float64]], still: list[float]) -> str:
    p50, p99 = np.percentile(np.concatenate(runs), PERCENTILES)
    return (
        f"state to command {name}: p50 / p99 {p50:.2f} / {p99:.2f} ms of {sum(map(len, runs))} "
        f"({len(runs)} runs; {np.mean(still):.1%} left out, when the machine stood still)"
    )


def _latencies(with_views: bool, duration: float) -> tuple[NDArray[np.float64], float]:
    """Return the latencies of one run in real time, ms, and the part that does not count."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        options = ["--scenario", "walk-and-reach", "--duration", str(duration), "--out", str(folder / "run")]
        options += ["--record", "--cockpit-port", str(_free_port())] if with_views else ["--headless"]
        environment = {key: value for key, value in os.environ.items() if key not in ("DISPLAY", "WAYLAND_DISPLAY")}
        environment |= {"ROS_DOMAIN_ID": DOMAIN, **loopback(environment)}
        heard = folder / "heard.txt"
        probe = subprocess.Popen([sys.executable, "-m", "benchmarks.latency_probe", str(heard)], env=environment)
        try:
            with watched(folder):
                subprocess.run([sys.executable, "-m", "moe_controller.sim", *options], env=environment,
                               capture_output=True, timeout=300.0, check=False)  # fmt: skip
        finally:
            probe.send_signal(signal.SIGTERM)
            probe.wait(30.0)
        if not heard.is_file() or not heard.stat().st_size:
            raise RuntimeError("the graph published no commands: look at what `make sim` says")
        began, ended = np.loadtxt(heard, dtype=np.int64, ndmin=2).reshape(-1, 2).T
        late = touched(standstills(folder), began, ended)
    return np.asarray(ended - began, dtype=np.float64)[~late] * 1e-6, float(late.mean())


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
