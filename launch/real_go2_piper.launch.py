"""The real robot: `ros2 launch moe_controller real_go2_piper.launch.py interface:=eth0`, or with `emulate:=true`."""

from launch import LaunchDescription
from moe_controller.graph.launch_adapter import launch_description
from moe_controller.graph.real import REAL_ARGUMENTS, real_graph


def generate_launch_description() -> LaunchDescription:
    """Called by `ros2 launch`."""
    return launch_description(REAL_ARGUMENTS, real_graph)
