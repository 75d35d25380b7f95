# The robot's computer: ROS 2 Jazzy, this stack, both SDKs, the planner on the CPU. Build from the repository's root:
#   docker build -f docker/runtime.Dockerfile -t go2-piper:runtime .
FROM ros:jazzy-ros-base

# a compiler and git for unitree_sdk2py from source; iproute2 for `ip link` on the CAN device; osmesa for films
RUN apt-get update && apt-get install --yes --no-install-recommends \
        build-essential git iproute2 libosmesa6 python3-pip ros-jazzy-robot-state-publisher \
    && rm -rf /var/lib/apt/lists/*

# nodes run in ROS's own Python, so the packages go beside it; Ubuntu guards that place against pip
ENV PIP_BREAK_SYSTEM_PACKAGES=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /opt/go2_piper
COPY pyproject.toml README.md LICENSE ./
COPY ros2_ws ros2_ws
COPY training training
COPY launch launch
COPY models models
RUN pip install --ignore-installed '.[planner,cockpit,real]'
# not on PyPI; -e keeps a library that it needs, --no-deps its pin of an old cyclonedds away (docs/hardware.md)
RUN pip install --no-deps --src /opt -e \
    "git+https://github.com/unitreerobotics/unitree_sdk2_python@37116c521f1588482e238d8450e471ba78ab9863#egg=unitree_sdk2py"
RUN . /opt/ros/jazzy/setup.sh && cd ros2_ws && colcon build

COPY docker/entrypoint.sh /entrypoint.sh
ENTRYPOINT ["/entrypoint.sh"]
CMD ["ros2", "launch", "moe_controller", "real_go2_piper.launch.py", "emulate:=true"]
