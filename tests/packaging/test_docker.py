"""The images' recipes name only what the project has: they cannot be built where the tests run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import tomllib
import yaml
from moe_controller.graph.description import SIM_ARGUMENTS
from moe_controller.graph.real import REAL_ARGUMENTS

ROOT = Path(__file__).resolve().parents[2]
DOCKER = ROOT / "docker"
RECIPES = sorted(DOCKER.glob("*.Dockerfile"))
ARGUMENTS = {
    "sim.launch.py": {argument.name for argument in SIM_ARGUMENTS},
    "real_go2_piper.launch.py": {argument.name for argument in REAL_ARGUMENTS},
}


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.stem)
def test_copied_files_and_extras_exist(recipe: Path) -> None:
    text = recipe.read_text()
    for sources in re.findall(r"^COPY (.+) \S+$", text, re.MULTILINE):
        for source in sources.split():
            assert (ROOT / source).exists(), f"{recipe.name} copies {source}"
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    for names in re.findall(r"'\.\[([a-z,]+)\]'", text):
        assert set(names.split(",")) <= set(extras)


def test_services_launch_what_exists_with_arguments_that_exist() -> None:
    services = yaml.safe_load((DOCKER / "compose.yaml").read_text())["services"]
    launched = 0
    for name, service in services.items():
        command = service.get("command", [])
        if command[:2] != ["ros2", "launch"]:
            continue
        launched += 1
        file, given = command[3], {text.partition(":=")[0] for text in command[4:]}
        assert (ROOT / "launch" / file).is_file()
        assert given <= ARGUMENTS[file], f"{name}: {given - ARGUMENTS[file]}"
    assert launched == 2


def test_the_robots_service_has_what_the_hardware_needs() -> None:
    robot = yaml.safe_load((DOCKER / "compose.yaml").read_text())["services"]["robot"]
    assert robot["network_mode"] == "host", "DDS multicast and the host's CAN devices"
    assert robot["ulimits"]["rtprio"] > 0 and "SYS_NICE" in robot["cap_add"]
    assert robot["environment"]["RMW_IMPLEMENTATION"] == "rmw_fastrtps_cpp", "cyclonedds is the robot's side"
    assert int(robot["environment"]["ROS_DOMAIN_ID"].rpartition("-")[2].rstrip("}")) != 0
