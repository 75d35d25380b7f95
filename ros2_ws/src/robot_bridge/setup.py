"""Builds this package with colcon; `pip install` uses the root pyproject.toml instead."""

from glob import glob

from setuptools import find_packages, setup

NAME = "robot_bridge"

setup(
    name=NAME,
    version="0.1.0",
    description="The one door between ROS and a robot: plant interface, safety gate and the bridge node",
    license="Apache-2.0",
    maintainer="go2-piper-stack maintainers",
    maintainer_email="go2-piper-stack@example.com",
    packages=find_packages(include=[NAME, f"{NAME}.*"]),
    package_data={NAME: ["py.typed"]},
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{NAME}"]),
        (f"share/{NAME}", ["package.xml"]),
        (f"share/{NAME}/config", glob("config/*.yaml")),
    ],
    install_requires=["setuptools"],
    zip_safe=False,
    entry_points={
        "console_scripts": [
            "bridge_node = robot_bridge.bridge_node:main",
            "odom_tf_node = robot_bridge.odom_tf_node:main",
        ]
    },
)
