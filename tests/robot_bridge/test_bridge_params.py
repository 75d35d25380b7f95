"""Parameters of the bridge: defaults, mistakes, the file for users."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from robot_bridge.bridge_params import flat, read_settings
from robot_bridge.plant import PlantError, SteppedPlant
from robot_bridge.plant_loader import make_plant, plant_class

CONFIG = Path(__file__).parents[2] / "ros2_ws/src/robot_bridge/config/bridge.yaml"


def config_values() -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, value in yaml.safe_load(CONFIG.read_text())["/**"]["ros__parameters"].items():
        group = {f"{name}.{key}": item for key, item in value.items()} if isinstance(value, dict) else {name: value}
        values.update(group)
    return values


def test_the_file_lists_the_defaults() -> None:
    defaults = flat(read_settings({}))
    for name, value in config_values().items():
        assert defaults[name] == value and type(defaults[name]) is type(value), name


def test_the_file_is_accepted() -> None:
    assert flat(read_settings(config_values())) == flat(read_settings({}))


def test_default_plant_is_stepped() -> None:
    settings = read_settings({})
    assert isinstance(make_plant(settings.plant_class, settings.plant_options), SteppedPlant)


def test_whole_numbers_stand_for_floats() -> None:
    settings = read_settings({"gate.max_tilt": 1, "rate": 100, "plant_options.command_delay": 0})
    assert settings.gate.max_tilt == 1.0 and isinstance(settings.bridge.rate, float)


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"gate.max_tlt": 1.0}, "unknown parameter gate.max_tlt; did you mean gate.max_tilt"),
        ({"plant_options.sed": 1}, "did you mean plant_options.seed"),
        ({"gate.max_tilt": "steep"}, "parameter gate.max_tilt is 'steep': it must be of type float"),
        ({"lockstep": 1}, "must be of type bool"),
        ({"plant_options.seed": True}, "must be of type int"),
        ({"rate": 0.0}, "rate is 0.0"),
        ({"speed": -1.0}, "speed is -1.0"),
        ({"gate.max_tilt": float("nan")}, "gate.max_tilt is nan"),
    ],
)
def test_mistakes_are_named(given: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=".") as caught:
        read_settings(given)
    assert text in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "entry", ["", "sim_bridge", "sim_bridge:", ":MujocoPlant", "no.such.module:Plant",
              "sim_bridge.mujoco_plant:Nothing", "robot_bridge.modes:Mode"],
)  # fmt: skip
def test_bad_plant_entries_are_named(entry: str) -> None:
    with pytest.raises(PlantError) as caught:
        plant_class(entry)
    assert f'plant "{entry}"' in str(caught.value) and "\n" not in str(caught.value)


def test_ros_parameters_are_left_alone() -> None:
    read_settings({"use_sim_time": True, "start_type_description_service": True})
