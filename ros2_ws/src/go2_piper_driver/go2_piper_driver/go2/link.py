"""How the driver reaches the Go2: the interface of both ways, and how one of them is chosen."""

from __future__ import annotations

import importlib.util
import logging
from pathlib import Path
from typing import Any, Protocol

from robot_bridge.plant import PlantError

from .wire import Sample

LOW_CMD = "rt/lowcmd"
LOW_STATE = "rt/lowstate"
SDKS = ("auto", "unitree", "own")

_LOG = logging.getLogger(__name__)


class Go2Link(Protocol):
    """A connection to the Go2's DDS topics. `take_states`, `write` and `other_writers` do not wait."""

    name: str
    """Which software it uses, for the log."""

    def new_command(self) -> Any:
        """Return a LowCmd message that `write` takes, all fields zero."""

    def take_states(self) -> list[tuple[Sample, float]]:
        """Return the LowState messages that came since the last call, with their times of arrival (monotonic, s)."""

    def advertise(self) -> None:
        """Become a writer of `rt/lowcmd`. Nothing is written yet."""

    def write(self, command: Any) -> bool:
        """Publish a LowCmd; False where that failed."""

    def other_writers(self) -> int:
        """Return how many writers `rt/lowcmd` has beside this one."""

    def call(self, service: str, api_id: int, parameter: str, timeout: float) -> tuple[int, str]:
        """Call a service; return code and data. Waits at most `timeout` s."""

    def close(self) -> None:
        """Leave the network."""


def check_interface(interface: str) -> None:
    """Refuse a network interface that cannot work. Raises PlantError."""
    devices = Path("/sys/class/net")
    if not devices.is_dir():
        return
    if not interface or not (devices / interface).exists():
        there = ", ".join(sorted(device.name for device in devices.iterdir()))
        raise PlantError(f'interface "{interface}": no such network interface here; there are {there}')
    try:
        state = (devices / interface / "operstate").read_text().strip()
    except OSError:
        return
    if state == "down":
        raise PlantError(f'interface "{interface}" is down: connect the cable to the Go2 and set its address')


def open_link(sdk: str, domain: int, interface: str) -> Go2Link:
    """Join a DDS domain on one network interface.

    Args:
        sdk: "unitree" for unitree_sdk2py, "own" for our own message classes, "auto" for the first if it is installed.
        domain: DDS domain; 0 on the robot, 1 by custom for simulators.
        interface: name of the network interface.

    Raises:
        PlantError: in one line, if that cannot work.
    """
    if sdk not in SDKS:
        raise PlantError(f'sdk "{sdk}" is unknown: choose one of {", ".join(SDKS)}')
    if not 0 <= domain <= 232:
        raise PlantError(f"domain {domain}: a DDS domain is a number from 0 to 232")
    check_interface(interface)
    if importlib.util.find_spec("cyclonedds") is None:
        raise PlantError("cyclonedds is not installed: pip install 'go2-piper-stack[real]'")
    if sdk == "auto":
        sdk = "unitree" if importlib.util.find_spec("unitree_sdk2py") is not None else "own"
        if sdk == "own":
            _LOG.warning("unitree_sdk2py is not installed: using our own messages on cyclonedds (docs/hardware.md)")
    from .shim import TypeIdError

    try:
        if sdk == "unitree":
            from .sdk_link import SdkLink

            link: Go2Link = SdkLink(domain, interface)
        else:
            from .own_link import OwnLink

            link = OwnLink(domain, interface)
    except TypeIdError as error:
        raise PlantError(str(error)) from error
    _LOG.info("Go2 through %s, domain %d, interface %s", link.name, domain, interface)
    return link
