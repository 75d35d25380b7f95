"""Choose how MuJoCo renders: on a display, or off screen in software or on a GPU."""

from __future__ import annotations

import ctypes.util
import importlib
import os
import sys

_CONTEXT = "mujoco.rendering.classic.gl_context"


class RenderError(RuntimeError):
    """Nothing can be rendered here; the message says why and what to do, in one line."""


def has_display() -> bool:
    """Return whether there is a window system to show a window on."""
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def choose_offscreen() -> None:
    """Set MUJOCO_GL for off-screen rendering, unless the user did: OSMesa, which needs no GPU, or EGL.

    Raises:
        RenderError: if neither library is installed.
    """
    if os.environ.get("MUJOCO_GL"):
        return
    if ctypes.util.find_library("OSMesa"):
        os.environ["MUJOCO_GL"] = "osmesa"
    elif ctypes.util.find_library("EGL"):
        os.environ["MUJOCO_GL"] = "egl"
    else:
        raise RenderError("no OpenGL to render off screen: apt install libosmesa6 (or libegl1 for a GPU)")
    os.environ["PYOPENGL_PLATFORM"] = os.environ["MUJOCO_GL"]
    if _CONTEXT in sys.modules:  # MuJoCo looks at MUJOCO_GL only when it is imported, which has happened
        importlib.reload(sys.modules[_CONTEXT])
