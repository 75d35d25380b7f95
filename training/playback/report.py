"""Tables for the terminal: the task, and how the experts were used."""

from __future__ import annotations

import numpy as np
from rich.markup import escape
from rich.table import Table

from .rollout import Rollout
from .statistics import TaskFigures, WeightStatistics


def task_table(figures: TaskFigures, title: str) -> Table:
    """Return how well the task was done; rows without a figure are left out."""
    table = Table(title=escape(title), show_header=False)
    rows: list[tuple[str, float | None, str]] = [
        ("simulated", figures.seconds, "{:.1f} s"),
        ("falls", figures.falls, "{:.0f}"),
        ("EE error, median", _scaled(figures.ee_median, 100), "{:.1f} cm"),
        ("EE error, 90 %", _scaled(figures.ee_p90, 100), "{:.1f} cm"),
        ("EE turn, median", _scaled(figures.ee_angle_median, 180 / np.pi), "{:.1f} deg"),
        ("velocity error", figures.linear_error, "{:.3f} m/s"),
        ("turn rate error", figures.yaw_error, "{:.3f} rad/s"),
        ("reward per step", figures.reward, "{:.4f}"),
    ]
    for name, value, form in rows:
        if value is not None:
            table.add_row(name, form.format(value))
    return table


def weight_table(rollout: Rollout, statistics: WeightStatistics) -> Table:
    """Return the use of each expert by joint group, and by mode where there are several."""
    table = Table(title="expert weights")
    table.add_column("group")
    table.add_column("expert")
    for heading in ("mean", "spread", "largest in"):
        table.add_column(heading, justify="right")
    modes = list(statistics.by_mode) if len(statistics.by_mode) > 1 else []
    for mode in modes:
        table.add_column(escape(mode), justify="right")
    for g, group in enumerate(rollout.groups):
        for e, expert in enumerate(rollout.experts):
            table.add_row(
                group if e == 0 else "",
                escape(expert),
                f"{statistics.mean[g, e]:.2f}",
                f"{statistics.spread[g, e]:.2f}",
                f"{100 * statistics.usage[g, e]:.0f} %",
                *(f"{statistics.by_mode[mode][g, e]:.2f}" for mode in modes),
            )
        table.add_section()
    return table


def _scaled(value: float | None, factor: float) -> float | None:
    return None if value is None else factor * value
