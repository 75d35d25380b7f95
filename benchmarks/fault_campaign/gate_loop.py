"""A bridge without ROS, as a process that can be killed: plant host, gate, and commands that hold the stand pose."""

from __future__ import annotations

import signal
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
from go2_piper_description.joints import JOINT_NAMES, joint_array
from go2_piper_driver.emulation.control import ControlServer
from go2_piper_driver.real_plant import HostedGo2PiperPlant, RealOptions
from robot_bridge.gate import GateInputs, GateState, step
from robot_bridge.gate_params import GateParams
from robot_bridge.modes import Request
from robot_bridge.plant import PlantError
from robot_bridge.priority import BRIDGE, go_first
from robot_bridge.timing import FixedRate
from robot_bridge.types import JointCommand, RobotState

PERIOD = 0.005


class GateLoop:
    """Steps the gate at 200 Hz and takes requests on a control socket."""

    def __init__(self, domain: int, can: str, control: Path, patience: float) -> None:
        options = RealOptions(interface="lo", domain=domain, sdk="own", can=can, can_interface="loopcan")
        options = replace(options, silence=patience * options.silence, state_age=patience * options.state_age)
        self.plant = HostedGo2PiperPlant(options)
        self.plant.start()
        params = GateParams()
        self._gate, self._params = GateState(), replace(params, state_timeout=patience * params.state_timeout)
        self._state: RobotState | None = None
        self._commands = True
        self._requests: tuple[Request, ...] = ()
        self._server = ControlServer(control, self._handle)
        self._rate = FixedRate(PERIOD)
        self._reply = ""

    def _handle(self, request: dict[str, Any]) -> dict[str, Any]:
        if request["do"] == "request":
            self._gate_step((Request(request["name"]),))
            return {"reply": self._reply, "mode": str(self._gate.mode)}
        if request["do"] == "commands":
            self._commands = bool(request["on"])
            return {}
        process = self.plant._process
        return {"mode": str(self._gate.mode), "reason": self._gate.reason, "host": process.pid if process else 0}

    def turn(self) -> None:
        """Wait for the next period and take it. Raises PlantError."""
        time.sleep(max(self._rate.remaining(), 0.0))
        self._rate.advance()
        self._state = self.plant.read()
        self._gate_step(())
        self._server.poll()

    def _gate_step(self, requests: tuple[Request, ...]) -> None:
        now = time.monotonic()
        command = None
        if self._commands and self._state is not None:
            zeros = np.zeros(len(JOINT_NAMES))
            command = JointCommand(JOINT_NAMES, joint_array("stand"), zeros, zeros, self._state.stamp, now)
        inputs = GateInputs(now, self._state, command, 1, None, requests)
        self._gate, output = step(self._gate, inputs, self._params)
        if output.targets is not None:
            self.plant.write(output.targets)
        for event in output.events:
            print(f"[{now:.3f}] {event}", flush=True)
        self._reply = output.replies[0].message if output.replies else ""

    def close(self) -> None:
        """Leave the robot safe."""
        self._server.close()
        self.plant.stop()


def main(domain: int, can: str, control: str, patience: float) -> int:
    """Run until a signal or the loss of the plant.

    Args:
        domain: of DDS.
        can: channel.
        control: path of the socket.
        patience: factor on the time-outs, for machines with other work.
    """
    stopping = False

    def stop(_: int, __: FrameType | None) -> None:
        nonlocal stopping
        stopping = True

    signal.signal(signal.SIGTERM, stop)
    loop = None
    try:
        loop = GateLoop(domain, can, Path(control), patience)
        go_first(BRIDGE)
        while not stopping:
            loop.turn()
        return 0
    except PlantError as error:
        print(f"gate loop: {error}", flush=True)
        return 1
    finally:
        if loop is not None:
            loop.close()


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2], sys.argv[3], float(sys.argv[4])))
