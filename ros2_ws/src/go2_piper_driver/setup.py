"""Builds this package with colcon; `pip install` uses the root pyproject.toml instead."""

from setuptools import find_packages, setup

NAME = "go2_piper_driver"

setup(
    name=NAME,
    version="0.1.0",
    description="The real robot behind the bridge: drivers of Go2 and Piper, emulated hardware, state estimation",
    license="Apache-2.0",
    maintainer="go2-piper-stack maintainers",
    maintainer_email="go2-piper-stack@example.com",
    packages=find_packages(include=[NAME, f"{NAME}.*"]),
    package_data={NAME: ["py.typed"]},
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{NAME}"]),
        (f"share/{NAME}", ["package.xml"]),
    ],
    install_requires=["setuptools"],
    zip_safe=False,
    entry_points={
        "console_scripts": ["emulated_robot = go2_piper_driver.emulation.emulated_robot:main"],
        "can.interface": ["loopcan = go2_piper_driver.emulation.can.loopcan:LoopcanBus"],
    },
)
