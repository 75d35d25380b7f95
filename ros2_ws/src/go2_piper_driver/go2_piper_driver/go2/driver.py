"""The Go2's driver: connect, take the motors over, read, command, damp. Called from one thread."""

from __future__ import annotations

import logging
import time
from collections import Counter
from dataclasses import dataclass, field

import numpy as np
from go2_piper_description.joints import JOINT_BY_NAME, LEG_JOINT_NAMES
from robot_bridge.plant import PlantError

from .guards import Go2Guards, Watch
from .link import Go2Link, open_link
from .motors import Array, fill, fill_damping, prepare
from .release import ModeWatch, ReleaseTimes, release
from .state import Go2State, lost_packets, read_state, tick_of
from .wire import seal_cmd

_LOG = logging.getLogger(__name__)
_CALF = np.array(["calf" in name for name in LEG_JOINT_NAMES])
_LYING_CALF = 0.5 * (JOINT_BY_NAME["FL_calf_joint"].rest + JOINT_BY_NAME["FL_calf_joint"].stand)
"""rad; a robot whose calves are all folded further than this does not stand on them."""


@dataclass(frozen=True)
class Go2Options:
    """Options of the driver."""

    domain: int = 0
    interface: str = ""
    sdk: str = "auto"
    stand_down: bool = True
    """Let the Go2's own controller lie down before it is released."""
    foreign_writers: int = 0
    """Writers of `rt/lowcmd` that belong to the robot and are silent once released."""
    connect_time: float = 5.0
    """s to wait for the first state."""
    writer_time: float = 12.0
    """s to wait for other writers to go: one that was killed counts for 10 s."""
    writer_check: float = 0.2
    """s between looks at other writers."""
    state_period: float = 0.0
    """s between two states at least; those between are only counted."""
    damping: float = 8.0
    """N m s/rad of `damp`."""
    guards: Go2Guards = field(default_factory=Go2Guards)
    times: ReleaseTimes = field(default_factory=ReleaseTimes)


class Go2Driver:
    """Nothing is sent to the motors before `take_over` has returned."""

    def __init__(self, options: Go2Options) -> None:
        self.options = options
        self.counts: Counter[str] = Counter()
        """crc_failures, states, commands, refused_commands, write_failures."""
        self.watch = Watch(options.guards)
        self._link: Go2Link | None = None
        self._state: Go2State | None = None
        self._mode_watch: ModeWatch | None = None
        self._owns_motors = False
        self._sealed = b""
        """The command in force, as it is sent."""
        self._writers = 0
        self._writers_checked = 0.0

    # -- start ---------------------------------------------------------------------------------------------------------

    def connect(self) -> None:
        """Join the network and wait for the first state; nothing is sent. Raises PlantError."""
        options = self.options
        self._link = open_link(options.sdk, options.domain, options.interface)
        deadline = time.monotonic() + options.connect_time
        while self.read() is None:
            if time.monotonic() > deadline:
                bad = self.counts["crc_failures"]
                what = f"{bad} states, all with a wrong checksum" if bad else "no rt/lowstate"
                raise PlantError(
                    f"{what} on domain {options.domain}, interface {options.interface} within "
                    f"{options.connect_time:g} s: is the Go2 on, and is this its network?"
                )
            time.sleep(0.002)

    def take_over(self) -> None:
        """Have the motors released and become their only writer. Raises PlantError; then nothing was sent."""
        assert self._link is not None
        self._refuse_other_writers(self._link)
        release(self._link, self._lies_still, self.options.stand_down, self.options.times)
        self._link.advertise()
        command = self._link.new_command()
        prepare(command)
        self._command = command
        self._owns_motors = True
        self.watch = Watch(self.options.guards)  # the states that came while this one waited do not count as missing
        self._mode_watch = ModeWatch(self._link, self.options.times.call)

    def _refuse_other_writers(self, link: Go2Link) -> None:
        deadline = time.monotonic() + self.options.writer_time
        while (others := link.other_writers()) > self.options.foreign_writers:
            if time.monotonic() > deadline:
                raise PlantError(
                    f"{others} other program(s) write rt/lowcmd on domain {self.options.domain}: stop them, two would "
                    "fight over the motors"
                )
            time.sleep(0.1)

    def _lies_still(self) -> bool:
        state = self.read()
        if state is None or time.monotonic() - state.stamp > 0.1:
            return False
        return bool(np.all(np.abs(state.velocity) < 0.3) and np.all(state.position[_CALF] < _LYING_CALF))

    # -- running -------------------------------------------------------------------------------------------------------

    def read(self) -> Go2State | None:
        """Return the newest state with a right checksum, the same object until one is due; None before the first."""
        assert self._link is not None
        for sample, stamp in self._link.take_states():
            self.counts["states"] += 1
            if not sample.intact:
                self.counts["crc_failures"] += 1
                continue
            self.watch.add(stamp, tick_of(sample), lost_packets(sample))
            if self._state is None or stamp - self._state.stamp > self.options.state_period:
                self._state = read_state(sample, stamp)
        return self._state

    def faults(self) -> tuple[str, ...]:
        """Return why the robot must be damped now.

        Raises:
            PlantError: another controller has the motors; ours must be silent then, and is from here on.
        """
        assert self._link is not None
        if self._mode_watch is not None and self._mode_watch.taken_by:
            self._owns_motors = False
            raise PlantError(f"the Go2's mode {self._mode_watch.taken_by} has taken the motors: commands have stopped")
        now = time.monotonic()
        if now - self._writers_checked > self.options.writer_check:
            self._writers_checked = now
            self._writers = self._link.other_writers()
        found = self.watch.faults(self._state) if self._state is not None else ()
        if self._writers > self.options.foreign_writers:
            found += (f"{self._writers} other writer(s) on rt/lowcmd",)
        return found

    def write(self, position: Array, velocity: Array, effort: Array, kp: Array, kd: Array) -> None:
        """Command the legs, arrays of shape (12,), canonical order; values are kept inside the limits.

        What is not finite damps instead.
        """
        if not self._owns_motors:
            return
        self._sealed = b""
        if not fill(self._command, position, velocity, effort, kp, kd):
            self.counts["refused_commands"] += 1
            fill_damping(self._command, self.options.damping)
        self._send()

    def damp(self) -> None:
        """Damp all legs."""
        if self._owns_motors:
            self._sealed = b""
            fill_damping(self._command, self.options.damping)
            self._send()

    def repeat(self) -> None:
        """Send the last command again; it costs a fraction of a new one. Before the first, damp."""
        if not self._sealed:
            self.damp()
        elif self._owns_motors:
            self._send()

    def _send(self) -> None:
        assert self._link is not None
        self._sealed = self._sealed or seal_cmd(self._command)
        self.counts["commands"] += 1
        if not self._link.write(self._command.carry(self._sealed)):
            self.counts["write_failures"] += 1

    @property
    def owns_motors(self) -> bool:
        """Whether commands are sent."""
        return self._owns_motors

    def diagnostics(self) -> dict[str, str]:
        """Return counters and readings for a person."""
        values = {f"go2_{name}": str(count) for name, count in sorted(self.counts.items())}
        values["go2_link"] = self._link.name if self._link is not None else "none"
        values["go2_tick_gaps"] = str(self.watch.tick_gaps)
        values["go2_lost_packets"] = str(self.watch.lost)
        state = self._state
        if state is not None:
            values["go2_hottest_motor_c"] = f"{state.temperature.max():.0f}"
            values["go2_battery"] = f"{100 * state.charge:.0f} %, {state.voltage:.1f} V"
            values["go2_foot_force"] = " ".join(f"{force:.0f}" for force in state.foot_force)
            values["go2_warnings"] = "; ".join(self.watch.warnings(state)) or "none"
        return values

    # -- end -----------------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Damp for at least 0.5 s and until the legs are calm (3 s at most), then leave. May be called twice."""
        if self._mode_watch is not None:
            self._mode_watch.stop()
            self._mode_watch = None
        if self._link is None:
            return
        begun = time.monotonic()
        while self._owns_motors and (elapsed := time.monotonic() - begun) < 3.0:
            self.damp()
            state = self.read()
            calm = state is not None and bool(np.all(np.abs(state.velocity) < 0.5))
            if elapsed > 0.5 and calm:
                break
            time.sleep(0.002)
        self._owns_motors = False
        self._link.close()
        self._link = None
