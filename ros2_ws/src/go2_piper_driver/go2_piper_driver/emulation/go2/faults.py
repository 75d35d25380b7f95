"""Faults of the emulated Go2, set by name."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any


@dataclass
class Go2Faults:
    """What is wrong with the emulated Go2. Zero, empty or False: nothing."""

    silent: bool = False
    """No LowState."""
    bad_crc: bool = False
    """LowState with a wrong checksum."""
    tick_gap: int = 0
    """Of this many states only the first is sent."""
    not_a_number: bool = False
    """A joint's velocity and the gyroscope are not numbers."""
    tilt: float = 0.0
    """rad about x, added to the reported orientation."""
    heat: float = 0.0
    """degrees C per s by which all motors warm up."""
    drain: float = 0.0
    """Of the battery's charge per s, 0 to 1."""
    voltage_drop: float = 0.0
    """V."""
    lost_rate: float = 0.0
    """Motor packets lost per s."""
    deaf: bool = False
    """Commands do not arrive."""
    services_silent: bool = False
    """No answers to requests."""
    release_fails: bool = False
    """The motion service keeps the motors."""
    mode_returns: bool = False
    """The motion service takes the motors back."""
    buttons: int = 0
    """Held on the remote control, as the bits of `go2.remote.Button`; no fault, but set in the same way."""
    second_writer: bool = False
    """Another writer of `rt/lowcmd` appears."""

    def set(self, name: str, value: Any) -> None:
        """Set one fault by name. Raises ValueError, in one line, for an unknown name or a wrong value."""
        known: dict[str, Any] = {item.name: item.default for item in fields(self)}
        if name not in known:
            raise ValueError(f"no fault {name}: there are {', '.join(known)}")
        kind = type(known[name])
        if isinstance(value, bool) != (kind is bool) or not isinstance(value, (bool, int, float)):
            raise ValueError(f"fault {name}: {value!r} is no {kind.__name__}")
        setattr(self, name, kind(value))
