"""Parameters of the bridge: their defaults, and how values from a user are checked. ROS-free."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from .gate_params import GateParams
from .plant_loader import option_defaults, plant_class

GATE_PREFIX = "gate."
PLANT_PREFIX = "plant_options."
_FOREIGN = ("use_sim_time", "start_type_description_service", "qos_overrides.")


@dataclass(frozen=True)
class BridgeParams:
    """Parameters of the node itself."""

    plant: str = "sim_bridge.mujoco_plant:MujocoPlant"
    """Plant class, module:Class."""
    rate: float = 200.0
    """Hz of reading, checking and writing."""
    speed: float = 0.0
    """Simulation time per wall time; 0: real time, or in lockstep as fast as it goes."""
    lockstep: bool = False
    """Let simulation time wait for commands."""
    wait_for_run_until: bool = False
    """In lockstep, also wait for `/sim/run_until`."""
    real_time: bool = False
    """Ask for real-time scheduling (`priority.py`)."""
    control_period: float = 0.02
    """s between the states that the controller uses; for lockstep."""
    command_patience: float = 2.0
    """s of wall time that lockstep waits for a command."""
    publish_clock: bool = True
    """Publish `/clock` if the plant is a simulation."""
    external_pose_topic: str = ""
    """geometry_msgs/PoseStamped of `base_link` in `odom`, in the place of what the plant says; empty for none."""
    discovery_time: float = 0.5
    """s to look for another bridge before starting."""

    def __post_init__(self) -> None:
        for name in ("rate", "control_period", "command_patience"):
            if not getattr(self, name) > 0.0:
                raise ValueError(f"{name} is {getattr(self, name)}: it must be above 0")
        for name in ("speed", "discovery_time"):
            if not getattr(self, name) >= 0.0:
                raise ValueError(f"{name} is {getattr(self, name)}: it must be 0 or more")


@dataclass(frozen=True)
class Settings:
    """All parameters of one bridge, checked."""

    bridge: BridgeParams
    gate: GateParams
    plant_class: Any
    plant_options: Mapping[str, Any]


def read_settings(given: Mapping[str, Any]) -> Settings:
    """Check what the user gave and fill in the defaults.

    Args:
        given: parameter values by full name, such as "gate.max_tilt".

    Raises:
        ValueError: in one line, for an unknown name or a value that cannot be.
        PlantError: if there is no such plant.
    """
    bridge_defaults = {item.name: item.default for item in fields(BridgeParams)}
    gate_defaults = {item.name: item.default for item in fields(GateParams)}
    bridge = BridgeParams(**{name: _value(given, name, default) for name, default in bridge_defaults.items()})
    gate = GateParams(**{name: _value(given, GATE_PREFIX + name, default) for name, default in gate_defaults.items()})
    found = plant_class(bridge.plant)
    plant_defaults = option_defaults(found)
    options = {name: _value(given, PLANT_PREFIX + name, default) for name, default in plant_defaults.items()}
    known = {*bridge_defaults, *(GATE_PREFIX + name for name in gate_defaults),
             *(PLANT_PREFIX + name for name in plant_defaults)}  # fmt: skip
    unknown = sorted(name for name in given if name not in known and not name.startswith(_FOREIGN))
    if unknown:
        near = difflib.get_close_matches(unknown[0], known, n=3, cutoff=0.4)
        hint = f"; did you mean {' or '.join(near)}?" if near else ""
        raise ValueError(f"unknown parameter {unknown[0]}{hint}")
    return Settings(bridge, gate, found, options)


def flat(settings: Settings) -> dict[str, Any]:
    """Return all parameters with their values, by full name."""
    return {
        **vars(settings.bridge),
        **{GATE_PREFIX + name: value for name, value in vars(settings.gate).items()},
        **{PLANT_PREFIX + name: value for name, value in settings.plant_options.items()},
    }


def _value(given: Mapping[str, Any], name: str, default: Any) -> Any:
    """Return the given value as the type of the default; a whole number may stand for a float."""
    if name not in given:
        return default
    value = given[name]
    if isinstance(default, float) and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if type(value) is not type(default):
        raise ValueError(f"parameter {name} is {value!r}: it must be of type {type(default).__name__}")
    return value
