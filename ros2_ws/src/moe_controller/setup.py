"""Builds this package with colcon; `pip install` uses the root pyproject.toml instead.

`launch` and `models` are links to the folders of the repository's root, so that `ros2 launch` finds them.
"""

import os

from setuptools import find_packages, setup

NAME = "moe_controller"


def share(folder: str) -> list[tuple[str, list[str]]]:
    """Return the data files that install a folder with its subfolders under share/moe_controller.

    Args:
        folder: path relative to this file, which is also its place below the share folder.
    """
    found = []
    for root, folders, names in os.walk(folder, followlinks=True):
        folders[:] = sorted(name for name in folders if name != "__pycache__")
        files = [os.path.join(root, name) for name in sorted(names) if not name.startswith(".")]
        if files:
            found.append((os.path.join("share", NAME, root), files))
    return found


setup(
    name=NAME,
    version="0.1.0",
    description="The mixture-of-experts controller: contract, observation, ONNX policy, node, launch files and models",
    license="Apache-2.0",
    maintainer="go2-piper-stack maintainers",
    maintainer_email="go2-piper-stack@example.com",
    packages=find_packages(include=[NAME, f"{NAME}.*"]),
    package_data={NAME: ["py.typed", "graph/*.xml"]},
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{NAME}"]),
        (f"share/{NAME}", ["package.xml"]),
        *share("launch"),
        *share("models"),
        *share("config"),
        *share("rviz"),
    ],
    install_requires=["setuptools"],
    zip_safe=False,
    entry_points={
        "console_scripts": [
            "moe_controller_node = moe_controller.moe_controller_node:main",
            "cockpit_node = moe_controller.cockpit.cockpit_node:main",
            "joy_teleop_node = moe_controller.teleop.joy_teleop_node:main",
            "keyboard_node = moe_controller.teleop.keyboard_node:main",
            "recorder_node = moe_controller.recording.recorder_node:main",
            "reference_node = moe_controller.reference.reference_node:main",
            "scenario_node = moe_controller.scenario.scenario_node:main",
            "send_trajectory_node = moe_controller.teleop.send_trajectory_node:main",
        ]
    },
)
