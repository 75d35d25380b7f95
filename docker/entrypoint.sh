#!/usr/bin/env bash
# Source ROS and the stack, then become the command.
set -eo pipefail
source /opt/ros/jazzy/setup.bash
source /opt/go2_piper/ros2_ws/install/setup.bash
exec "$@"
