"""Map a data set of clips to a robot and join it into one motion file: the `custom_traj_path` of the training.

The mapping is a YAML file: source joint -> robot joint with sign, offset and scale, the root's scale and axes, filters.
The project has go2_piper_own (its own clips), go2_piper_loco_quadruped and go2_piper_feet (LocoMuJoCo's quadrupeds) and
skeleton_smplh (AMASS to LocoMuJoCo's skeleton); docs/amp.md explains them. At the end the motion is checked.

  retarget_expert_dataset --dataset training/amp/expert_dataset --config go2_piper_own --out expert_traj.npz
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

if __package__ in (None, ""):  # started as a file
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    __package__ = "training.amp"

from rich.console import Console

from .check_motion import check_and_report
from .data.command import progress, run_command
from .data.dataset import load_dataset
from .data.retarget import Retargeter
from .data.retarget_config import load_retarget_config
from .motion import join, save_motion

FOLDER = Path(__file__).resolve().parent


def _run(args: argparse.Namespace) -> int:
    console = Console()
    config = load_retarget_config(args.config)
    retarget = Retargeter(config)
    with progress(console, "reading") as tick:
        clips = load_dataset(args.dataset, tick)
    motions = []
    with progress(console, "retargeting") as tick:
        for clip in clips:
            motions.append(retarget(clip))
            tick(len(motions) / len(clips))
    motion = join(motions)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    save_motion(args.out, motion)
    checks = args.checks or args.out.with_name(f"{args.out.stem}_checks")
    passed = check_and_report(motion, retarget.kinematics, checks, console)
    seconds = sum(motion.lengths) / motion.rate
    console.print(
        f"{len(motions)} clips, {seconds:.0f} s at {motion.rate:g} Hz for {config.robot} in {args.out}"
        + ("" if passed else "; look at the checks before you train on it"),
        highlight=False,
        soft_wrap=True,
    )
    return 0


def main(argv: list[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="retarget_expert_dataset", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--dataset", type=Path, default=FOLDER / "expert_dataset", help="folder, or one file of clips")
    parser.add_argument("--config", default="go2_piper_own", help="name of a mapping of this project, or a YAML file")
    parser.add_argument("--out", type=Path, default=FOLDER / "expert_traj.npz", help="the motion file")
    parser.add_argument("--checks", type=Path, help="folder for the report; beside --out without it")
    return run_command("retarget_expert_dataset", _run, parser.parse_args(argv))


if __name__ == "__main__":
    sys.exit(main())
