"""Builds this package with colcon; `pip install` uses the root pyproject.toml instead."""

from glob import glob

from setuptools import find_packages, setup

NAME = "go2_piper_description"

setup(
    name=NAME,
    version="0.1.0",
    description="The Unitree Go2 + AgileX Piper robot: joint and link tables, MJCF, URDF and the arm's kinematics",
    license="Apache-2.0",
    maintainer="go2-piper-stack maintainers",
    maintainer_email="go2-piper-stack@example.com",
    packages=find_packages(include=[NAME, f"{NAME}.*"]),
    package_data={NAME: ["py.typed", "mjcf/*.xml", "urdf/*.urdf"]},
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{NAME}"]),
        (f"share/{NAME}", ["package.xml"]),
        (f"share/{NAME}/urdf", glob("go2_piper_description/urdf/*.urdf")),
        (f"share/{NAME}/mjcf", glob("go2_piper_description/mjcf/*.xml")),
    ],
    install_requires=["setuptools"],
    zip_safe=False,
    entry_points={"console_scripts": []},
)
