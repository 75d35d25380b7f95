"""The cockpit as a process: where it listens, and what it says when it cannot."""

from __future__ import annotations

import signal
import socket
import time
import urllib.request
from collections.abc import Iterator

import pytest

from tests.support.processes import Processes

pytest.importorskip("viser")
pytest.importorskip("rclpy")

pytestmark = pytest.mark.integration

MODULE = "moe_controller.cockpit.cockpit_node"
HANG = 120.0
"""s after which a test gives up; says nothing about speed."""


@pytest.fixture
def port() -> Iterator[int]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        number = probe.getsockname()[1]
    yield number


def listening_addresses(port: int) -> set[str]:
    """Return the addresses on which somebody listens at a port, as the kernel writes them."""
    found = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with open(table) as lines:
            for line in list(lines)[1:]:
                fields = line.split()
                address, _, number = fields[1].partition(":")
                if fields[3] == "0A" and int(number, 16) == port:
                    found.add(address)
    return found


def test_it_listens_on_the_loopback_address_only(processes: Processes, port: int) -> None:
    process = processes.start(MODULE, "--ros-args", "-p", f"port:={port}")
    give_up = time.monotonic() + HANG
    while not listening_addresses(port):
        assert process.poll() is None and time.monotonic() < give_up
        time.sleep(0.1)
    assert listening_addresses(port) == {"0100007F"}
    with urllib.request.urlopen(f"http://127.0.0.1:{port}", timeout=HANG) as page:
        assert page.status == 200
    process.send_signal(signal.SIGINT)
    result = processes.finish(process)
    assert result.returncode == 0 and "Traceback" not in result.stderr


def test_a_busy_port_is_one_line(processes: Processes, port: int) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", port))
        other.listen()
        result = processes.run(MODULE, "--ros-args", "-p", f"port:={port}")
    assert result.returncode == 1
    assert "choose another cockpit_port" in result.stderr and result.stderr.count("\n") == 1
