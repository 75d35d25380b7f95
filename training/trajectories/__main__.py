"""Make, convert and look at end-effector trajectories: `python -m training.trajectories generate|convert|show`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from rich.console import Console

from .files import NPZ, ROBOT, load_trajectories, save_for_robot, save_trajectories
from .generators import KINDS, generate
from .motion import SpeedLimits
from .sequence import TrajectoryError
from .show import plot_sequences, summary_table


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m training.trajectories", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)

    make = commands.add_parser("generate", help="make trajectories that the standing robot's arm can reach")
    make.add_argument("kind", choices=KINDS)
    make.add_argument("--out", type=Path, required=True, help="file to write: .npz, or .pkl as UMI-on-Legs has it")
    make.add_argument("--count", type=int, default=20)
    make.add_argument("--seed", type=int, default=0)
    make.add_argument("--duration", type=float, default=15.0, help="s of each")
    make.add_argument("--rate", type=float, default=200.0, help="poses per s")
    limits = SpeedLimits()
    make.add_argument("--speed", type=float, nargs=2, default=limits.linear, metavar=("LOW", "HIGH"), help="m/s")
    make.add_argument("--turn", type=float, nargs=2, default=limits.angular, metavar=("LOW", "HIGH"), help="rad/s")
    make.set_defaults(run=_generate)

    convert = commands.add_parser("convert", help="npz to UMI-style pickle or back, to another rate, or for the robot")
    convert.add_argument("source", type=Path, metavar="IN")
    convert.add_argument("target", type=Path, metavar="OUT", help=f"{ROBOT}: one trajectory, for the robot")
    convert.add_argument("--rate", type=float, help="poses per s of OUT, if it is no pickle; as in IN without it")
    convert.add_argument("--index", type=int, default=0, help=f"which of IN, from 0, if OUT is {ROBOT}")
    convert.set_defaults(run=_convert)

    show = commands.add_parser("show", help="print what a file holds")
    show.add_argument("source", type=Path, metavar="FILE")
    show.add_argument("--plot", type=Path, metavar="PNG", help="draw it as well")
    show.set_defaults(run=_show)
    return parser


def _generate(args: argparse.Namespace) -> str:
    limits = SpeedLimits(tuple(args.speed), tuple(args.turn))
    sequences = generate(args.kind, args.count, args.seed, duration=args.duration, rate=args.rate, limits=limits)
    save_trajectories(args.out, sequences)
    return f"{args.out}: {len(sequences)} trajectories of {args.duration:g} s"


def _convert(args: argparse.Namespace) -> str:
    sequences = load_trajectories(args.source)
    if args.rate is not None:
        if args.target.suffix not in (NPZ, ROBOT):
            raise TrajectoryError(f"--rate: {args.target} is a pickle, whose rate is always 200 Hz")
        sequences = [sequence.resampled(args.rate) for sequence in sequences]
    if args.target.suffix == ROBOT:
        if not 0 <= args.index < len(sequences):
            raise TrajectoryError(f"--index {args.index}: {args.source} holds {len(sequences)}, from 0")
        save_for_robot(args.target, sequences[args.index])
        return f"{args.target}: number {args.index} of {len(sequences)} trajectories from {args.source}"
    save_trajectories(args.target, sequences)
    return f"{args.target}: {len(sequences)} trajectories from {args.source}"


def _show(args: argparse.Namespace) -> str:
    sequences = load_trajectories(args.source)
    Console().print(summary_table(sequences, str(args.source)))
    if args.plot is None:
        return ""
    plot_sequences(sequences, args.plot, str(args.source))
    return f"plot: {args.plot}"


def main(argv: list[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    args = _parser().parse_args(argv)
    try:
        message = args.run(args)
    except TrajectoryError as error:
        print(f"training.trajectories: {error}", file=sys.stderr)
        return 1
    if message:
        print(message)
    return 0


if __name__ == "__main__":
    sys.exit(main())
