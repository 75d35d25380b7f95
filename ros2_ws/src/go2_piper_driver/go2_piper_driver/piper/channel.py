"""The CAN channel before it is opened: does it exist, is it up, has it the right bit rate, does nobody else have it."""

from __future__ import annotations

import contextlib
import fcntl
import json
import subprocess
import tempfile
from pathlib import Path
from typing import IO

BITRATE = 1_000_000
"""bit/s of every Piper."""
SOCKETCAN = "socketcan"
_SYSFS = Path("/sys/class/net")
_ARPHRD_CAN = "280"


class ChannelError(ValueError):
    """The channel cannot be used; one line with what to do."""


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""


def _bitrate(channel: str) -> int | None:
    """Return the bit rate that the kernel has set, None where it does not say."""
    command = ["ip", "-details", "-json", "link", "show", channel]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=5, check=True).stdout
        return int(json.loads(answer)[0]["linkinfo"]["info_data"]["bittiming"]["bitrate"])
    except (OSError, subprocess.SubprocessError, ValueError, LookupError, TypeError):
        return None


def check_socketcan(channel: str) -> None:
    """Check a CAN device of the kernel.

    Raises:
        ChannelError: it is missing, no CAN device, down, or has another bit rate.
    """
    device = _SYSFS / channel
    up = f"sudo ip link set {channel} up type can bitrate {BITRATE}"
    if not channel or "/" in channel or not device.exists():
        found = sorted(path.name for path in _SYSFS.glob("*") if _read(path / "type") == _ARPHRD_CAN)
        raise ChannelError(
            f'no CAN device "{channel}" (found: {", ".join(found) or "none"}): plug the adapter in, then {up}'
        )
    if _read(device / "type") != _ARPHRD_CAN:
        raise ChannelError(f"{channel} is no CAN device: choose the one of the arm, such as can0")
    if _read(device / "operstate") != "up":
        raise ChannelError(f"CAN device {channel} is down: {up}")
    bitrate = _bitrate(channel)
    if bitrate is not None and bitrate != BITRATE:
        raise ChannelError(
            f"CAN device {channel} runs at {bitrate} bit/s, the arm at {BITRATE}: set it down, then {up}"
        )


def claim(interface: str, channel: str) -> IO[str]:
    """Claim a channel for as long as the returned file stays open; the end of the process frees it.

    Raises:
        ChannelError: another program of this project has it.
    """
    name = "".join(letter if letter.isalnum() else "_" for letter in f"{interface}_{channel}")
    path = Path(tempfile.gettempdir()) / f"go2_piper_arm_{name}.lock"
    try:
        file = path.open("a")
    except OSError as error:
        raise ChannelError(f"cannot open the lock file {path} ({error.strerror}): remove it") from error
    with contextlib.suppress(OSError):
        path.chmod(0o666)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        raise ChannelError(
            f"CAN channel {channel} is taken: another driver of the arm runs on this machine; stop it"
        ) from None
    return file
