"""The parameter file for users lists the defaults, all of them, by the names of the node."""

from __future__ import annotations

import re
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import yaml
from cem_planner.costs import Weights
from cem_planner.factory import Rollouts
from cem_planner.settings import PlannerSettings

SOURCES = Path(__file__).parents[2] / "ros2_ws/src"
CONFIG = SOURCES / "cem_planner/config/cem_planner.yaml"
VALUES: dict[str, Any] = yaml.safe_load(CONFIG.read_text())["/**/cem_planner"]["ros__parameters"]


@pytest.mark.parametrize(
    ("group", "defaults"), [("planner", PlannerSettings()), ("weights", Weights()), ("rollouts", Rollouts())]
)
def test_groups_are_the_defaults(group: str, defaults: Any) -> None:
    assert VALUES[group] == asdict(defaults)
    for name, value in VALUES[group].items():  # ROS takes no whole number for a float
        assert type(value) is type(asdict(defaults)[name]), name


def test_the_other_names_and_values_are_those_that_the_node_declares() -> None:
    declared: dict[str, str] = {}
    for source in ("cem_planner/cem_planner/cem_planner_node.py", "moe_controller/moe_controller/control_node.py"):
        text = (SOURCES / source).read_text()
        declared |= dict(re.findall(r'self\._declare\(\s*"(\w+)", ([^,\]]+\]?),', text))
    plain = {name: value for name, value in VALUES.items() if not isinstance(value, dict)}
    assert set(plain) == set(declared)
    for name, value in plain.items():
        default = {"_AUTOMATIC": "-1.0"}.get(declared[name], declared[name]).replace('"', "'")
        assert repr(value) == default, name
