"""Keys of a terminal. ROS-free."""

from __future__ import annotations

import contextlib
import os
import select
import sys
import termios
import tty
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

HELP = """\
base:    w/s forward, back   a/d left, right   q/e turn
arm:     i/k forward, back   j/l left, right   u/o up, down      [ ] close, open the gripper
gate:    1 stand   2 activate   3 sit   4 damp   r reset   SPACE emergency stop
t: begin or end a trajectory   y: send it   x or Ctrl-C: leave
Nothing moves unless a key is held."""

BASE = {"w": (1, 0, 0), "s": (-1, 0, 0), "a": (0, 1, 0), "d": (0, -1, 0), "q": (0, 0, 1), "e": (0, 0, -1)}
ARM = {"i": (1, 0, 0), "k": (-1, 0, 0), "j": (0, 1, 0), "l": (0, -1, 0), "u": (0, 0, 1), "o": (0, 0, -1)}
GRIP = {"]": 1.0, "[": -1.0}
SERVICES = {" ": "estop", "1": "stand", "2": "activate", "3": "sit", "4": "damp", "r": "reset"}
LEAVE = ("x", "\x03", "\x04")


def deflections(keys: str) -> tuple[Array, Array, float] | None:
    """Return base, arm and gripper deflections of the keys that came; None where none of them moves anything."""
    known = [key for key in keys if key in BASE or key in ARM or key in GRIP]
    if not known:
        return None
    base = np.sum([BASE[key] for key in set(known) & set(BASE)] or [(0, 0, 0)], axis=0)
    arm = np.sum([ARM[key] for key in set(known) & set(ARM)] or [(0, 0, 0)], axis=0)
    return base.astype(float), arm.astype(float), float(sum(GRIP[key] for key in set(known) & set(GRIP)))


@contextlib.contextmanager
def raw_terminal() -> Iterator[int]:
    """Give the terminal's keys one by one, and put it back as it was. Yields its file descriptor."""
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    try:
        tty.setcbreak(descriptor)
        yield descriptor
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


def waiting_keys(descriptor: int, patience: float) -> str | None:
    """Return the keys that have come within `patience`, s; empty for none, None where the terminal is gone."""
    if not select.select([descriptor], [], [], patience)[0]:
        return ""
    data = os.read(descriptor, 256)
    return data.decode("latin1") if data else None
