"""Check a motion file: velocities against differences, joint limits, skating feet, floor, jumps.

Prints a table and writes report.json and pictures. The exit status is 0 if all clips pass, 1 if one does not, 2 if the
file cannot be used.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

if __package__ in (None, ""):  # started as a file
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    __package__ = "training.amp"

from rich.console import Console

from .data.check_report import check_table, failure_lines, write_report
from .data.checks import Limits, check_motion
from .data.command import progress, run_command
from .data.kinematics import RobotKinematics
from .motion import Motion, load_motion
from .robot import robot_config


def check_and_report(motion: Motion, kinematics: RobotKinematics, out: Path, console: Console) -> bool:
    """Check all clips, show and write the report; return whether all pass. Raises MotionError, OSError."""
    limits = Limits()
    with progress(console, "checks") as tick:
        checks = check_motion(motion, kinematics, tick)
    console.print(check_table(checks, limits))
    lines = failure_lines(checks, limits)
    for line in lines:
        console.print(line, style="red", highlight=False, soft_wrap=True, markup=False)
    write_report(checks, limits, kinematics.keys, out)
    console.print(f"{len(checks) - len(lines)} of {len(checks)} clips pass; report in {out}", highlight=False)
    return not lines


def _run(args: argparse.Namespace) -> int:
    motion = load_motion(args.file)
    kinematics = RobotKinematics(robot_config(args.robot))
    out = args.out or args.file.with_suffix("").with_name(f"{args.file.stem}_checks")
    return 0 if check_and_report(motion, kinematics, out, Console()) else 1


def main(argv: list[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="check_motion", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("file", type=Path, help="motion file of this project (.npz)")
    parser.add_argument("--robot", default="Go2Piper.walk.mocap", help="environment id")
    parser.add_argument("--out", type=Path, help="folder for the report; beside the file without it")
    return run_command("check_motion", _run, parser.parse_args(argv))


if __name__ == "__main__":
    sys.exit(main())
