"""Where the generated robot files lie, installed or in a checkout."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

_PACKAGE = Path(str(files("go2_piper_description")))  # a real folder: the packages are never run from a zip file

MJCF_PATH = _PACKAGE / "mjcf" / "go2_piper.xml"
"""MuJoCo model of the robot on a flat floor."""
URDF_PATH = _PACKAGE / "urdf" / "go2_piper.urdf"
"""The same robot for rviz2 and robot_state_publisher."""
