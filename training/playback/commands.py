"""What the play commands have in common on the command line."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import torch

from .errors import USER_ERRORS

Arguments = TypeVar("Arguments")


def add_task_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that every player of trajectories has."""
    parser.add_argument("--moe_ckpt_path", type=Path, required=True, help="the mixture: .safetensors or .onnx")
    parser.add_argument("--trajectory_file_path", type=Path, help=".npz or UMI-style .pkl; random ones without it")
    parser.add_argument("--num_steps", type=int, help="control steps of 20 ms; the trajectory's length without it")
    parser.add_argument("--num_envs", type=int, default=1, help="robots at once, one trajectory each, in turn")
    parser.add_argument("--show_weights", action="store_true", help="print the weights once per simulated second")
    parser.add_argument("--visualize", action="store_true", help="open MuJoCo's window, where there is a display")
    parser.add_argument("--out", type=Path, help="folder for the files; runs/play/<date> without it")
    parser.add_argument("--seed", type=int, default=1)


def run_command(name: str, run: Callable[[Arguments], None], arguments: Arguments) -> int:
    """Run a command; mistakes of the user become one line. Return the exit status."""
    torch.set_num_threads(1)  # more threads only wait for each other with networks of this size
    try:
        run(arguments)
    except USER_ERRORS as error:
        print(f"{name}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"{name}: interrupted, nothing written", file=sys.stderr)
        return 130
    return 0
