"""The simulated robot: `ros2 launch moe_controller sim.launch.py`, arguments with `--show-args`."""

from launch import LaunchDescription
from moe_controller.graph.description import SIM_ARGUMENTS, sim_graph
from moe_controller.graph.launch_adapter import launch_description


def generate_launch_description() -> LaunchDescription:
    """Called by `ros2 launch`."""
    return launch_description(SIM_ARGUMENTS, sim_graph)
