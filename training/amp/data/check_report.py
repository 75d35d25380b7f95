"""The checks of a motion as table, JSON and pictures."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import matplotlib
import numpy as np
from rich.markup import escape
from rich.table import Table

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from .checks import CONTACT, ClipCheck, Limits

TITLES = {
    "root_velocity": "root velocity off, m/s",
    "turn_rate": "turn rate off, rad/s",
    "joint_velocity": "joint velocity off, part",
    "joint_scale": "joint velocity scale off, part",
    "joint_excess": "beyond limits, rad",
    "skating": "foot skating, m/s",
    "penetration": "in the floor, m",
    "floating": "off the floor, part",
    "root_step": "root step, m/s",
    "joint_step": "joint step, rad/s",
}
REPORT, OVERVIEW = "report.json", "overview.png"
DRAWN = 3
"""Clips with a picture of their own: those nearest to, or furthest beyond, a limit."""


def check_table(checks: Sequence[ClipCheck], limits: Limits) -> Table:
    """Return the measures over all clips, each with its worst clip; red where that is beyond the limit."""
    table = Table(title=f"checks of {len(checks)} clips")
    table.add_column("measure")
    for column in ("median", "worst", "limit"):
        table.add_column(column, justify="right")
    table.add_column("worst clip")
    for name, title in TITLES.items():
        values = [check.measures[name] for check in checks]
        at, limit = int(np.argmax(values)), getattr(limits, name)
        style = "red" if values[at] > limit else ""
        row = (title, f"{np.median(values):.3f}", f"{values[at]:.3f}", f"{limit:g}", escape(checks[at].name))
        table.add_row(*row, style=style)
    return table


def failure_lines(checks: Sequence[ClipCheck], limits: Limits) -> list[str]:
    """Return a line for each clip that is beyond a limit."""
    lines = []
    for check in checks:
        parts = [
            f"{TITLES[name]} {check.measures[name]:.3g} (limit {getattr(limits, name):.3g}"
            + (f", {check.joint})" if name == "joint_excess" else ")")
            for name in check.failures(limits)
        ]
        if parts:
            lines.append(f"clip '{check.name}': {'; '.join(parts)}")
    return lines


def write_report(checks: Sequence[ClipCheck], limits: Limits, keys: Sequence[str], folder: Path) -> None:
    """Write report.json, overview.png and pictures of the worst clips.

    Args:
        checks: of all clips.
        limits: that they were held against.
        keys: names of the key parts.
        folder: made if it is not there.

    Raises:
        OSError: cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    content = {
        "passed": not any(check.failures(limits) for check in checks),
        "limits": asdict(limits),
        "clips": [
            {
                "name": check.name,
                "frames": check.frames,
                "failures": check.failures(limits),
                "measures": check.measures,
                "worst_joint": check.joint,
            }
            for check in checks
        ],
    }
    (folder / REPORT).write_text(json.dumps(content, indent=2) + "\n")
    _overview(checks, limits, folder / OVERVIEW)
    worst = sorted(range(len(checks)), key=lambda i: -_severity(checks[i], limits))[:DRAWN]
    for i in worst:
        _clip(checks[i], keys, folder / f"clip_{i:03d}.png")  # names may hold what file names may not


def _severity(check: ClipCheck, limits: Limits) -> float:
    return max(value / getattr(limits, name) for name, value in check.measures.items())


def _overview(checks: Sequence[ClipCheck], limits: Limits, path: Path) -> None:
    figure, axes = plt.subplots(2, 5, figsize=(15.0, 6.0))
    figure.subplots_adjust(0.04, 0.08, 0.99, 0.88, 0.25, 0.35)
    for ax, (name, title) in zip(axes.flat, TITLES.items(), strict=True):
        values = [check.measures[name] for check in checks]
        limit = getattr(limits, name)
        ax.bar(range(len(values)), values, color=["tab:red" if value > limit else "tab:blue" for value in values])
        ax.axhline(limit, color="black", linewidth=0.8, linestyle="--")
        ax.set_title(title, fontsize=9)
        ax.set_ylim(bottom=0.0)
        ax.set_xlabel("clip", fontsize=8)
    figure.suptitle(f"{len(checks)} clips; dashed: limits")
    figure.savefig(path, dpi=90)
    plt.close(figure)


def _clip(check: ClipCheck, keys: Sequence[str], path: Path) -> None:
    figure, (heights, contacts, speeds, errors) = plt.subplots(4, 1, figsize=(11.0, 9.0), sharex=True)
    figure.subplots_adjust(0.09, 0.06, 0.98, 0.94, hspace=0.12)
    shown = np.minimum(check.heights, 0.5)
    for i, key in enumerate(keys):
        heights.plot(check.times, shown[:, i], label=key, linewidth=0.9)
        down = check.heights[:, i] < CONTACT
        contacts.fill_between(check.times, i + 0.1, i + 0.9, where=down, step="mid")
        speeds.plot(check.times, check.speeds[:, i], linewidth=0.9)
    heights.axhline(0.0, color="black", linewidth=0.6)
    heights.set_ylabel("clearance, m")
    heights.legend(fontsize=8, ncols=4)
    contacts.set_yticks(np.arange(len(keys)) + 0.5, keys, fontsize=8)
    contacts.set_ylabel("on the floor")
    speeds.set_ylabel("speed on the floor, m/s")
    errors.plot(check.times, check.velocity_error, linewidth=0.9)
    errors.set_ylabel("joint velocity off, rad/s")
    errors.set_xlabel("s")
    figure.suptitle(check.name)
    figure.savefig(path, dpi=90)
    plt.close(figure)
