"""The loop that people write themselves, for comparison: LowState in, LowCmd with checksum out, every 2 ms, no more.

    python -m benchmarks.bare_loop DOMAIN SECONDS unitree|own

`unitree` is the SDK as its example uses it (classes, channels and checksum are its own), `own` our messages. No gate,
no watchdog, no arm: for the emulated robot on the loopback interface alone. Prints its figures as JSON. `control_loop`
runs it beside the plant host.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any, Protocol

import numpy as np
from go2_piper_description.joints import JOINT_NAMES
from go2_piper_driver.go2.link import open_link
from go2_piper_driver.go2.motors import SLOT_OF, prepare
from go2_piper_driver.go2.release import ReleaseTimes, release
from go2_piper_driver.go2.state import read_state
from go2_piper_driver.go2.wire import seal_cmd
from robot_bridge.host.realtime import make_punctual
from robot_bridge.timing import FixedRate

from .round_trip import RoundTrips

PERIOD = 0.002
PUSHED = "FR_thigh_joint"
"""The motor that is told to push to and fro."""
SLOT, JOINT = SLOT_OF[PUSHED], JOINT_NAMES.index(PUSHED)


class Bare(Protocol):
    """A connection to the robot whose motors are released."""

    def effort(self) -> float:
        """Return the newest measured torque of the motor, N m."""

    def send(self, torque: float) -> None:
        """Send a command."""


class Own:
    """Our messages on cyclonedds."""

    def __init__(self, domain: int) -> None:
        self._link = open_link("own", domain, "lo")
        release(self._link, lambda: True, True, ReleaseTimes())
        self._link.advertise()
        self._command = self._link.new_command()
        prepare(self._command)
        self._effort = 0.0

    def effort(self) -> float:
        """See `Bare`."""
        for sample, stamp in self._link.take_states():
            if sample.intact:
                self._effort = float(read_state(sample, stamp).effort[JOINT])
        return self._effort

    def send(self, torque: float) -> None:
        """See `Bare`."""
        self._command.motor_cmd[SLOT].tau = torque
        self._link.write(self._command.carry(seal_cmd(self._command)))


class Sdk:
    """unitree_sdk2py, as in its go2_stand_example."""

    def __init__(self, domain: int) -> None:
        from go2_piper_driver.go2 import shim  # noqa: F401  # octets as the robot describes them
        from unitree_sdk2py.comm.motion_switcher.motion_switcher_client import MotionSwitcherClient
        from unitree_sdk2py.core.channel import ChannelFactoryInitialize, ChannelPublisher, ChannelSubscriber
        from unitree_sdk2py.go2.sport.sport_client import SportClient
        from unitree_sdk2py.idl.default import unitree_go_msg_dds__LowCmd_
        from unitree_sdk2py.idl.unitree_go.msg.dds_ import LowCmd_, LowState_
        from unitree_sdk2py.utils.crc import CRC

        ChannelFactoryInitialize(domain, "lo")
        self._state: Any = None
        self._states = ChannelSubscriber("rt/lowstate", LowState_)
        self._states.Init(self._on_state, 10)
        self._publisher = ChannelPublisher("rt/lowcmd", LowCmd_)
        self._publisher.Init()
        sport, switcher = SportClient(), MotionSwitcherClient()
        for client in (sport, switcher):
            client.SetTimeout(5.0)
            client.Init()
        while switcher.CheckMode()[1]["name"]:
            sport.StandDown()
            switcher.ReleaseMode()
            time.sleep(0.2)
        self._command = unitree_go_msg_dds__LowCmd_()
        prepare(self._command)
        self._checksum = CRC()

    def _on_state(self, state: Any) -> None:
        self._state = state

    def effort(self) -> float:
        """See `Bare`."""
        return 0.0 if self._state is None else float(self._state.motor_state[SLOT].tau_est)

    def send(self, torque: float) -> None:
        """See `Bare`."""
        self._command.motor_cmd[SLOT].tau = torque
        self._command.crc = self._checksum.Crc(self._command)
        self._publisher.Write(self._command)


def main(domain: int, seconds: float, kind: str) -> None:
    """Run the loop."""
    scheduling = make_punctual()
    bare: Bare = Sdk(domain) if kind == "unitree" else Own(domain)
    rate, trips, turns = FixedRate(PERIOD), RoundTrips(), list[float]()
    begun, used = time.monotonic(), time.process_time()
    before = begun
    while time.monotonic() - begun < seconds:
        time.sleep(max(rate.remaining(), 0.0))
        rate.advance()
        now = time.monotonic()
        turns.append(now - before)
        before = now
        trips.measured(bare.effort(), now)
        bare.send(trips.torque(now))
    elapsed = time.monotonic() - begun
    print(json.dumps({
        "name": "unitree_sdk2py" if kind == "unitree" else "our messages on cyclonedds",
        "scheduling": scheduling,
        "interval_ms": (1e3 * np.percentile(turns[1:], [50, 99, 100])).tolist(),
        "round_trip_ms": trips.percentiles_ms(),
        "processor": (time.process_time() - used) / elapsed,
    }))  # fmt: skip


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]), sys.argv[3])
