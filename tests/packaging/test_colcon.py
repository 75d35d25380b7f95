"""`colcon build` installs what `ros2 run` and `ros2 launch` look for, with and without --symlink-install."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
WORKSPACE = ROOT / "ros2_ws"
NODES = {
    "robot_bridge": ["bridge_node"],
    "sim_bridge": ["viewer_node"],
    "go2_piper_driver": ["emulated_robot"],
    "cem_planner": ["cem_planner_node"],
    "moe_controller": [
        "moe_controller_node",
        "scenario_node",
        "recorder_node",
        "cockpit_node",
        "reference_node",
        "keyboard_node",
        "joy_teleop_node",
        "send_trajectory_node",
    ],
}
PACKAGES = ["go2_piper_description", *NODES]
TIME_LIMIT = 300
"""s, ends a build that hangs."""

pytestmark = [
    pytest.mark.skipif(shutil.which("colcon", path=str(Path(sys.executable).parent)) is None, reason="no colcon here"),
]


@pytest.fixture(scope="module", params=["install", pytest.param("symlink-install", marks=pytest.mark.slow)])
def installed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return the install folder of a fresh build outside the repository."""
    folder = tmp_path_factory.mktemp("colcon")
    places = ["--build-base", str(folder / "build"), "--install-base", str(folder / "install")]
    symlink = ["--symlink-install"] if request.param == "symlink-install" else []
    command = [sys.executable, "-m", "colcon", "--log-base", str(folder / "log"), "build", *places, *symlink]
    result = subprocess.run(command, cwd=WORKSPACE, capture_output=True, text=True, timeout=TIME_LIMIT)
    assert result.returncode == 0, result.stdout + result.stderr
    yield folder / "install"
    shutil.rmtree(folder, ignore_errors=True)


def _sourced(installed: Path, command: str) -> str:
    """Run a command in a shell that sourced the workspace, away from the repository."""
    shell = f'. "{installed}/local_setup.sh" && {command}'
    result = subprocess.run(
        ["sh", "-c", shell], cwd=installed, capture_output=True, text=True, timeout=TIME_LIMIT, env=_environment()
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def _environment() -> dict[str, str]:
    keep = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "AMENT_PREFIX_PATH")}
    return keep | {"COLCON_PYTHON_EXECUTABLE": sys.executable}


@pytest.mark.parametrize("package", PACKAGES)
def test_package_is_in_the_ament_index(installed: Path, package: str) -> None:
    prefix = installed / package
    assert (prefix / "share/ament_index/resource_index/packages" / package).is_file()
    assert (prefix / "share" / package / "package.xml").is_file()
    assert str(prefix) in _sourced(installed, 'echo "$AMENT_PREFIX_PATH"')


@pytest.mark.parametrize(("package", "node"), [(p, node) for p, nodes in NODES.items() for node in nodes])
def test_node_is_where_ros2_run_looks(installed: Path, package: str, node: str) -> None:
    script = installed / package / "lib" / package / node
    assert os.access(script, os.X_OK)


def test_packages_import_from_the_install_folder(installed: Path) -> None:
    code = f"import {', '.join(PACKAGES)}; print(*(m.__file__ for m in ({', '.join(PACKAGES)})), sep='\\n')"
    files = _sourced(installed, f'"{sys.executable}" -c "{code}"').split()
    assert len(files) == len(PACKAGES)
    for file in files:
        assert Path(file).is_relative_to(installed.parent), file


def test_robot_files_are_installed(installed: Path) -> None:
    code = "from go2_piper_description.paths import *; print(MJCF_PATH.is_file(), URDF_PATH.is_file())"
    assert _sourced(installed, f'"{sys.executable}" -c "{code}"').split() == ["True", "True"]
    share = installed / "go2_piper_description/share/go2_piper_description"
    assert (share / "urdf/go2_piper.urdf").is_file()
    assert (share / "mjcf/go2_piper.xml").is_file()


@pytest.mark.parametrize("folder", ["launch", "models", "rviz", "config"])
def test_shared_folder_is_installed_whole(installed: Path, folder: str) -> None:
    source = WORKSPACE / "src/moe_controller" / folder
    wanted = {p.relative_to(source) for p in source.rglob("*") if p.is_file() and "__pycache__" not in p.parts}
    share = installed / "moe_controller/share/moe_controller" / folder
    assert {path for path in wanted if not path.name.startswith(".")} == {
        path.relative_to(share) for path in share.rglob("*") if path.is_file()
    }
