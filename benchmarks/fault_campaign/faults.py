"""The faults of the campaign and where each must end."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class End(Enum):
    """Safe states."""

    DAMPED = "legs damped or without power"
    """At the motors: no position gain."""
    DOWN = "sits down, then damped"
    """The same, after the gate's own motion."""
    SILENT = "driver is silent, the robot's own service has the motors"
    TOLERATED = "goes on"
    """Or ends damped; nothing beyond a limit is sent meanwhile."""


@dataclass(frozen=True)
class Fault:
    """One entry: what to set in the emulation, or which process to kill."""

    name: str
    end: End
    settings: tuple[tuple[str, object], ...] = ()
    kill: str = ""
    """bridge or host."""
    commands_stop: bool = False
    """The controller stops commanding."""
    indifferent: tuple[str, ...] = ()
    """Modes in which the gate moves by itself and needs nothing of what is lost: there it goes on."""

    def end_in(self, mode: str) -> End:
        """Return where it must end in a mode of the gate."""
        return End.TOLERATED if mode in self.indifferent else self.end


FAULTS = (
    Fault("no LowState", End.DAMPED, (("go2.silent", True),)),
    Fault("wrong checksums", End.DAMPED, (("go2.bad_crc", True),)),
    Fault("every 50th state only", End.DAMPED, (("go2.tick_gap", 50),)),
    Fault("not a number", End.DAMPED, (("go2.not_a_number", True),)),
    Fault("tilt", End.DAMPED, (("go2.tilt", 1.3),)),
    Fault("lost motor packets", End.DAMPED, (("go2.lost_rate", 1000.0),)),
    Fault("second writer", End.DAMPED, (("go2.second_writer", True),)),
    Fault("commands do not arrive", End.DAMPED, (("go2.deaf", True),)),
    Fault("hot motors", End.DOWN, (("go2.heat", 200.0),)),
    Fault("empty battery", End.DOWN, (("go2.drain", 2.0),)),
    Fault("low voltage", End.DOWN, (("go2.voltage_drop", 15.0),)),
    Fault("mode comes back", End.SILENT, (("go2.mode_returns", True),)),
    Fault("services silent", End.TOLERATED, (("go2.services_silent", True),)),
    Fault("arm: cable out", End.DOWN, (("piper.silent", True),)),
    Fault("arm: bus down", End.DOWN, (("piper.bus_down", True),)),
    Fault("arm: no power", End.DOWN, (("piper.unpowered", True),)),
    Fault("arm: driver error", End.DOWN, (("piper.arm_status", 5),)),
    Fault("arm: frames torn, late, twice", End.TOLERATED,
          (("piper.torn", 0.2), ("piper.late", 0.005), ("piper.duplicated", 0.2), ("piper.garbage", 0.2))),
    Fault("controller silent", End.DAMPED, commands_stop=True, indifferent=("STANDING_UP", "HOLD")),
    Fault("bridge killed", End.DAMPED, kill="bridge"),
    Fault("plant host killed", End.DAMPED, kill="host"),
)  # fmt: skip

MODES = ("PASSIVE", "STANDING_UP", "HOLD", "ACTIVE", "SITTING")
