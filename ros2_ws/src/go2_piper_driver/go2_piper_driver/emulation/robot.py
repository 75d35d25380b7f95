"""The emulated robot: dog and arm over one physics, in real time."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from go2_piper_description.joints import ARM_SLICE
from robot_bridge.timing import FixedRate

from .control import ControlServer
from .go2.emulated_go2 import EmulatedGo2
from .go2.network import Go2Network
from .physics import PERIOD, Drive, Physics
from .piper.emulated_piper import ArmMotion, EmulatedPiper, EmulatedPiperConfig

_SERVICE_STEPS = 5
"""Steps between two looks at requests and the control channel."""


@dataclass(frozen=True)
class EmulationOptions:
    """What to emulate, and where."""

    domain: int = 1
    interface: str = "lo"
    can: str = ""
    """Channel of the arm's loopback CAN; empty for no arm electronics: the arm is loose."""
    loss: str = "damp"
    """What the legs do when commands stop: hold, damp or limp."""
    mode: str = "normal"
    """Who owns the motors at the start; empty for nobody."""
    charge: float = 0.9
    """Of the battery, 0 to 1."""
    firmware: str = "S-V1.8-2"
    """Of the arm."""
    control: str = ""
    """Path of the control socket; empty for none."""


class EmulatedRobot:
    """Runs until it is told to stop. Raises PlantError where network or CAN cannot be opened."""

    def __init__(self, options: EmulationOptions) -> None:
        self.physics = Physics()
        self.go2 = EmulatedGo2(self.physics, options.loss, options.mode, options.charge)
        self._network = Go2Network(self.go2, options.domain, options.interface)
        self._piper: EmulatedPiper | None = None
        if options.can:
            self._piper = EmulatedPiper(EmulatedPiperConfig(options.can, firmware=options.firmware))
        self._control = ControlServer(Path(options.control), self.handle) if options.control else None
        self._rate = FixedRate(PERIOD)
        self._steps = 0
        self._started = time.monotonic()

    def step(self) -> None:
        """Wait for the next period and take it."""
        remaining = self._rate.remaining()
        if remaining > 0.0:
            time.sleep(remaining)
        self._rate.advance()
        physics = self.physics
        self._network.take_commands()
        self.go2.step()
        if self._piper is not None and self._piper.due(now := time.monotonic()):
            self._step_piper(self._piper, now)
        physics.step()
        self._network.publish_state()
        self._steps += 1
        if self._steps % _SERVICE_STEPS == 0:
            self._network.answer_requests()
            if self._control is not None:
                self._control.poll()

    def _step_piper(self, piper: EmulatedPiper, now: float) -> None:
        physics = self.physics
        travel, _, force = physics.gripper
        motion = ArmMotion(physics.position[ARM_SLICE], physics.velocity[ARM_SLICE], physics.effort[ARM_SLICE],
                           travel, force)  # fmt: skip
        targets = piper.step(now, motion)
        physics.drive_arm(Drive(targets.position, targets.velocity, targets.effort, targets.kp, targets.kd))
        physics.drive_gripper(targets.gripper_position)

    # -- control channel -----------------------------------------------------------------------------------------------

    def handle(self, request: dict[str, Any]) -> dict[str, Any]:
        """Answer a request of the control channel. Raises ValueError for one that cannot be."""
        what = request.get("do")
        if what == "status":
            return self.status()
        if what == "fault":
            self._set_fault(str(request["name"]), request["value"])
            return {}
        if what == "well":
            self.go2.make_well()
            if self._piper is not None:
                self._piper.faults.clear()
            return {}
        if what == "push":
            self.physics.kick(np.array(request["velocity"], dtype=float).reshape(3))
            return {}
        raise ValueError(f"no request {what!r}: there are status, fault, well, push")

    def _set_fault(self, name: str, value: Any) -> None:
        part, _, fault = name.partition(".")
        if part == "go2":
            self.go2.faults.set(fault, value)
        elif part == "piper" and self._piper is not None:
            self._piper.faults.set(fault, value)
        else:
            raise ValueError(f"fault {name}: write it as go2.<fault> or piper.<fault>")

    def status(self) -> dict[str, Any]:
        """Return the truth: where the robot is and what it was told."""
        position, quaternion, velocity = self.physics.base
        status: dict[str, Any] = {
            "time": self.physics.time,
            "wall": time.monotonic() - self._started,
            "skipped": self._rate.skipped,
            "base_position": position.tolist(),
            "base_quaternion": quaternion.tolist(),
            "base_velocity": velocity.tolist(),
            "arm_position": self.physics.position[ARM_SLICE].tolist(),
            "go2": self.go2.status(),
        }
        if self._piper is not None:
            status["piper"] = {
                "enabled": self._piper.enabled,
                "violations": list(self._piper.log.violations),
                "power_cuts": list(self._piper.log.power_cuts),
            }
        return status

    def broken_limits(self) -> list[str]:
        """Return what reached dog and arm and should not have, one line each."""
        counts = self.go2.counts
        broken = [f"legs, {name} ({count} times)" for name, count in counts.items() if name.startswith("limit")]
        return broken + (list(self._piper.log.violations) if self._piper is not None else [])

    def close(self) -> None:
        """Leave the network."""
        if self._control is not None:
            self._control.close()
        if self._piper is not None:
            self._piper.close()
