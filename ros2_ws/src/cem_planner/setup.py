"""Builds this package with colcon; `pip install` uses the root pyproject.toml instead."""

from glob import glob

from setuptools import find_packages, setup

NAME = "cem_planner"

setup(
    name=NAME,
    version="0.1.0",
    description="Sampling-based whole-body planner: splines, CEM, costs, rollout backends and their AOT cache",
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
    entry_points={"console_scripts": ["cem_planner_node = cem_planner.cem_planner_node:main"]},
)
