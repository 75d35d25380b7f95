"""`python -m moe_controller.report BAG|RUN --out FILE.html`: one page about a run. Exit status 2 for bad input."""

from __future__ import annotations

import argparse
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

from ..recording.bag_reader import BagReadError, read_bag
from ..recording.files import RECORDING_FILE, recording_in
from ..scenario.outcome import RECORD_FILE, SUMMARY_FILE
from ..scenario.record import Record
from ..scenario.summary import read_summary
from .bag_data import from_bag
from .page import page_of
from .run_data import RunData, from_record

_BROKEN = (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        arguments: of the command line; None for those of this process.
    """
    parser = argparse.ArgumentParser(prog="report", description="One HTML page about a run.")
    parser.add_argument("run", metavar="BAG|RUN", type=Path, help="recording (MCAP), or the folder of a run")
    parser.add_argument("--out", metavar="FILE.html", type=Path, required=True, help="page to write")
    options = parser.parse_args(arguments)
    try:
        run = _load(options.run)
        folder = options.run if options.run.is_dir() else options.run.parent
        page = page_of(run, read_summary(folder / SUMMARY_FILE))
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(page, encoding="utf-8")
    except BagReadError as error:
        print(f"report: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"report: {options.out} cannot be written ({error.strerror})", file=sys.stderr)
        return 2
    print(options.out)
    return 0


def _load(path: Path) -> RunData:
    """Return the run from its recording, or from what the operator left where there is no recording."""
    record = path / RECORD_FILE
    if recording_in(path).is_file() or not record.is_file():
        if path.is_dir() and not recording_in(path).is_file():
            raise BagReadError(f"{path} has neither {RECORDING_FILE} nor {RECORD_FILE}: give the folder of a run")
        return from_bag(read_bag(path))
    try:
        return from_record(Record.load(record), str(path))
    except _BROKEN as error:
        raise BagReadError(f"{record} is damaged ({type(error).__name__}): record the run again") from None


if __name__ == "__main__":
    sys.exit(main())
