"""Colours of the primitive shapes, the same in MJCF and URDF."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

INVISIBLE = "none"
"""Material of shapes that only collide."""

MATERIALS: Mapping[str, str] = MappingProxyType(
    {
        "shell": "0.86 0.87 0.89 1",
        "dark": "0.16 0.17 0.19 1",
        "light": "0.35 0.37 0.41 1",
        "metal": "0.62 0.64 0.67 1",
        "foot": "0.06 0.06 0.07 1",
        INVISIBLE: "0 0 0 0",
    }
)
"""Name -> red, green, blue, alpha, each 0 to 1."""
