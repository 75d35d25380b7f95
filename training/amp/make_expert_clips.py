"""Make reference motion: a trained walking policy under constant commands, the same steering, and a kinematic trot.

Writes into the folder `--out`:
  expert/NAME.npz    one clip per command of the policy
  gait/NAME.npz      one clip per command of the trot, which knows neither policy nor simulator
  expert_traj.npz    the policy's clips in one file: what training learns from (custom_traj_path)
  held_out.npz       the policy in the steering task: what training must not see, for style thresholds
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

if __package__ in (None, ""):  # started as a file
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    __package__ = "training.amp"

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from ..checkpoint import CheckpointError
from ..evaluation.settings import EvaluationError
from ..models.loading import load_policy
from .data.command import progress, run_command
from .data.expert_clips import command_clips, steering_clips
from .data.gait_clips import gait_clips
from .motion import Motion, join, save_motion

ROOT = Path(__file__).resolve().parents[2]
MODEL = ROOT / "models" / "specialists" / "amp_reference.safetensors"
OUT = Path(__file__).resolve().parent / "clips"


def _save_each(folder: Path, clips: Sequence[Motion]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for clip in clips:
        save_motion(folder / f"{clip.names[0]}.npz", clip)


def _table(clips: Sequence[Motion]) -> Table:
    table = Table(title="clips")
    for column in ("clip", "s", "speed m/s", "turn rad/s"):
        table.add_column(column, justify="left" if column == "clip" else "right")
    for clip in clips:
        speed = float(np.mean(np.linalg.norm(clip.qvel[:, :2], axis=1)))
        turn = float(np.mean(clip.qvel[:, 5]))
        table.add_row(clip.names[0], f"{clip.lengths[0] / clip.rate:.1f}", f"{speed:.2f}", f"{turn:+.2f}")
    return table


def _run(args: argparse.Namespace) -> int:
    torch.set_num_threads(1)  # more threads only wait for each other with networks of this size
    console, out = Console(), args.out
    policy = load_policy(args.model)
    with progress(console, "constant commands") as tick:
        expert = command_clips(policy, args.seconds, seed=args.seed, tick=tick)
    with progress(console, "steering") as tick:
        held_out = steering_clips(policy, args.held_out, 2.0 * args.seconds, seed=args.seed + 1, tick=tick)
    gait = gait_clips(args.seconds)
    _save_each(out / "expert", expert)
    _save_each(out / "gait", gait)
    save_motion(out / "expert_traj.npz", join(expert))
    save_motion(out / "held_out.npz", join(held_out))
    console.print(_table([*expert, *held_out, *gait]))
    console.print(f"clips in {out}", highlight=False, soft_wrap=True)
    return 0


def main(argv: list[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="make_expert_clips", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path, default=MODEL, help="walking policy, .safetensors or .onnx")
    parser.add_argument("--out", type=Path, default=OUT, help="folder for the clips")
    parser.add_argument("--seconds", type=float, default=6.2, help="of each clip; 2 s before it are cut")
    parser.add_argument("--held_out", type=int, default=8, help="clips in the steering task, twice as long")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args(argv)
    if not (0.1 <= args.seconds <= 60.0 and 1 <= args.held_out <= 100):
        parser.error("--seconds must be 0.1 to 60 and --held_out 1 to 100")
    return run_command("make_expert_clips", _run, args, (CheckpointError, EvaluationError))


if __name__ == "__main__":
    sys.exit(main())
