"""Results as pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from .score import FIGURES, QUANTILES
from .suites import SUITES

BARS = ("reward", "linear_error", "yaw_error", "ee_cm", "ee_walk_cm", "success", "falls")
CURVES = {"ee_cm": "settled EE error, cm", "ee_deg": "settled EE error, deg", "linear_error": "linear error, m/s"}
WIDTH = 11.0
"""Inches."""


def draw(data: Mapping[str, Any], folder: Path) -> None:
    """Write bars.png, distributions.png, phases.png and weights.png, as far as there is something to show."""
    if not any(data["results"].values()):
        return
    _bars(data, folder / "bars.png")
    _distributions(data, folder / "distributions.png")
    _phases(data, folder / "phases.png")
    _timelines(data, folder / "weights.png")


def _suites(data: Mapping[str, Any]) -> list[str]:
    return [name for name in SUITES if data["results"].get(name)]


def _labels(data: Mapping[str, Any]) -> list[str]:
    return [label for label, policy in data["policies"].items() if policy["kind"] != "constant"]


def _bars(data: Mapping[str, Any], path: Path) -> None:
    suites, labels = _suites(data), _labels(data)
    keys = [key for key in BARS if any(_values(data, key, suites, label) for label in labels)]
    figure, axes = plt.subplots(len(keys), 1, figsize=(WIDTH, 2.1 * len(keys)), squeeze=False)
    width = 0.85 / len(labels)
    for axis, key in zip(axes[:, 0], keys, strict=True):
        for i, label in enumerate(labels):
            values = _values(data, key, suites, label)
            places = np.array(list(values)) + (i - 0.5 * (len(labels) - 1)) * width
            axis.bar(places, list(values.values()), width, label=label, color=f"C{i % 10}")
        axis.set_xticks(range(len(suites)), suites)
        axis.set_ylabel(FIGURES[key].title)
    axes[0, 0].legend(fontsize=7, ncols=4, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    _save(figure, path)


def _values(data: Mapping[str, Any], key: str, suites: Sequence[str], label: str) -> dict[int, float]:
    """Return a figure by the place of its suite."""
    found = [data["results"][suite].get(label, {}).get("figures", {}).get(key) for suite in suites]
    return {i: value for i, value in enumerate(found) if value is not None}


def _distributions(data: Mapping[str, Any], path: Path) -> None:
    suites = [name for name in _suites(data) if any(one["distributions"] for one in data["results"][name].values())]
    if not suites:
        return
    figure, axes = plt.subplots(len(suites), len(CURVES), figsize=(WIDTH, 2.6 * len(suites)), squeeze=False)
    for row, suite in zip(axes, suites, strict=True):
        for axis, (key, title) in zip(row, CURVES.items(), strict=True):
            _curves(axis, data, suite, key)
            axis.set_xlabel(title)
        row[0].set_ylabel(f"{suite}: share of samples")
    handles, names = max((axis.get_legend_handles_labels() for axis in axes.flat), key=lambda pair: len(pair[1]))
    figure.legend(handles, names, fontsize=7, ncols=4, loc="outside upper center")
    _save(figure, path)


def _curves(axis: Axes, data: Mapping[str, Any], suite: str, key: str) -> None:
    shares = np.linspace(0.0, 1.0, QUANTILES)
    highest = []
    for i, label in enumerate(_labels(data)):
        quantiles = data["results"][suite].get(label, {}).get("distributions", {}).get(key)
        if quantiles:
            axis.plot(quantiles, shares, label=label, color=f"C{i % 10}")
            highest.append(quantiles[90])
    if highest:
        axis.set_xlim(0.0, 1.5 * float(np.median(highest)) + 1e-6)  # policies that cannot do it go off the picture
    axis.grid(alpha=0.3)


def _phases(data: Mapping[str, Any], path: Path) -> None:
    records = {
        label: record["usage_parts"] for label, record in data["results"].get("S7", {}).items() if record["usage_parts"]
    }
    if not records:
        return
    figure, axes = plt.subplots(1, len(records), figsize=(max(4.0, 3.5 * len(records)), 3.2), squeeze=False)
    for axis, (label, parts) in zip(axes[0], records.items(), strict=True):
        bars = [(phase, group, values) for phase, usage in parts.items() for group, values in
                usage.get("groups", {}).items()]  # fmt: skip
        bottom = np.zeros(len(bars))
        for expert in data["policies"][label]["experts"]:
            means = np.array([values["experts"][expert]["mean"] for _, _, values in bars])
            axis.bar(range(len(bars)), means, bottom=bottom, label=expert)
            bottom += means
        axis.set_xticks(range(len(bars)), [f"{phase}\n{group}" for phase, group, _ in bars], fontsize=7, rotation=90)
        axis.set_title(label, fontsize=9)
        axis.legend(fontsize=7)
    axes[0, 0].set_ylabel("mean weight")
    _save(figure, path)


def _timelines(data: Mapping[str, Any], path: Path) -> None:
    records = {
        label: record["timeline"] for label, record in data["results"].get("S7", {}).items() if "timeline" in record
    }
    if not records:
        return
    figure, axes = plt.subplots(len(records), 1, figsize=(WIDTH, 2.4 * len(records)), squeeze=False, sharex=True)
    for axis, (label, line) in zip(axes[:, 0], records.items(), strict=True):
        policy, weights = data["policies"][label], np.array(line["weights"])
        for g, group in enumerate(policy["groups"]):
            for e, expert in enumerate(policy["experts"]):
                axis.plot(line["times"], weights[:, g, e], f"C{e}", ls=("-", "--")[g], label=f"{expert}, {group}")
        for i, phase in enumerate(line["phases"]):
            begin = i * line["phase"]
            axis.axvspan(begin, begin + line["phase"], color="k", alpha=0.04 + 0.04 * (i % 3))
            axis.text(begin + 0.02 * line["phase"], 1.02, phase, fontsize=8)
        axis.set_ylim(0.0, 1.12)
        axis.set_ylabel(label, fontsize=8)
        axis.legend(fontsize=7, loc="center right")
    axes[-1, 0].set_xlabel("s; mean weights of all robots")
    _save(figure, path)


def _save(figure: plt.Figure, path: Path) -> None:
    if figure.get_layout_engine() is None:
        figure.set_layout_engine("constrained")
    figure.savefig(path, dpi=110)
    plt.close(figure)
