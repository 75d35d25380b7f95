"""Turns the graph description into launch_ros actions. launch_ros is imported only when a launch file calls this."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from .description import Argument, GraphError, Node, ShareFile

Graph = Callable[[Mapping[str, str]], list[Node]]


def launch_description(arguments: Sequence[Argument], graph: Graph) -> Any:
    """Return a LaunchDescription with these arguments and the nodes that the graph has for their values."""
    from launch import LaunchDescription
    from launch.actions import DeclareLaunchArgument, OpaqueFunction
    from launch.substitutions import LaunchConfiguration

    declared = [
        DeclareLaunchArgument(
            argument.name,
            default_value=argument.default,
            description=argument.description,
            choices=list(argument.choices) or None,
        )
        for argument in arguments
    ]

    def start(context: Any) -> list[Any]:
        values = {argument.name: LaunchConfiguration(argument.name).perform(context) for argument in arguments}
        try:
            nodes = graph(values)
        except GraphError as error:
            raise RuntimeError(str(error)) from None  # ros2 launch shows the message
        return [action for node in nodes for action in _actions(node)]

    return LaunchDescription([*declared, OpaqueFunction(function=start)])


def _actions(node: Node) -> list[Any]:
    from launch.actions import LogInfo, Shutdown
    from launch_ros.actions import Node as RosNode

    if node.launch_only and not _installed(node.package):
        return [LogInfo(msg=f"{node.package} is not installed: {node.name} is left out")]
    action = RosNode(
        name=node.name,
        package=node.package,
        executable=node.executable,
        namespace=node.namespace or None,
        parameters=[dict(node.parameters)] if node.parameters else None,
        remappings=list(node.remaps.items()),
        arguments=[_argument(argument) for argument in node.arguments],
        output="screen",
        on_exit=[Shutdown(reason=f"{node.name} has ended")] if node.required else None,
    )
    return [action]


def _installed(package: str) -> bool:
    from ament_index_python.packages import PackageNotFoundError, get_package_prefix

    try:
        get_package_prefix(package)
    except PackageNotFoundError:
        return False
    return True


def _argument(argument: str | ShareFile) -> str:
    if isinstance(argument, str):
        return argument
    from ament_index_python.packages import get_package_share_directory

    return str(Path(get_package_share_directory(argument.package)) / argument.path)
