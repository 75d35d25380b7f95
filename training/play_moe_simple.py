"""Play a mixture of experts along a trajectory and look at its weights: a table, and two plots.

`python -m training.play_moe_simple --moe_ckpt_path MOE --trajectory_file_path FILE`
"""

from __future__ import annotations

import argparse
import sys

from .playback.commands import add_task_options, run_command
from .playback.policies import load_mixture
from .playback.session import Look, default_out, play_trajectories


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m training.play_moe_simple", description=__doc__.splitlines()[0])
    add_task_options(parser)
    return parser


def _run(args: argparse.Namespace) -> None:
    policy = load_mixture(args.moe_ckpt_path)
    look = Look(args.out or default_out(), args.show_weights, args.visualize, arrays=False)
    play_trajectories(policy, args.trajectory_file_path, args.num_envs, args.num_steps, args.seed, look)


def main(argv: list[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    return run_command("training.play_moe_simple", _run, _parser().parse_args(argv))


if __name__ == "__main__":
    sys.exit(main())
