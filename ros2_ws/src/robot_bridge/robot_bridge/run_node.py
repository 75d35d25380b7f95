"""How a node with a loop of its own runs as a process: signals, one-line errors, exit code."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from types import FrameType
from typing import Protocol

import rclpy
from rclpy.exceptions import InvalidParameterException, InvalidParameterTypeException, InvalidParameterValueException
from rclpy.executors import ExternalShutdownException
from rclpy.signals import SignalHandlerOptions

_MISTAKES = (InvalidParameterException, InvalidParameterTypeException, InvalidParameterValueException)


class Looped(Protocol):
    """A node that is turned by a loop."""

    def start(self) -> bool:
        """Begin; False where that is not possible (the node has said why)."""

    def turn(self) -> None:
        """Wait for the next step and take it."""

    def close(self) -> None:
        """Stop what was started and take the node down."""


def run_node(
    name: str, make: Callable[[], Looped], args: list[str] | None = None, errors: tuple[type[Exception], ...] = ()
) -> int:
    """Run a node until a signal.

    Args:
        name: begins the line that tells of an error.
        make: makes the node, once ROS is there.
        args: of the command line; None for those of this process.
        errors: exceptions that end the node with one line, beside parameters of a wrong kind.

    Returns:
        The exit code: 0 after a signal, 1 where it could not start or an error ended it.
    """
    stopping = False

    def stop(_: int, __: FrameType | None) -> None:
        nonlocal stopping
        stopping = True

    node: Looped | None = None
    told: tuple[type[Exception], ...] = (*_MISTAKES, *errors)
    try:
        # own handlers: those of rclpy shut the context down under a running callback, and before a plant is stopped
        rclpy.init(args=args, signal_handler_options=SignalHandlerOptions.NO)
        signal.signal(signal.SIGINT, stop)
        signal.signal(signal.SIGTERM, stop)
        node = make()
        if not node.start():
            return 1
        while not stopping:
            node.turn()
        return 0
    except ExternalShutdownException:
        return 0
    except told as error:
        print(f"{name}: {error}", file=sys.stderr)
        return 1
    finally:
        if node is not None:
            node.close()
        rclpy.try_shutdown()
