"""Every parameter that the description passes is declared by its node: rclpy ignores those that are not."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import pytest
import rclpy
from moe_controller.graph.description import Node, sim_graph
from moe_controller.graph.supervisor import node_command

CLASSES = {
    "robot_bridge.bridge_node": "Bridge",
    "moe_controller.moe_controller_node": "MoeControllerNode",
    "cem_planner.cem_planner_node": "CemPlannerNode",
    "moe_controller.scenario.scenario_node": "OperatorNode",
    "sim_bridge.viewer_node": "Viewer",
    "moe_controller.reference.reference_node": "Reference",
    "moe_controller.recording.recorder_node": "RecorderNode",
    "moe_controller.cockpit.cockpit_node": "CockpitNode",
}

NODES = {
    node.name: node
    for controller in ("moe", "hybrid")
    for node in sim_graph({"scenario": "reach", "controller": controller, "record": "true", "cockpit": "true"})
    if node.module
}


@pytest.mark.parametrize(
    "node", [node for node in NODES.values() if node.module in CLASSES], ids=lambda node: node.name
)
def test_parameters_are_declared(node: Node, ros_domain: int, tmp_path: Path) -> None:
    arguments = node_command(node, tmp_path / "parameters.yaml")
    make: Callable[[], rclpy.node.Node] = getattr(import_module(node.module), CLASSES[node.module])
    rclpy.init(args=arguments)
    try:
        running = make()
        for name, value in node.parameters.items():
            assert running.has_parameter(name), f"{node.module} does not declare '{name}'"
            assert running.get_parameter(name).value == value
        running.destroy_node()
    finally:
        rclpy.try_shutdown()


def test_all_our_nodes_are_checked() -> None:
    ours = {node.module for node in NODES.values() if not node.launch_only}
    assert ours == set(CLASSES)
