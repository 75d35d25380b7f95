"""Shared fixtures: a ROS domain of its own for each test, and processes that end with it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from moe_controller.graph.transport import loopback

from tests.support.processes import Processes
from tests.support.tiny_policy import write_tiny_policy

ROS_DEFAULTS = {
    "AMENT_PREFIX_PATH": sys.prefix,
    "OMP_NUM_THREADS": "1",
    **loopback(os.environ),
}
for name, value in ROS_DEFAULTS.items():
    os.environ.setdefault(name, value)

# Hydra closes all log handlers; that of absl, which flax brings, would close pytest's captured stream with it
with contextlib.suppress(ImportError):
    from absl import logging as absl_logging

    absl_logging.get_absl_handler().python_handler.stream = sys.__stderr__

DOMAINS = range(10, 100)
"""Left to tests; above 101 the ports of DDS meet those that the kernel hands out."""


@pytest.fixture
def ros_domain(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Reserve a ROS_DOMAIN_ID, also against other test runs on this machine, and set it."""
    for domain in DOMAINS:
        lock = Path("/tmp") / f"go2_piper_test_domain_{domain}"
        with lock.open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                continue
            monkeypatch.setenv("ROS_DOMAIN_ID", str(domain))
            monkeypatch.setenv("ROS_LOG_DIR", str(tmp_path_factory.mktemp("ros_log")))
            yield domain
            return
    pytest.skip("all ROS domains for tests are taken")


@pytest.fixture
def node(ros_domain: int) -> Iterator[Any]:
    """A node of the test's own in its domain."""
    rclpy = pytest.importorskip("rclpy")
    rclpy.init()
    node = rclpy.create_node("somebody")
    yield node
    node.destroy_node()
    rclpy.try_shutdown()


@pytest.fixture
def processes(ros_domain: int) -> Iterator[Processes]:
    """Starts processes in the test's domain; ends them after the test and fails if anything they started is left."""
    started = Processes()
    yield started
    assert started.end_all() == [], "processes outlived their supervisor"


@pytest.fixture
def tiny_policy(tmp_path: Path) -> Path:
    """A policy file whose action is zero: the robot stands."""
    path = tmp_path / "tiny.onnx"
    write_tiny_policy(path)
    return path
