"""A plant that lives in a child process: the bridge's side."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any, ClassVar

from ..plant import PlantError
from ..types import JointTargets, RobotState
from . import layout
from .channel import Channel, Closed, make_pair
from .local_plant import from_record, from_targets
from .watchdog import Limits

_STOP_TIME = 8.0
"""s that the host has to leave the robot in a safe posture."""


class HostedPlant:
    """A `Plant` whose work is done by a host. Subclasses say which plant; their Options are those of that plant.

    The host outlives this process if that dies, as long as it takes to damp the robot. If the host dies, a second one
    is started that damps and leaves.
    """

    entry: ClassVar[str] = ""
    """Of the plant in the host, module:Class."""
    python: ClassVar[str] = ""
    """Interpreter of the host; empty for this one's."""
    start_time: ClassVar[float] = 60.0
    """s that the plant may take to start."""
    limits: Limits = Limits()
    """Of the host's watchdog."""
    period: ClassVar[float] = 0.002
    """s of the host's loop."""

    def __init__(self, options: Any = None) -> None:
        self.options = options
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: Channel | None = None
        self._state: RobotState | None = None
        self._diagnostics: Mapping[str, str] = {}
        self._ended_well = True

    # -- plant interface -----------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start the host and wait until its plant has started. Raises PlantError."""
        self._launch(rescue=False)
        assert self._channel is not None
        deadline = time.monotonic() + self.start_time
        while self._state is None:
            if time.monotonic() > deadline:
                self.stop()
                raise PlantError(f"{self.entry} did not start within {self.start_time:g} s")
            self._channel.wait(0.1)
            self._receive()

    def read(self) -> RobotState | None:
        """Return the newest state. Raises PlantError where the host has ended."""
        self._receive()
        return self._state

    def write(self, targets: JointTargets) -> None:
        """Hand targets to the host. Raises PlantError where the host has ended."""
        assert self._channel is not None
        try:
            self._channel.send(layout.pack_targets(from_targets(targets, time.monotonic())))
        except Closed:
            raise PlantError(self._reason_of_end()) from None

    def stop(self) -> None:
        """Have the robot left in a safe posture; where the host has died, by a new one."""
        process, channel = self._process, self._channel
        self._process = self._channel = None
        if process is None or channel is None:
            return
        with contextlib.suppress(Closed):
            channel.send(layout.pack(layout.STOP))
        self._end(process, channel)
        if process.returncode != 0 and not self._ended_well:
            self._rescue()

    def diagnostics(self) -> Mapping[str, str]:
        """Return the newest words of the host."""
        return self._diagnostics

    # -- inside --------------------------------------------------------------------------------------------------------

    def _launch(self, rescue: bool) -> None:
        ours, theirs = make_pair()
        options = asdict(self.options) if is_dataclass(self.options) and not isinstance(self.options, type) else {}
        with theirs:
            self._process = subprocess.Popen(
                [self.python or sys.executable, "-m", "robot_bridge.host", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                env=self._environment(),
                start_new_session=True,  # signals to the bridge's group are not meant for the host: it sees the end
            )
        self._channel = Channel(ours)
        self._ended_well = False
        limits = self.limits._asdict()
        hello = {"entry": self.entry, "options": options, "limits": limits, "period": self.period, "rescue": rescue}
        self._channel.send(layout.pack_json(layout.HELLO, hello))

    def _environment(self) -> dict[str, str]:
        environment = dict(os.environ)
        if self.python:  # another interpreter finds this package, and nothing of this one's
            environment["PYTHONPATH"] = str(Path(__file__).resolve().parents[2])
        return environment

    def _receive(self) -> None:
        assert self._channel is not None
        newest: bytes | None = None
        try:
            packets = self._channel.receive()
        except Closed:
            raise PlantError(self._reason_of_end()) from None
        for packet in packets:
            try:
                kind, body = layout.unpack(packet)
                if kind == layout.STATE:
                    newest = body
                elif kind == layout.DIAGNOSTICS:
                    self._diagnostics = layout.unpack_json(body)
                elif kind == layout.ERROR:
                    self._ended_well = True  # it has stopped its plant before it said so
                    raise PlantError(layout.unpack_text(body))
            except layout.LayoutError as error:
                raise PlantError(f"plant host: {error}") from error
        if newest is not None:
            self._state = from_record(layout.unpack_state(newest))

    def _reason_of_end(self) -> str:
        assert self._process is not None
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(1.0)
        status = self._process.returncode
        how = f"by signal {-status}" if status is not None and status < 0 else f"with exit status {status}"
        return f"the plant host ended {how}: see its lines above"

    def _end(self, process: subprocess.Popen[bytes], channel: Channel) -> None:
        """Wait for the end of a host; it is killed only when it hangs."""
        try:
            process.wait(_STOP_TIME)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        channel.close()

    def _rescue(self) -> None:
        """Start a host that damps the robot and leaves."""
        sys.stderr.write(f"plant host ended unexpectedly: a new one damps {self.entry}\n")
        self._launch(rescue=True)
        process, channel = self._process, self._channel
        self._process = self._channel = None
        assert process is not None and channel is not None
        try:
            process.wait(self.start_time)
        except subprocess.TimeoutExpired:
            process.kill()
        channel.close()
