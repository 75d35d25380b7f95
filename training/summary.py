"""The table at the end of a training."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from .stage import Result

_LEFT_OUT = ("iteration", "steps", "seconds")


def show_summary(results: Sequence[Result], console: Console | None = None) -> None:
    """Print steps, time, last figures and files of each stage."""
    table = Table(title="training finished")
    for column in ("stage", "steps", "time", "last figures"):
        table.add_column(column)
    for result in results:
        figures = ", ".join(f"{key} {value:.3g}" for key, value in result.figures.items() if key not in _LEFT_OUT)
        table.add_row(result.title, f"{result.steps / 1e6:.2f} M", f"{result.seconds / 60:.1f} min", figures)
    console = console or Console()
    console.print(table)
    for path in (path for result in results for path in result.files):
        console.print(_short(path), highlight=False, soft_wrap=True)


def _short(path: Path) -> str:
    """Return the path relative to the working directory, if it lies below."""
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)
