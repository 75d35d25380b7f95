"""What a run leaves behind in its folder: record, plot and summary. ROS-free."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .plot import plot_record
from .record import Record
from .summary import write_summary

RECORD_FILE = "record.npz"
PLOT_FILE = "plot.png"
SUMMARY_FILE = "summary.json"


def write_outcome(record: Record, summary: Mapping[str, Any], folder: Path) -> None:
    """Write record, plot and summary; the summary first, as whoever waits for the end may lose patience.

    Args:
        record: the run.
        summary: of `summarise`.
        folder: is made.
    """
    folder.mkdir(parents=True, exist_ok=True)
    write_summary(summary, folder / SUMMARY_FILE)
    record.save(folder / RECORD_FILE)
    plot_record(record, folder / PLOT_FILE, f"{summary['scenario']}, seed {summary['seed']}: {summary['exit_reason']}")
