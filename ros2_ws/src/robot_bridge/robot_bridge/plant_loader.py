"""Find a plant class by its entry "module:Class" and its options, which are a frozen dataclass `Class.Options`."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from .plant import Plant, PlantError


def plant_class(entry: str) -> Any:
    """Return the class.

    Raises:
        PlantError: in one line, if there is no such module or class or it is not a plant.
    """
    module_name, separator, class_name = entry.partition(":")
    if not (module_name and separator and class_name):
        raise PlantError(f'plant "{entry}": write it as module:Class, such as sim_bridge.mujoco_plant:MujocoPlant')
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        raise PlantError(f'plant "{entry}": cannot import {module_name} ({error})') from error
    found = getattr(module, class_name, None)
    if not (isinstance(found, type) and all(hasattr(found, name) for name in ("start", "stop", "read", "write"))):
        raise PlantError(f'plant "{entry}": {module_name} has no plant class {class_name}')
    return found


def option_defaults(found: Any) -> dict[str, Any]:
    """Return the options of a plant class with their defaults."""
    options = getattr(found, "Options", None)
    return {} if options is None else {item.name: item.default for item in fields(options)}


def make_plant(found: Any, values: Mapping[str, Any]) -> Plant:
    """Return a plant with the given options. Raises PlantError, in one line, if it cannot be made."""
    options = getattr(found, "Options", None)
    plant: Plant = found() if options is None else found(options(**values))
    return plant
