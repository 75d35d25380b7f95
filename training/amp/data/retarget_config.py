"""How clips of one body become motion of another: the YAML files in `retarget/`."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import yaml
from numpy.typing import NDArray

from ...structured import ConfigError, from_dict

FOLDER = Path(__file__).parent / "retarget"
"""The configurations of this project; elsewhere a file of the user's own."""

Vector = tuple[float, float, float]
_AXES = {
    f"{sign}{name}": value * np.eye(3)[i] for i, name in enumerate("xyz") for sign, value in (("", 1.0), ("-", -1.0))
}


@dataclass(frozen=True)
class JointMap:
    """A scalar joint out of a scalar joint: sign * scale * (source) + offset."""

    source: str
    sign: float = 1.0
    offset: float = 0.0
    """rad"""
    scale: float = 1.0

    def __post_init__(self) -> None:
        if self.sign not in (-1.0, 1.0):
            raise ValueError("sign must be 1 or -1")


@dataclass(frozen=True)
class TurnMap:
    """One hinge, or three that act as a ball joint, out of the ball joints of a body model."""

    joints: tuple[str, ...]
    """Of the robot: one, or three in the order in which they follow one another from the trunk outwards."""
    axes: str
    """Axis of each joint at its positive sign, in the robot's own frame: such as Z, or ZXY."""
    sources: tuple[str, ...]
    """Ball joints whose turns are put together, from the trunk outwards."""
    signs: tuple[float, ...] = ()
    """1 or -1 of each joint; empty for all 1."""
    offsets: tuple[float, ...] = ()
    """rad, added to each joint; empty for none."""
    rest: Vector = (0.0, 0.0, 0.0)
    """Turn (rotation vector, rad, robot's frame) of the part from the robot's zero pose to the body model's."""
    parent_rest: Vector = (0.0, 0.0, 0.0)
    """The same for the part that it hangs on."""

    def __post_init__(self) -> None:
        if len(self.joints) not in (1, 3) or len(self.axes) != len(self.joints) or set(self.axes) - set("XYZ"):
            raise ValueError("one or three joints are wanted, with as many axes out of X, Y, Z")
        if len(self.axes) == 3 and (self.axes[0] == self.axes[1] or self.axes[1] == self.axes[2]):
            raise ValueError("joints that follow one another cannot have the same axis")
        if not self.sources:
            raise ValueError("no sources")
        if self.signs and (len(self.signs) != len(self.joints) or set(self.signs) - {-1.0, 1.0}):
            raise ValueError("signs must be 1 or -1, one for each joint")
        if self.offsets and len(self.offsets) != len(self.joints):
            raise ValueError("one offset for each joint is wanted")


@dataclass(frozen=True)
class RootMap:
    """The root's way and frame."""

    scale: float = 1.0
    """Of the way: the ratio of leg lengths keeps strides natural."""
    height: float = 0.0
    """m, added."""
    axes: tuple[str, str, str] = ("x", "y", "z")
    """The robot root's x, y and z axes as axes of the source's root, such as [z, y, -x]."""

    def __post_init__(self) -> None:
        if not self.scale > 0.0:
            raise ValueError("scale must be above 0")
        if set(self.axes) - set(_AXES) or not np.isclose(np.linalg.det(self.matrix), 1.0):
            raise ValueError(f"axes {list(self.axes)} are no right-handed frame out of x, -x, y, -y, z, -z")

    @property
    def matrix(self) -> NDArray[np.float64]:
        """Source root <- robot root, (3, 3)."""
        return np.stack([_AXES[name] for name in self.axes], axis=1)


@dataclass(frozen=True)
class KeyBody:
    """A part whose place is to be met by inverse kinematics."""

    source: str
    """Body or site of the clip's file, with its positions."""
    scale: float = 1.0
    """Of its distance from the root."""
    offset: Vector = (0.0, 0.0, 0.0)
    """m, in the robot root's frame."""


@dataclass(frozen=True)
class RetargetConfig:
    """A whole mapping. Every joint of the robot needs a source, unless `others` is home."""

    robot: str
    """Environment id, such as Go2Piper.walk.mocap."""
    rate: float = 50.0
    """Frames per s of the result; the control rate of the training."""
    same_names: bool = False
    """Joints of the robot without a map take the source's joint of their own name."""
    joints: dict[str, JointMap] = field(default_factory=dict)
    turns: tuple[TurnMap, ...] = ()
    hold: dict[str, float] = field(default_factory=dict)
    """Joints that stay at a position, rad."""
    others: Literal["refuse", "home"] = "refuse"
    """Joints without any source: refused, or held at the robot's home pose."""
    root: RootMap = field(default_factory=RootMap)
    key_bodies: dict[str, KeyBody] = field(default_factory=dict)
    """Key sites or bodies of the robot to be met by inverse kinematics, after joints were mapped."""
    low_pass: float = 0.0
    """Hz, of positions, before they are resampled; 0 for none."""
    velocities: Literal["differences", "source"] = "differences"
    """Out of the result's positions, or those of the clips (which then must be known and not smoothed)."""
    ground: bool = True
    """Shift each clip so that its lowest part stands on the floor."""
    clip_to_limits: bool = True

    def __post_init__(self) -> None:
        if not self.rate > 0.0 or self.low_pass < 0.0:
            raise ValueError("rate must be above 0, low_pass at least 0")
        choices = {"others": ("refuse", "home"), "velocities": ("differences", "source")}
        for name, allowed in choices.items():
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} must be one of {', '.join(allowed)}")
        mapped = [*self.joints, *self.hold, *(joint for turn in self.turns for joint in turn.joints)]
        twice = sorted({name for name in mapped if mapped.count(name) > 1})
        if twice:
            raise ValueError(f"{', '.join(twice)}: mapped more than once")
        if self.velocities == "source" and (self.turns or self.key_bodies or self.low_pass):
            raise ValueError("velocities of the source do not fit with turns, key_bodies or low_pass: use differences")


def load_retarget_config(name: str) -> RetargetConfig:
    """Read a configuration: a YAML file, or the name of one of this project's. Raises ConfigError."""
    own = FOLDER / f"{name}.yaml"
    path = own if Path(name).name == name and own.is_file() else Path(name)
    try:
        data = yaml.safe_load(path.read_text())
    except OSError as error:
        known = ", ".join(sorted(file.stem for file in FOLDER.glob("*.yaml")))
        raise ConfigError(f"config {name}: {error.strerror}; this project has {known}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"config {path} is no YAML ({' '.join(str(error).split())[:120]})") from None
    try:
        return from_dict(RetargetConfig, data or {})
    except ConfigError as error:
        raise ConfigError(f"config {path}: {error}") from None
