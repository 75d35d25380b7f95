"""Look at trajectories: a table and a plot."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from rich.markup import escape
from rich.table import Table

from .sequence import PoseSequence, TrajectoryError

MOST_ROWS = 20
"""Sequences in the table and in the plot, so that both stay readable."""


def summary_table(sequences: Sequence[PoseSequence], title: str) -> Table:
    """Return a table with one row for each of the first sequences and one for all together; speeds are the highest."""
    table = Table(title=escape(title), padding=(0, 0))
    for heading in ("name", "poses", "Hz", "s", "x [m]", "y [m]", "z [m]", "m/s", "rad/s"):
        table.add_column(heading, justify="left" if heading == "name" else "right", overflow="fold")
    for sequence in sequences[:MOST_ROWS]:
        table.add_row(*_row(sequence.name, [sequence]))
    if len(sequences) > MOST_ROWS:
        table.add_row("...", *[""] * 8)
    if len(sequences) > 1:
        table.add_section()
        table.add_row(*_row(f"all {len(sequences)}", sequences))
    return table


def _row(name: str, sequences: Sequence[PoseSequence]) -> list[str]:
    positions = np.concatenate([sequence.positions for sequence in sequences])
    rates = sorted({sequence.rate for sequence in sequences})
    extent = zip(positions.min(axis=0), positions.max(axis=0), strict=True)
    return [
        escape(name),
        str(len(positions)),
        "mixed" if len(rates) > 1 else f"{rates[0]:g}",
        f"{sum(sequence.duration for sequence in sequences):.1f}",
        *(f"{low:.2f}..{high:.2f}" for low, high in extent),
        f"{max(sequence.linear_speed().max() for sequence in sequences):.2f}",
        f"{max(sequence.angular_speed().max() for sequence in sequences):.2f}",
    ]


def plot_sequences(sequences: Sequence[PoseSequence], path: Path, title: str) -> None:
    """Write a PNG of the first sequences: from the side, from above, and their speed. Raises TrajectoryError."""
    figure = Figure(figsize=(11, 8), layout="constrained")
    FigureCanvasAgg(figure)  # needs no display
    axes = figure.subplot_mosaic([["side", "top"], ["speed", "turn"]])
    for sequence in sequences[:MOST_ROWS]:
        x, y, z = sequence.positions.T
        axes["side"].plot(x, z, lw=0.9)
        axes["top"].plot(x, y, lw=0.9)
        axes["speed"].plot(sequence.times[1:], sequence.linear_speed(), lw=0.9)
        axes["turn"].plot(sequence.times[1:], sequence.angular_speed(), lw=0.9)
    for name, across, up in (
        ("side", "x [m]", "z [m]"), ("top", "x [m]", "y [m]"),
        ("speed", "time [s]", "speed [m/s]"), ("turn", "time [s]", "turn [rad/s]"),
    ):  # fmt: skip
        axes[name].set_xlabel(across)
        axes[name].set_ylabel(up)
        axes[name].grid(alpha=0.3)
    for name in ("side", "top"):
        axes[name].set_aspect("equal", adjustable="datalim")
    figure.suptitle(title)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=110)
    except (OSError, ValueError) as error:  # ValueError: an ending that matplotlib does not know
        raise TrajectoryError(f"{path}: the plot cannot be written: {' '.join(str(error).split())[:120]}") from None
