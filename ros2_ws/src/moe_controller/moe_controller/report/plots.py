"""The plots of a report, as SVG text."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
from go2_piper_description.joints import JOINT_NAMES, joint_array
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from ..scenario.metrics import REACHED_ERROR
from .run_data import Array, RunData, Series

MOST_POINTS = 1500
"""Of one line: more cannot be seen and makes the page heavy."""
PLANNER_KEYS = ("plan_ms_p", "samples_used", "misses", "plan_age", "transfers", "faults")


def _thin(series: Series) -> Series:
    times, values = series
    step = max(1, -(-len(times) // MOST_POINTS))
    return times[::step], values[::step]


def _peaks(series: Series) -> Series:
    """Thin a series by the largest magnitude of each stretch."""
    times, values = series
    step = max(1, -(-len(times) // MOST_POINTS))
    count = len(times) // step
    return times[: count * step : step], np.abs(values[: count * step]).reshape(count, step, -1).max(axis=1)


def _figure(draw: Callable[[Axes], None], height: float = 2.6) -> str:
    figure = Figure(figsize=(10.5, height), layout="constrained")
    axes = figure.subplots()
    draw(axes)
    axes.grid(alpha=0.3)
    if axes.get_legend_handles_labels()[1]:
        axes.legend(loc="upper right", fontsize="small", ncols=3)
    text = io.StringIO()
    FigureCanvasSVG(figure).print_svg(text)
    return text.getvalue()[text.getvalue().index("<svg") :]


def _over_time(run: RunData, draw: Callable[[Axes], None], label: str) -> str:
    def whole(axes: Axes) -> None:
        draw(axes)
        for time, event in run.gate_events:
            axes.axvline(time, color="grey", lw=0.8, ls=":")
            axes.annotate(event.partition(":")[0], (time, 1.0), xycoords=("data", "axes fraction"), fontsize=6,
                          rotation=90, va="top", color="grey")  # fmt: skip
        axes.set(xlabel="time [s]", ylabel=label, xlim=(0.0, max(run.duration, 1e-3)))

    return _figure(whole)


def plots_of(run: RunData) -> list[tuple[str, str]]:
    """Return title and SVG of each plot for which there is data."""
    wanted: list[tuple[str, int, Callable[[RunData], str]]] = [
        ("End-effector error", int(np.sum(np.isfinite(run.ee_error[1]))), _error),
        ("Expert weights", len(run.weights[0]), _weights),
        ("Entropy of the expert weights", len(run.weights[0]), _entropy),
        ("Base velocity (dashed: command)", len(run.velocity[0]), _velocity),
        ("Torque, part of the limit", len(run.torque[0]), _torque),
        ("Messages per second of wall time", len(run.rates), _rates),
        ("State to command", len(run.latency_ms), _latency),
        ("Temperatures", len(run.matching("temperature")), lambda r: _diagnostics(r, "°C", "temperature")),
        ("Planner", len(run.matching(*PLANNER_KEYS)), lambda r: _diagnostics(r, "", *PLANNER_KEYS)),
    ]
    return [(title, draw(run)) for title, rows, draw in wanted if rows]


def _error(run: RunData) -> str:
    times, error = _thin(run.ee_error)

    def draw(axes: Axes) -> None:
        axes.plot(times, 100 * error, color="tab:red", lw=1.2)
        axes.axhline(100 * REACHED_ERROR, color="grey", ls="--", lw=0.8)
        axes.set_ylim(bottom=0)

    return _over_time(run, draw, "cm")


def _weights(run: RunData) -> str:
    times, weights = _thin(run.weights)

    def draw(axes: Axes) -> None:
        for row, group in enumerate(run.groups):
            for column, expert in enumerate(run.experts):
                axes.plot(times, weights[:, row, column], lw=1.0, label=f"{group}: {expert}")
        axes.set_ylim(-0.02, 1.02)

    return _over_time(run, draw, "weight")


def _entropy(run: RunData) -> str:
    times, entropy = _thin(run.entropy)

    def draw(axes: Axes) -> None:
        for row, group in enumerate(run.groups):
            axes.plot(times, entropy[:, row], lw=1.0, label=group)
        axes.axhline(np.log(max(len(run.experts), 1)), color="grey", ls="--", lw=0.8, label="all alike")

    return _over_time(run, draw, "nats")


def _velocity(run: RunData) -> str:
    times, velocity = _thin(run.velocity)
    told, command = _thin(run.velocity_command)
    names = ("vx [m/s]", "vy [m/s]", "wz [rad/s]")

    def draw(axes: Axes) -> None:
        for column, (name, color) in enumerate(zip(names, ("tab:blue", "tab:orange", "tab:green"), strict=True)):
            axes.plot(times, velocity[:, column], color=color, lw=0.8, label=name)
            axes.plot(told, command[:, column], color=color, lw=1.4, ls="--")

    return _over_time(run, draw, "m/s, rad/s")


def _torque(run: RunData) -> str:
    times, torque = _peaks((run.torque[0], run.torque[1] / joint_array("effort")))
    parts: dict[str, Array] = {}
    for index, name in enumerate(JOINT_NAMES):
        part = name if name.startswith("piper") else name.partition("_")[2].removesuffix("_joint")
        parts[part] = np.maximum(parts.get(part, torque[:, index]), torque[:, index])

    def draw(axes: Axes) -> None:
        for name, values in parts.items():
            axes.plot(times, values, lw=0.8, label=f"{name} (largest of 4)" if not name.startswith("piper") else name)
        axes.set_ylim(0.0, max(1.05, float(np.nanmax(torque, initial=0.0))))

    return _over_time(run, draw, "of the limit")


def _rates(run: RunData) -> str:
    def draw(axes: Axes) -> None:
        for topic, (times, values) in run.rates.items():
            axes.plot(times, values, lw=1.0, label=f"/{topic}")
        axes.set_ylim(bottom=0)

    return _over_time(run, draw, "Hz")


def _latency(run: RunData) -> str:
    values = run.latency_ms[np.isfinite(run.latency_ms)]
    p50, p99 = np.percentile(values, [50, 99])

    def draw(axes: Axes) -> None:
        axes.hist(np.clip(values, 0.0, 2.0 * p99 + 1e-3), bins=80, color="tab:blue")
        for name, value in (("p50", p50), ("p99", p99)):
            axes.axvline(value, color="tab:red", lw=1.0, ls="--", label=f"{name} {value:.1f} ms")
        axes.set(xlabel="ms from publishing a state to publishing its command", ylabel="commands", yscale="log")

    return _figure(draw)


def _diagnostics(run: RunData, unit: str, *words: str) -> str:
    def draw(axes: Axes) -> None:
        for name, (times, values) in run.matching(*words).items():
            axes.plot(times, values, lw=1.0, label=name.partition(" / ")[2])

    return _over_time(run, draw, unit)
