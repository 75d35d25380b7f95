"""Play a mixture of experts along end-effector trajectories, with everything written down.

`python -m training.play_moe_ee_task --moe_ckpt_path MOE --trajectory_file_path FILE --show_weights --record`
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from .playback.commands import add_task_options, run_command
from .playback.policies import load_mixture
from .playback.session import Look, default_out, play_trajectories


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m training.play_moe_ee_task", description=__doc__.splitlines()[0])
    add_task_options(parser)
    parser.add_argument("--base_ckpt_path", type=Path, help="expert instead of the mixture's own `base`")
    parser.add_argument("--arm_ckpt_path", type=Path, help="expert instead of the mixture's own `arm`")
    parser.add_argument("--record", action="store_true", help="write video.mp4 of the first robot")
    return parser


def _run(args: argparse.Namespace) -> None:
    policy = load_mixture(args.moe_ckpt_path, args.base_ckpt_path, args.arm_ckpt_path)
    look = Look(args.out or default_out(), args.show_weights, args.visualize, args.record)
    play_trajectories(policy, args.trajectory_file_path, args.num_envs, args.num_steps, args.seed, look)


def main(argv: list[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    return run_command("training.play_moe_ee_task", _run, _parser().parse_args(argv))


if __name__ == "__main__":
    sys.exit(main())
