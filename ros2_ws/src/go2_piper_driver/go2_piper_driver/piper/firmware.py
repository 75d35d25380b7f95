"""What the arm's firmware can do: its version, and the bands in which frames mean the same."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

Version = tuple[int, int, int]

_PATTERN = re.compile(rb"S-V(\d{1,3})\.(\d{1,3})-(\d{1,3})")


class FirmwareError(ValueError):
    """The firmware is unknown or cannot be used; one line."""


@dataclass(frozen=True)
class Band:
    """Firmware versions whose frames mean the same."""

    first: Version
    last: Version
    mit_scale: tuple[float, ...] | None
    """Torque that joint 1 to 6 makes of 1 N m sent in MIT mode; None where this is not known, and MIT is refused."""
    effort_scale: tuple[float, ...]
    """Factor on the torque that follows from the motor currents."""
    why_no_mit: str = ""


_ONE = (1.0,) * 6
_FOUR = (4.0, 4.0, 4.0, 1.0, 1.0, 1.0)

BANDS = (
    Band((1, 5, 2), (1, 7, 2), None, _FOUR, "it turns joints 1, 2, 4 and 6 the other way in MIT mode"),
    Band((1, 7, 3), (1, 8, 2), _FOUR, _FOUR),
    Band((1, 8, 3), (1, 8, 7), None, _ONE, "its torque scale in MIT mode is not known"),
    Band((1, 8, 8), (1, 8, 99), None, _ONE, "its MIT frames have another layout than piper_sdk 0.6.2 sends"),
)
"""Sources: sign and first version of MIT mode from piper_control 1.5.0 and the SDK's comments; the factor 4 from the
SDK's questions and answers; the 12-bit layout from piper_sdk 0.7.0a1. What a band says of currents and torques was
never seen on an arm."""


@dataclass(frozen=True)
class Firmware:
    """A known firmware."""

    text: str
    """Such as "S-V1.8-2"."""
    version: Version
    band: Band


def find_firmware(stream: bytes) -> str | None:
    """Return the version text in the arm's answer, or None.

    piper_sdk takes eight characters, so that 1.8-10 would read as 1.8-1; here the whole number counts. Call this only
    with a complete answer.
    """
    match = _PATTERN.search(stream)
    return match.group().decode("ascii") if match else None


@lru_cache(maxsize=16)
def known_firmware(text: str) -> Firmware:
    """Return the firmware of a version text.

    Raises:
        FirmwareError: it is not one that this driver knows.
    """
    match = _PATTERN.fullmatch(text.encode("ascii", "replace"))
    if match is None:
        raise FirmwareError(f'firmware "{text}" is no Piper version: it should look like S-V1.8-2')
    version = (int(match[1]), int(match[2]), int(match[3]))
    for band in BANDS:
        if band.first <= version <= band.last:
            return Firmware(text, version, band)
    first, last = (f"S-V{v[0]}.{v[1]}-{v[2]}" for v in (BANDS[0].first, BANDS[-1].last))
    raise FirmwareError(f"firmware {text} is unknown to this driver, which knows {first} to {last}; no motion")


def mit_scale(firmware: Firmware) -> tuple[float, ...]:
    """Return the torque that joints 1 to 6 make of 1 N m sent in MIT mode.

    Raises:
        FirmwareError: MIT mode must not be used with this firmware.
    """
    if firmware.band.mit_scale is None:
        raise FirmwareError(f"no MIT mode with firmware {firmware.text}: {firmware.band.why_no_mit}; use position mode")
    return firmware.band.mit_scale
