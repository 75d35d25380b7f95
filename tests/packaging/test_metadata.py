"""Version, description, licence and executables agree among package.xml, setup.py and pyproject.toml."""

from __future__ import annotations

import ast
import xml.etree.ElementTree as ET
from functools import cache
from pathlib import Path
from typing import Any

import pytest

try:
    import tomllib
except ModuleNotFoundError:  # Python 3.10
    import tomli as tomllib  # type: ignore[no-redef]

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = sorted(path.parent.name for path in (ROOT / "ros2_ws" / "src").glob("*/package.xml"))


def _folder(package: str) -> Path:
    return ROOT / "ros2_ws" / "src" / package


@cache
def _pyproject() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


def _package_xml(package: str) -> ET.Element:
    return ET.parse(_folder(package) / "package.xml").getroot()


def _setup_keyword(package: str, keyword: str) -> ast.expr:
    """Return one argument of the setup() call, without running it."""
    tree = ast.parse((_folder(package) / "setup.py").read_text("utf-8"))
    calls = [n for n in ast.walk(tree) if isinstance(n, ast.Call) and getattr(n.func, "id", "") == "setup"]
    (value,) = [k.value for k in calls[0].keywords if k.arg == keyword]
    return value


def _setup_text(package: str, keyword: str) -> str:
    return str(ast.literal_eval(_setup_keyword(package, keyword)))


def test_every_package_is_here() -> None:
    assert {"go2_piper_description", "robot_bridge", "sim_bridge", "cem_planner", "moe_controller"} <= set(PACKAGES)
    where = _pyproject()["tool"]["setuptools"]["packages"]["find"]["where"]
    assert {f"ros2_ws/src/{package}" for package in PACKAGES} <= set(where)


@pytest.mark.parametrize("package", PACKAGES)
def test_metadata_agree(package: str) -> None:
    manifest, project = _package_xml(package), _pyproject()["project"]
    assert manifest.findtext("name") == package
    assert manifest.findtext("version") == _setup_text(package, "version") == project["version"]
    assert manifest.findtext("license") == _setup_text(package, "license") == project["license"]
    assert manifest.findtext("description") == _setup_text(package, "description")
    maintainer = manifest.find("maintainer")
    assert maintainer is not None
    assert maintainer.text == _setup_text(package, "maintainer")
    assert maintainer.get("email") == _setup_text(package, "maintainer_email")


@pytest.mark.parametrize("package", PACKAGES)
def test_package_data_agree(package: str) -> None:
    data = _setup_keyword(package, "package_data")
    assert isinstance(data, ast.Dict)
    (patterns,) = data.values
    wanted = _pyproject()["tool"]["setuptools"]["package-data"][package]
    assert sorted(ast.literal_eval(patterns)) == sorted(wanted)


@pytest.mark.parametrize("package", PACKAGES)
def test_executables_go_where_ros2_run_looks(package: str) -> None:
    text = (_folder(package) / "setup.cfg").read_text("utf-8")
    assert f"script_dir=$base/lib/{package}" in text
    assert f"install_scripts=$base/lib/{package}" in text


@pytest.mark.parametrize("package", PACKAGES)
def test_executables_exist(package: str) -> None:
    scripts = ast.literal_eval(_setup_keyword(package, "entry_points"))["console_scripts"]
    for script in scripts:
        executable, _, target = script.partition(" = ")
        module, _, function = target.partition(":")
        path = _folder(package) / (module.replace(".", "/") + ".py")
        assert path.stem == executable
        assert f"def {function}(" in path.read_text("utf-8")


@pytest.mark.parametrize("package", PACKAGES)
def test_imported_ros_packages_are_declared(package: str) -> None:
    """What a package imports and ROS provides stands in its package.xml."""
    declared = {element.text for element in _package_xml(package).findall("exec_depend")}
    ros = {"rclpy", "launch", "launch_ros", *PACKAGES}
    imported = set()
    for path in (_folder(package) / package).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = [node.module] if isinstance(node, ast.ImportFrom) and node.level == 0 else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            imported |= {str(name).split(".")[0] for name in names}
    used = {n for n in imported if n in ros or n.endswith(("_msgs", "_srvs", "_interfaces"))} - {package}
    assert used <= declared


@pytest.mark.parametrize(("link", "target"), [("launch", "launch"), ("models", "models")])
def test_shared_folders_are_relative_links(link: str, target: str) -> None:
    path = _folder("moe_controller") / link
    assert path.is_symlink()
    assert not path.readlink().is_absolute()
    assert path.resolve() == ROOT / target
