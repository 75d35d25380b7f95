"""`make real ARGS="--check ..."`: looks at network, dog, arm and policy without moving anything, and prints a table.

Nothing is sent to a motor: no LowCmd is written, the motion service keeps the motors, the arm gets no power.
"""

from __future__ import annotations

import importlib.util
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table
from robot_bridge.plant import PlantError

from .contract import ContractError
from .controller import MoeController
from .policy import OnnxPolicy, PolicyError
from .shipped import shipped_model

_LISTEN_TIME = 1.0
_STATE_RATE = 500.0
_LEAST_SHARE = 0.9
"""Of the states that must arrive."""


@dataclass(frozen=True)
class Check:
    """One line of the table."""

    name: str
    passed: bool | None
    """None: to be known, neither good nor bad."""
    finding: str


class CheckFailed(Exception):
    """Ends a group of checks: what follows depends on it."""


def run_checks(arguments: dict[str, str]) -> list[Check]:
    """Return all findings.

    Args:
        arguments: of the graph of the real robot, resolved (`graph.real`).
    """
    checks: list[Check] = []
    for group in (_software, _go2, _arm, _policy):
        try:
            group(arguments, lambda name, passed, finding: checks.append(Check(name, passed, finding)))
        except CheckFailed as failure:
            name, finding = failure.args
            checks.append(Check(name, False, finding))
    return checks


Note = Callable[[str, "bool | None", str], None]


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _software(arguments: dict[str, str], note: Note) -> None:
    for package in ("cyclonedds", "piper_sdk", "python-can"):
        found = _version(package)
        note(package, bool(found), found or "not installed: pip install 'go2-piper-stack[real]'")
    if not _version("cyclonedds"):
        return
    from go2_piper_driver.go2 import messages, shim

    try:
        shim.check_type_ids(messages.LowCmd_, messages.LowState_, messages.Request_, messages.Response_)
        note("DDS type ids", True, "those of the robot")
    except shim.TypeIdError as error:
        note("DDS type ids", False, str(error))
    there = importlib.util.find_spec("unitree_sdk2py") is not None
    note("unitree_sdk2py", None, "installed" if there else "not installed: our own messages are used")
    note("real-time scheduling", None, "allowed" if _may_be_real_time() else "not allowed: docs/hardware.md says how")


def _may_be_real_time() -> bool:
    import resource

    return os.geteuid() == 0 or resource.getrlimit(resource.RLIMIT_RTPRIO)[0] > 0


def _go2(arguments: dict[str, str], note: Note) -> None:
    if not _version("cyclonedds"):
        raise CheckFailed("Go2", "cannot be reached without cyclonedds")
    from go2_piper_driver.go2.driver import Go2Driver, Go2Options
    from go2_piper_driver.go2.motors import LOWER, UPPER
    from go2_piper_driver.go2.release import first_mode

    options = Go2Options(int(arguments["domain"]), arguments["interface"], arguments["sdk"])
    driver = Go2Driver(options)
    try:
        driver.connect()
        note("network", True, f"interface {options.interface}, domain {options.domain}")
        before, begun = driver.counts["states"], time.monotonic()
        while time.monotonic() - begun < _LISTEN_TIME:
            driver.read()
            time.sleep(0.002)
        rate = (driver.counts["states"] - before) / (time.monotonic() - begun)
        note("rt/lowstate", rate > _LEAST_SHARE * _STATE_RATE, f"{rate:.0f} of {_STATE_RATE:.0f} per s")
        note("checksums", driver.counts["crc_failures"] == 0, f"{driver.counts['crc_failures']} wrong")
        link: Any = driver._link
        note("motion service", True, f"mode {first_mode(link, options.times) or 'released'}")
        others = link.other_writers()
        note("writers of rt/lowcmd", others == 0, "none" if others == 0 else f"{others}: stop the other programs")
        state = driver.read()
        assert state is not None  # `connect` waited for one
        beyond = np.maximum(LOWER - state.position, state.position - UPPER).max()
        note("leg joints", beyond < 0.1, "inside their limits" if beyond < 0.1 else f"{beyond:.2f} rad beyond a limit")
        note("battery", state.charge > driver.watch.guards.low_charge, f"{100 * state.charge:.0f} %")
        problems = (*driver.watch.wear(state), *driver.watch.warnings(state))
        note("Go2's own reports", not problems, "; ".join(problems) or "nothing to report")
    except PlantError as error:
        raise CheckFailed("Go2", str(error)) from error
    finally:
        driver.close()


def _arm(arguments: dict[str, str], note: Note) -> None:
    if not (_version("piper_sdk") and _version("python-can")):
        raise CheckFailed("arm", "cannot be reached without piper_sdk and python-can")
    from go2_piper_driver.piper.arm import PiperArm, PiperOptions

    interface = "loopcan" if arguments["emulate"] == "true" else "socketcan"
    arm = PiperArm(PiperOptions(arguments["can"], interface))
    try:
        arm.start()
        deadline = time.monotonic() + 2.0
        while (state := arm.read()) is None and time.monotonic() < deadline:
            time.sleep(0.01)
        note("CAN", True, f"{arguments['can']} ({interface})")
        note("firmware", True, arm.firmware.text if arm.firmware is not None else "unknown")
        if state is None:
            raise CheckFailed("arm joints", "no complete state")
        problems = (*state.faults, *state.warnings)
        note("arm's own reports", not state.faults, "; ".join(problems) or "nothing to report")
    except PlantError as error:
        raise CheckFailed("arm", str(error)) from error
    finally:
        arm.stop()


def _policy(arguments: dict[str, str], note: Note) -> None:
    path = arguments["model"] or str(shipped_model())
    try:
        MoeController(OnnxPolicy(path))
    except (PolicyError, ContractError) as error:
        raise CheckFailed("policy", str(error)) from error
    note("policy", True, f"{os.path.basename(path)} fits the robot")


def show(checks: list[Check], console: Console) -> bool:
    """Print the table; return whether nothing failed."""
    table = Table(title="before the start; nothing was moved", title_justify="left")
    for heading in ("check", "", "finding"):
        table.add_column(heading)
    marks = {True: "[green]pass", False: "[red]FAIL", None: ""}
    for check in checks:
        table.add_row(check.name, marks[check.passed], check.finding)
    console.print(table)
    return all(check.passed is not False for check in checks)
