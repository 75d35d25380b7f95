"""A recorded run: complete for an independent reader, the same numbers when it is replayed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rosbags.rosbag2 import Reader
from rosbags.typesys import Stores, get_typestore

from tests.support.processes import Processes

pytestmark = pytest.mark.integration


def stamps_and_order(path: Path, topic: str) -> tuple[list[int], list[int]]:
    """Return header stamps, ns, and times of arrival of a topic, read by rosbags."""
    store: Any = get_typestore(Stores.ROS2_JAZZY)
    stamps, arrived = [], []
    with Reader(path) as reader:
        wanted = [connection for connection in reader.connections if connection.topic == topic]
        for connection, time, raw in reader.messages(connections=wanted):
            stamp = store.deserialize_cdr(raw, connection.msgtype).header.stamp
            stamps.append(1_000_000_000 * stamp.sec + stamp.nanosec)
            arrived.append(time)
    return stamps, arrived


def test_a_recorded_run_is_complete_and_replays_to_the_same_bits(processes: Processes, tmp_path: Path) -> None:
    run = processes.run("moe_controller.sim", "--headless", "--lockstep", "--record", "--scenario", "walk-and-reach",
                        "--duration", "3", "--out", str(tmp_path))  # fmt: skip
    assert run.returncode == 0, run.stdout + run.stderr
    assert "missing" not in (tmp_path / "log" / "recorder.log").read_text()
    firsts = []
    for topic in ("/joint_states", "/imu/data", "/odom"):
        stamps, arrived = stamps_and_order(tmp_path / "recording.mcap", topic)
        assert set(np.diff(stamps)) == {5_000_000}, f"{topic} has gaps or is out of order"
        assert arrived == sorted(arrived)
        firsts.append(stamps[0])
    assert len(set(firsts)) == 1, "the beginning of a topic is missing"
    commands, _ = stamps_and_order(tmp_path / "recording.mcap", "/joint_commands")
    assert set(np.diff(commands)) == {20_000_000}

    replay = processes.run("moe_controller.replay", str(tmp_path))
    assert replay.returncode == 0, replay.stdout + replay.stderr
    assert "identical to the last bit" in replay.stdout

    page = tmp_path / "report.html"
    report = processes.run("moe_controller.report", str(tmp_path), "--out", str(page))
    assert report.returncode == 0, report.stderr
    assert "End-effector error" in page.read_text()
