"""What the commands of the motion data have in common."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import Progress

from ...structured import ConfigError
from ..motion import MotionError

USER_ERRORS: tuple[type[Exception], ...] = (MotionError, ConfigError)
"""Errors whose message is for the user, without a traceback."""


def run_command(
    name: str,
    run: Callable[[argparse.Namespace], int],
    arguments: argparse.Namespace,
    others: tuple[type[Exception], ...] = (),
) -> int:
    """Run a command. Return the exit status; 2, with one line, for mistakes of the user.

    Args:
        name: of the command.
        run: does it.
        arguments: of the command line.
        others: errors for the user beside USER_ERRORS.
    """
    try:
        return run(arguments)
    except (*USER_ERRORS, *others) as error:
        print(f"{name}: {error}", file=sys.stderr)
    except OSError as error:
        print(f"{name}: {error.filename or 'file'}: {error.strerror or error}", file=sys.stderr)
    except KeyboardInterrupt:
        print(f"{name}: interrupted", file=sys.stderr)
        return 130
    return 2


@contextmanager
def progress(console: Console, title: str) -> Iterator[Callable[[float], None]]:
    """Show a bar; the block calls what it gets with the part that is done, 0 to 1."""
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(title, total=1.0)
        yield lambda done: bar.update(task, completed=done)
