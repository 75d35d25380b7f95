"""Choose motion clips and copy their files into a data set.

Reads this project's clips, LocoMuJoCo's and AMASS's (KIT's) .npz files below the given folders, and copies those with
clips that fit, unchanged, into `--out`, with a manifest.json. Files that hold no motion are counted and left out.

  extract_expert_dataset --source ~/amass/KIT --pattern "*walk*" --min_duration 2 --speed 0.5 2 --out expert_dataset
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

if __package__ in (None, ""):  # started as a file
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    __package__ = "training.amp"

from rich.console import Console
from rich.table import Table

from .data.command import progress, run_command
from .data.dataset import Found, Selection, survey, write_dataset

CLIPS = Path(__file__).resolve().parent / "clips" / "expert"
OUT = Path(__file__).resolve().parent / "expert_dataset"
SHOWN = 60
"""Rows of the table at most."""


def _table(found: Sequence[Found], with_refused: bool) -> Table:
    rows = [item for item in found if with_refused or not item.refusal]
    table = Table(title="clips")
    for column in ("clip", "format", "s", "speed m/s", "turn rad/s", "taken"):
        table.add_column(column, justify="right" if column[-1] == "s" and column != "clips" else "left")
    for item in rows[:SHOWN]:
        taken = "yes" if not item.refusal else f"no: {item.refusal}"
        figures = (f"{item.duration:.1f}", f"{item.speed:.2f}", f"{item.turn_rate:+.2f}")
        table.add_row(item.clip, item.format, *figures, taken)
    if len(rows) > SHOWN:
        table.caption = f"and {len(rows) - SHOWN} more"
    return table


def _run(args: argparse.Namespace) -> int:
    console = Console()
    selection = Selection(
        tuple(args.pattern), (args.min_duration, args.max_duration), tuple(args.speed), tuple(args.turn_rate)
    )
    with progress(console, "reading") as tick:
        found, skipped = survey(args.source, selection, tick)
    for line in skipped[:5]:
        console.print(f"left out: {line}", style="yellow", highlight=False, soft_wrap=True, markup=False)
    if len(skipped) > 5:
        console.print(f"left out: {len(skipped) - 5} more files without motion", style="yellow")
    console.print(_table(found, args.dry_run))
    chosen = [item for item in found if not item.refusal]
    seconds = sum(item.duration for item in chosen)
    summary = f"{len(chosen)} of {len(found)} clips, {seconds:.0f} s"
    if args.dry_run:
        console.print(f"{summary}; nothing written (--dry_run)", highlight=False)
        return 0
    copies = write_dataset(found, selection, args.out, args.overwrite)
    console.print(f"{summary} in {len(copies)} files, in {args.out}", highlight=False, soft_wrap=True)
    return 0


def main(argv: list[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="extract_expert_dataset", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--source", type=Path, nargs="+", default=[CLIPS], help="folders or files")
    parser.add_argument("--out", type=Path, default=OUT, help="folder of the data set")
    parser.add_argument(
        "--pattern", nargs="+", default=["*"], help='for clip names or paths, such as "walk*" "KIT/3/*"'
    )
    parser.add_argument("--min_duration", type=float, default=0.0, help="s")
    parser.add_argument("--max_duration", type=float, default=1e9, help="s")
    for name, unit in (("speed", "m/s, mean of the root"), ("turn_rate", "rad/s, mean, either way")):
        parser.add_argument(f"--{name}", type=float, nargs=2, default=(0.0, 1e9), metavar=("LOW", "HIGH"), help=unit)
    parser.add_argument("--dry_run", action="store_true", help="only show what would be taken")
    parser.add_argument("--overwrite", action="store_true", help="replace a data set of this command in --out")
    return run_command("extract_expert_dataset", _run, parser.parse_args(argv))


if __name__ == "__main__":
    sys.exit(main())
