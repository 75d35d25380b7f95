"""The plot of a run: end-effector error, expert weights and base velocity over time. ROS-free."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from .metrics import REACHED_ERROR
from .record import Record


def plot_record(record: Record, path: Path, title: str = "") -> None:
    """Write the plot as PNG.

    Args:
        record: the run; may be empty.
        path: file to write.
        title: shown above the plot.
    """
    figure = Figure(figsize=(11, 8), layout="constrained")
    FigureCanvasAgg(figure)  # needs no display
    error_axes, weight_axes, velocity_axes = figure.subplots(3, 1, sharex=True)
    _plot_error(record, error_axes)
    _plot_weights(record, weight_axes)
    _plot_velocity(record, velocity_axes)
    for axes in (error_axes, weight_axes, velocity_axes):
        axes.grid(alpha=0.3)
        axes.axvspan(record.play_start, record.play_end, color="tab:blue", alpha=0.04)
        if axes.get_legend_handles_labels()[1]:
            axes.legend(loc="upper right", fontsize="small", ncols=2)
    velocity_axes.set_xlabel("time [s]")
    figure.suptitle(title)
    figure.savefig(path, dpi=110)


def _plot_error(record: Record, axes: Axes) -> None:
    error = record.ee_error()
    axes.plot(record.time, 100 * error, color="tab:red", lw=1.2, label="EE error")
    if not np.any(np.isfinite(error)):
        axes.text(0.5, 0.4, "no end-effector target", transform=axes.transAxes, ha="center", color="grey")
    axes.axhline(100 * REACHED_ERROR, color="grey", ls="--", lw=0.8, label="reached")
    axes.set_ylabel("EE error [cm]")
    axes.set_ylim(bottom=0)


def _plot_weights(record: Record, axes: Axes) -> None:
    for row, group in enumerate(record.groups):
        for column, expert in enumerate(record.experts):
            axes.plot(record.weights_time, record.weights[:, row, column], lw=1.0, label=f"{group}: {expert}")
    axes.set_ylabel("expert weight")
    axes.set_ylim(-0.02, 1.02)


def _plot_velocity(record: Record, axes: Axes) -> None:
    actual = np.column_stack([record.base_linear_velocity[:, :2], record.base_angular_velocity[:, 2]])
    command = record.velocity_command()
    names = ("vx [m/s]", "vy [m/s]", "wz [rad/s]")
    for column, (name, color) in enumerate(zip(names, ("tab:blue", "tab:orange", "tab:green"), strict=True)):
        axes.plot(record.time, actual[:, column], color=color, lw=0.8, alpha=0.8, label=name)
        axes.plot(record.time, command[:, column], color=color, lw=1.6, ls="--")
    axes.set_ylabel("base velocity (dashed: command)")
