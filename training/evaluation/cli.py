"""The command line of the evaluation."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import torch
from rich.console import Console

from ..checkpoint import CheckpointError
from ..envs.physics import ModelError
from ..trajectories import TrajectoryError
from .policies import gather
from .run import TABLE, evaluate
from .settings import EvaluationError, Settings
from .suites import SUITES

EXPECTED = (CheckpointError, EvaluationError, ModelError, TrajectoryError)
"""Errors whose message is for the user."""


def parser() -> argparse.ArgumentParser:
    """Return the options."""
    suites = "; ".join(f"{suite.name} {suite.title}" for suite in SUITES.values())
    p = argparse.ArgumentParser(
        prog="training.evaluate",
        description="Run trained policies through suites with fixed seeds. A mixture runs beside its experts alone and "
        "their uniform blend, on S7 also beside constant blends. Ctrl-C keeps what is done; the same command goes on.",
        epilog=f"Suites: {suites}.",
    )
    p.add_argument("--model", action="append", required=True, metavar="[NAME=]FILE",
                   help=".safetensors or .onnx; may be given several times")  # fmt: skip
    p.add_argument("--against", nargs="+", default=[], metavar="[NAME=]FILE",
                   help="specialists that count among the single experts a mixture has to beat")  # fmt: skip
    p.add_argument("--suites", default=",".join(SUITES), help="comma-separated; all by default")
    p.add_argument("--out", type=Path, required=True, help="folder for results.json, table.md and plots")
    p.add_argument("--plant-model", default="", metavar="MJCF", help="another robot model with the same joints")
    p.add_argument("--envs", type=int, default=256, help="robots at once, one episode each (default: %(default)s)")
    p.add_argument("--seed", type=int, default=77, help="of commands, targets and robots (default: %(default)s)")
    p.add_argument("--randomized", action="store_true", help="robots, delays, noise and pushes as in training")
    p.add_argument("--delay", type=float, default=0.0, metavar="S", help="fixed delay of all commands, up to 0.02 s")
    p.add_argument("--seconds", type=float, metavar="S", help="length of all episodes; 10 s, on S3 20 s by default")
    p.add_argument("--blends", action="store_true", help="constant blends on every suite, not only on S7")
    p.add_argument("--threads", type=int, default=1, help="of the simulator (default: %(default)s)")
    p.add_argument("--fresh", action="store_true", help="forget earlier results in the folder")
    return p


def main(argv: list[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    args = parser().parse_args(argv)
    torch.set_num_threads(1)  # more threads only wait for each other with networks of this size
    console = Console()
    try:
        settings = Settings(
            suites=tuple(args.suites.split(",")),
            envs=args.envs,
            seed=args.seed,
            randomized=args.randomized,
            delay=args.delay,
            plant_model=args.plant_model,
            seconds=args.seconds,
            blends=args.blends,
            threads=args.threads,
        )
        finished = evaluate(gather(args.model, args.against), settings, args.out, args.fresh, console)
    except EXPECTED as error:
        print(f"training.evaluate: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        finished = False
    if not finished:
        print(f"training.evaluate: interrupted; what is done lies in {args.out}, the same command goes on",
              file=sys.stderr)  # fmt: skip
        return 130
    console.print(f"{args.out / TABLE}", highlight=False, soft_wrap=True)
    return 0
