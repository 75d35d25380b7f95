"""What the sticks and buttons of a gamepad mean: read from a yaml file. ROS-free."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

Array = NDArray[np.float64]

AXES = ("forward", "left", "turn", "arm_forward", "arm_left", "arm_up")
BUTTONS = ("dead_man", "open", "close", "stand", "activate", "sit", "damp", "estop")
OPTIONAL = frozenset(BUTTONS) - {"dead_man", "estop"}
LARGEST_FILE = 100_000
"""bytes"""
MOST_INPUTS = 64


class JoyMapError(ValueError):
    """The file cannot be used; one line: which, what, what to do."""


@dataclass(frozen=True)
class JoyInput:
    """What a gamepad asks for now."""

    held: bool
    """The dead man's button."""
    base: Array
    """Forward, left, turn left, -1 to 1, shape (3,)."""
    arm: Array
    """Forward, left, up, -1 to 1, shape (3,)."""
    grip: float
    """1 opens, -1 closes."""
    pressed: frozenset[str]
    """Names of the buttons that are down."""


@dataclass(frozen=True)
class JoyMap:
    """Which axis and button is which."""

    axes: Mapping[str, tuple[int, float]]
    """Index and scale (-1 turns it round) by name."""
    buttons: Mapping[str, int]
    dead_zone: float = 0.1

    def read(self, axes: Sequence[float], buttons: Sequence[int]) -> JoyInput:
        """Return what a message of `/joy` asks for; what a gamepad lacks or sends as NaN counts as let go."""

        def axis(name: str) -> float:
            index, scale = self.axes[name]
            value = axes[index] if index < len(axes) else 0.0
            return scale * value if np.isfinite(value) and abs(value) > self.dead_zone else 0.0

        pressed = frozenset(name for name, index in self.buttons.items() if index < len(buttons) and buttons[index])
        values = np.clip(np.array([axis(name) for name in AXES]), -1.0, 1.0)
        grip = float("open" in pressed) - float("close" in pressed)
        return JoyInput("dead_man" in pressed, values[:3], values[3:], grip, pressed)


def load_joy_map(path: Path) -> JoyMap:
    """Read a mapping file. Raises JoyMapError."""
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise JoyMapError(f"{path} is too large for a gamepad's mapping")
        raw: Any = yaml.safe_load(path.read_text())
    except OSError as error:
        raise JoyMapError(f"{path} cannot be read ({error.strerror})") from None
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError):
        raise JoyMapError(f"{path} is no yaml file") from None
    if not isinstance(raw, dict) or set(raw) - {"axes", "buttons", "dead_zone"}:
        raise JoyMapError(f"{path}: it may hold axes, buttons and dead_zone")
    axes = {name: _axis(path, name, raw.get("axes")) for name in AXES}
    buttons: dict[str, int] = {}
    for name in BUTTONS:
        given = raw.get("buttons")
        index: Any = given.get(name) if isinstance(given, dict) else None
        if index is None and name in OPTIONAL:
            continue
        if not _is_index(index):
            raise JoyMapError(f"{path}: buttons.{name} must be a number from 0 to {MOST_INPUTS - 1}")
        buttons[name] = index
    if len(set(buttons.values())) != len(buttons):
        raise JoyMapError(f"{path}: two of the buttons have the same number")
    zone = raw.get("dead_zone", 0.1)
    if isinstance(zone, bool) or not isinstance(zone, (int, float)) or not 0.0 <= zone < 1.0:
        raise JoyMapError(f"{path}: dead_zone must be from 0 to 1")
    return JoyMap(axes, buttons, float(zone))


def _axis(path: Path, name: str, axes: object) -> tuple[int, float]:
    entry = axes.get(name) if isinstance(axes, dict) else None
    index, scale = (entry.get("axis"), entry.get("scale", 1.0)) if isinstance(entry, dict) else (None, 1.0)
    good = isinstance(scale, (int, float)) and not isinstance(scale, bool) and abs(scale) <= 1.0
    if not _is_index(index) or not good:
        raise JoyMapError(f"{path}: axes.{name} needs an axis from 0 to {MOST_INPUTS - 1} and a scale from -1 to 1")
    return int(index), float(scale)  # type: ignore[arg-type]


def _is_index(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < MOST_INPUTS
