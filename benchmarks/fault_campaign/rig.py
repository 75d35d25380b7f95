"""Emulation and gate loop as processes, and what is asked of them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from go2_piper_driver.emulation.control import ControlClient
from go2_piper_driver.emulation.emulated_robot import READY

_POLL = 0.005


class RigError(RuntimeError):
    """The rig could not be brought where a trial begins."""


class Rig:
    """The emulated robot and a gate that drives it."""

    def __init__(self, folder: Path, domain: int, loss: str = "damp", patience: float = 1.0) -> None:
        self._patience = patience
        self._folder, self._domain, self._can = folder, domain, f"campaign{domain}"
        self._log = (folder / "campaign.log").open("a")
        control = folder / "emulation"
        command = [sys.executable, "-m", "go2_piper_driver.emulation", f"--domain={domain}", f"--can={self._can}",
                   f"--loss={loss}", f"--control={control}"]  # fmt: skip
        self._emulation = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=self._log, text=True)
        assert self._emulation.stdout is not None
        if READY not in self._emulation.stdout.readline():
            raise RigError("the emulation did not start")
        self.robot = ControlClient(control)
        self._gate: subprocess.Popen[bytes] | None = None
        self._ask: ControlClient | None = None

    def start_gate(self) -> None:
        """Start the gate loop, unless it runs."""
        if self._gate is not None:
            if self._gate.poll() is None and self.mode():
                return
            try:  # it has lost its plant and is leaving
                self._gate.wait(20.0)
            except subprocess.TimeoutExpired:
                self._gate.kill()
                self._gate.wait()
        if self._ask is not None:
            self._ask.close()
        control = self._folder / "gate"
        control.unlink(missing_ok=True)
        command = [sys.executable, "-m", "benchmarks.fault_campaign.gate_loop", str(self._domain), self._can]
        self._gate = subprocess.Popen([*command, str(control), str(self._patience)], stdout=self._log, stderr=self._log)
        self._ask = ControlClient(control, patience=60.0)

    def gate(self, **request: Any) -> dict[str, Any]:
        """Ask the gate loop. Raises OSError or ValueError where it has ended."""
        assert self._ask is not None
        return self._ask.ask(**request)

    def mode(self) -> str:
        """Return the gate's mode; empty where the loop has ended."""
        try:
            return str(self.gate(do="status")["mode"])
        except (OSError, ValueError):
            return ""

    def go2(self) -> dict[str, Any]:
        """Return what the emulated Go2 says."""
        return dict(self.robot.ask(do="status")["go2"])

    def broken_limits(self) -> list[str]:
        """Return everything that reached the hardware and should not have."""
        status = self.robot.ask(do="status")
        broken = [f"{name} x{count}" for name, count in status["go2"]["counts"].items() if name.startswith("limit")]
        return broken + list(status["piper"]["violations"])

    def fault(self, name: str, value: object) -> None:
        """Set a fault of the emulation."""
        self.robot.ask(do="fault", name=name, value=value)

    def kill(self, what: str) -> None:
        """Kill the gate loop ("bridge") or its plant host ("host")."""
        assert self._gate is not None
        os.kill(self._gate.pid if what == "bridge" else int(self.gate(do="status")["host"]), signal.SIGKILL)

    def until(self, condition: Callable[[], bool], patience: float) -> float | None:
        """Return the s until a condition holds; None if it does not within the patience."""
        begun = time.monotonic()
        while not condition():
            if time.monotonic() - begun > patience:
                return None
            time.sleep(_POLL)
        return time.monotonic() - begun

    def bring_to(self, mode: str) -> None:
        """Bring a well robot to a mode of the gate, if need be in a second attempt. Raises RigError."""
        try:
            self._bring_to(mode)
        except RigError:  # what the last fault left behind may come late, such as an arm that connects again
            time.sleep(2.0)
            self._bring_to(mode)

    def _bring_to(self, mode: str) -> None:
        self.robot.ask(do="well")
        self.start_gate()
        self.gate(do="commands", on=True)
        if self.until(self._in_passive, 20.0) is None:
            raise RigError(f"not PASSIVE: {self.gate(do='status')}")
        if mode == "PASSIVE":
            return
        if self.until(lambda: self._requested("stand", "STANDING_UP"), 10.0) is None:
            raise RigError(f"does not stand up: {self.gate(do='request', name='stand')}")
        if mode == "STANDING_UP":
            time.sleep(0.5)
            return
        if self.until(lambda: self.mode() == "HOLD", 15.0) is None:
            raise RigError(f"not HOLD: {self.gate(do='status')}")
        last = {"HOLD": None, "ACTIVE": "activate", "SITTING": "sit"}[mode]
        if last is not None and self.until(lambda: self._requested(last, mode), 10.0) is None:
            raise RigError(f"not {mode}: {self.gate(do='status')}")
        time.sleep(0.3)

    def _requested(self, request: str, mode: str) -> bool:
        return bool(self.gate(do="request", name=request)["mode"] == mode)

    def _in_passive(self) -> bool:
        mode = self.mode()
        if mode in ("HOLD", "ACTIVE", "STANDING_UP"):
            self.gate(do="request", name="damp")
        elif mode in ("DAMPING", "ESTOP"):
            self.gate(do="request", name="reset")
        return mode == "PASSIVE"

    def close(self) -> None:
        """End both."""
        if self._gate is not None and self._gate.poll() is None:
            self._gate.terminate()
            try:
                self._gate.wait(20.0)
            except subprocess.TimeoutExpired:
                self._gate.kill()
                self._gate.wait()
        self.robot.close()
        self._emulation.kill()
        self._emulation.wait()
        self._log.close()
