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
        return _in_order(nodes)

    return LaunchDescription([*declared, OpaqueFunction(function=start)])


def _in_order(nodes: Sequence[Node]) -> list[Any]:
    """Return the actions that start the first nodes, up to one that the others wait for, and in time the others."""
    from launch.actions import RegisterEventHandler
    from launch.event_handlers import OnProcessIO

    actions: list[Any] = []
    for index, node in enumerate(nodes):
        started = _actions(node)
        actions += started
        if not node.ready:
            continue
        others = iter([_in_order(nodes[index + 1 :])])

        def on_output(event: Any, node: Node = node, others: Any = others) -> Any:
            return next(others, None) if node.ready.encode() in event.text else None

        handler = OnProcessIO(target_action=started[0], on_stdout=on_output, on_stderr=on_output)
        return [RegisterEventHandler(handler), *actions]
    return actions


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
