"""Evaluate trained policies: `python -m training.evaluate --model FILE --suites S1,S5 --out DIR`; see `--help`."""

from __future__ import annotations

import sys

from .evaluation.cli import main

if __name__ == "__main__":
    sys.exit(main())
