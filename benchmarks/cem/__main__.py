"""Options of the comparison: `python -m benchmarks.cem`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from .compare import JUDO_PYTHON, Size, run


def main(argv: list[str] | None = None) -> int:
    """Run it."""
    size = Size()
    parser = argparse.ArgumentParser(prog="benchmarks.cem", description="Ours against judo.")
    parser.add_argument("--judo", type=Path, default=JUDO_PYTHON, help="python of judo's environment (%(default)s)")
    parser.add_argument("--seeds", type=int, default=size.seeds, help="goals and noise (%(default)s)")
    parser.add_argument("--samples", type=int, default=size.samples, help="in a plan, where equal (%(default)s)")
    parser.add_argument("--budget", type=float, default=size.budget_ms, help="CPU ms of a plan, where equal")
    parser.add_argument("--duration", type=float, default=size.duration, help="s for each goal (%(default)s)")
    parser.add_argument("--out", type=Path, help="file for every episode, JSON")
    given = parser.parse_args(argv)
    for line in run(Size(given.seeds, given.samples, given.budget, given.duration), given.judo, given.out):
        print(line, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
