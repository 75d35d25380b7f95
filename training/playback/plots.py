"""Plots of the expert weights: over time, and over what the robot has to do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from .rollout import Rollout

OVER_TIME, OVER_TASK = "weights_over_time.png", "weights_over_task.png"
COLORS = ("#e87722", "#2a6fbb", "#4c995a", "#9656aa")
"""Of the experts, as in the film; more experts begin anew."""
BINS = 12
FEWEST = 20
"""Samples that a bin needs to be shown."""


def _figure(title: str, height: float) -> Figure:
    figure = Figure(figsize=(11, height), layout="constrained")
    FigureCanvasAgg(figure)  # needs no display
    figure.suptitle(title)
    return figure


def _color(expert: int) -> str:
    return COLORS[expert % len(COLORS)]


def _finish(axes: Axes, label: str, middle: bool = False) -> None:
    axes.set_ylabel(label)
    axes.grid(alpha=0.3)
    if axes.get_legend_handles_labels()[1]:
        axes.legend(loc="center right" if middle else "upper right", fontsize="small", ncols=3)


def plot_over_time(rollout: Rollout, path: Path, robot: int = 0) -> None:
    """Write a PNG of one robot: weights of each joint group, end-effector error and base speed over time."""
    time, steps = rollout.time, rollout.steps
    count = len(rollout.groups)
    figure = _figure(f"{rollout.policy}, robot {robot}", 2.2 * (count + 2))
    rows = figure.subplots(count + 2, 1, sharex=True, squeeze=False)[:, 0]
    for index, group in enumerate(rollout.groups):
        for expert, name in enumerate(rollout.experts):
            rows[index].plot(time, steps.weights[:, robot, index, expert], lw=1.2, color=_color(expert), label=name)
        rows[index].set_ylim(-0.02, 1.02)
        _finish(rows[index], f"weights, {group}", middle=True)
    rows[-2].plot(time, 100 * rollout.ee_error[:, robot], color="tab:red", lw=1.2, label="position [cm]")
    rows[-2].plot(time, np.degrees(rollout.ee_angle[:, robot]), color="tab:purple", lw=1.0, label="turn [deg]")
    rows[-2].set_ylim(bottom=0)
    _finish(rows[-2], "EE error")
    rows[-1].plot(time, rollout.speed[:, robot], color="tab:green", lw=1.0, label="base")
    commanded = np.linalg.norm(steps.command[:, robot, :2], axis=-1)
    rows[-1].plot(time, commanded, color="black", lw=1.0, ls="--", label="command")
    _finish(rows[-1], "speed [m/s]")
    rows[-1].set_xlabel("time [s]")
    _shade_modes(rollout, robot, rows)
    figure.savefig(path, dpi=110)


def _shade_modes(rollout: Rollout, robot: int, rows: NDArray) -> None:
    """Colour the background by the environment's mode, if there are several."""
    mode = rollout.steps.mode[:, robot]
    if len(rollout.modes) < 2:
        return
    edges = np.flatnonzero(np.diff(mode)) + 1
    for start, end in zip([0, *edges], [*edges, len(mode)], strict=True):
        span = rollout.time[start], rollout.time[end - 1] + rollout.period
        for axes in rows:
            axes.axvspan(*span, color=f"C{5 + int(mode[start]) % 5}", alpha=0.08, lw=0)
        rows[0].text(span[0], 0.45, f" {rollout.modes[mode[start]]}", fontsize="x-small", clip_on=True)


def plot_over_task(rollout: Rollout, path: Path) -> None:
    """Write a PNG of all robots: mean weights over end-effector error, base speed and the environment's mode."""
    count = len(rollout.groups)
    figure = _figure(f"{rollout.policy}: mean weights over the task", 3.0 * count)
    rows = figure.subplots(count, 3, squeeze=False, sharey=True)
    reaches = rollout.steps.reaches
    for index, group in enumerate(rollout.groups):
        error_axes, speed_axes, mode_axes = rows[index]
        weights = rollout.steps.weights[:, :, index]
        _binned(error_axes, 100 * rollout.ee_error[reaches], weights[reaches], rollout.experts)
        _binned(speed_axes, rollout.speed.ravel(), weights.reshape(-1, len(rollout.experts)), rollout.experts)
        _bars(mode_axes, rollout, weights)
        for axes in rows[index]:
            axes.set_ylim(-0.02, 1.02)
            _finish(axes, f"weights, {group}", middle=True)
        error_axes.set_xlabel("EE error [cm]")
        speed_axes.set_xlabel("base speed [m/s]")
    figure.savefig(path, dpi=110)


def _binned(axes: Axes, values: NDArray, weights: NDArray, experts: tuple[str, ...]) -> None:
    """Draw mean weights and their spread over bins of a quantity, (M,) and (M, E)."""
    if len(values) == 0:
        return
    edges = np.linspace(0.0, max(float(np.percentile(values, 99)), 1e-6), BINS + 1)
    which = np.digitize(values, edges) - 1
    filled = [index for index in range(BINS) if (which == index).sum() >= FEWEST]
    centres = 0.5 * (edges[1:] + edges[:-1])[filled]
    for expert, name in enumerate(experts):
        samples = [weights[which == index, expert] for index in filled]
        mean, spread = (np.array([figure(sample) for sample in samples]) for figure in (np.mean, np.std))
        axes.plot(centres, mean, marker="o", ms=3, color=_color(expert), label=name)
        axes.fill_between(centres, mean - spread, mean + spread, alpha=0.15, color=_color(expert))


def _bars(axes: Axes, rollout: Rollout, weights: NDArray) -> None:
    """Draw the mean weights in each mode that occurred; `weights` (T, N, E)."""
    mode = rollout.steps.mode
    present = [index for index in range(len(rollout.modes)) if (mode == index).any()]
    bottom = np.zeros(len(present))
    for expert in range(len(rollout.experts)):
        height = np.array([weights[mode == index, expert].mean() for index in present])
        axes.bar(range(len(present)), height, bottom=bottom, width=0.6, color=_color(expert))
        bottom += height
    axes.set_xticks(range(len(present)), [rollout.modes[index] for index in present])
