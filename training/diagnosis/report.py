"""The diagnosis as Markdown, JSON and a picture."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .findings import Finding
from .history import TrainingHistory
from .measures import Measures
from .samples import Samples, SituationRow

MARKS = {"problem": "PROBLEM", "note": "note", "ok": "ok"}


@dataclass(frozen=True)
class Diagnosis:
    """All that was found about one mixture."""

    name: str
    experts: tuple[str, ...]
    groups: tuple[str, ...]
    router: str
    """Its kind."""
    findings: tuple[Finding, ...]
    measures: Measures
    situations: tuple[SituationRow, ...]
    history: TrainingHistory | None


def finding_lines(findings: Sequence[Finding]) -> list[str]:
    """Return the findings as lines for the terminal and for Markdown."""
    lines = []
    for finding in findings:
        parts = [f"{MARKS[finding.level]}: {finding.text}"]
        parts += [f"Likely cause: {finding.cause}"] if finding.cause else []
        parts += [f"Remedy: {finding.remedy}"] if finding.remedy else []
        lines.append(" ".join(parts))
    return lines


def write_report(diagnosis: Diagnosis, samples: Samples, folder: Path) -> list[Path]:
    """Write `diagnosis.md`, `diagnosis.json` and `diagnosis.png`; return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"diagnosis.{end}" for end in ("md", "json", "png")]
    paths[0].write_text(markdown(diagnosis))
    paths[1].write_text(json.dumps(as_json(diagnosis), indent=1) + "\n")
    picture(diagnosis, samples).savefig(paths[2], dpi=110)
    return paths


def as_json(diagnosis: Diagnosis) -> dict[str, Any]:
    """Return the diagnosis as plain values."""
    return asdict(diagnosis)


def markdown(d: Diagnosis) -> str:
    """Return the report."""
    m = d.measures
    lines = [f"# Router of {d.name} ({d.router})", "", *(f"- {line}" for line in finding_lines(d.findings)), ""]
    columns = [f"{group}: {expert}" for group in d.groups for expert in d.experts]
    columns += [f"{group}: entropy" for group in d.groups]
    lines += ["## Weights by situation", "", "Entropy: 0 is one expert, 1 all alike.", ""]
    lines += _table(
        ["situation", "samples", *columns],
        [
            [row.name, str(row.count)]
            + [f"{share:.3f}" for group in row.usage for share in group]
            + [f"{entropy:.2f}" for entropy in row.entropy]
            for row in d.situations
        ],
    )
    lines += ["", "## What the weights follow", "", "Mean change when a term is shuffled between samples.", ""]
    terms = sorted(m.sensitivity.items(), key=lambda item: -item[1])
    lines += _table(["term", "change"], [[name, f"{value:.4f}"] for name, value in terms])
    lines += ["", "## Gradients", "", "Norms, of a PPO surrogate on these samples unless said otherwise.", ""]
    rows = [[name, f"{value:.3g}"] for name, value in m.gradients.items()]
    rows.append(["router, by the losses on the weights", f"{m.balance_gradient:.3g}"])
    if d.history and d.history.gradient_router is not None:
        rows.append(["router, mean in training", f"{d.history.gradient_router:.3g}"])
    lines += _table(["part", "norm"], rows)
    lines += [
        "",
        f"Closest experts differ by {m.expert_distance:.3f} per joint; their actions are {m.action_size:.3f}.",
    ]
    return "\n".join(lines) + "\n"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rows)]


def picture(d: Diagnosis, samples: Samples) -> Figure:
    """Return usage by situation, the distribution of the weights, and what they follow."""
    figure = Figure(figsize=(5 * (len(d.groups) + 1), 8), layout="tight")
    axes = figure.subplots(2, len(d.groups) + 1, squeeze=False)
    for index, group in enumerate(d.groups):
        _usage_bars(axes[0, index], d, index, group)
        axis = axes[1, index]
        for expert, name in enumerate(d.experts):
            axis.hist(samples.weights[:, index, expert].numpy(), bins=40, range=(0, 1), histtype="step", label=name)
        axis.set(title=f"{group}: distribution of the weights", xlabel="weight", ylabel="samples")
        axis.legend()
    terms = sorted(d.measures.sensitivity.items(), key=lambda item: item[1])[-14:]
    axes[0, -1].barh([name for name, _ in terms], [value for _, value in terms])
    axes[0, -1].set(title="change of the weights when shuffled")
    parts = {**d.measures.gradients, "router (losses on weights)": d.measures.balance_gradient}
    axes[1, -1].barh(list(parts), np.maximum(list(parts.values()), 1e-9))
    axes[1, -1].set(title="gradient norms", xscale="log")
    return figure


def _usage_bars(axis: Axes, d: Diagnosis, index: int, group: str) -> None:
    left = np.zeros(len(d.situations))
    names = [row.name for row in d.situations]
    for expert, name in enumerate(d.experts):
        width = np.array([row.usage[index][expert] for row in d.situations])
        axis.barh(names, width, left=left, label=name)
        left += width
    axis.invert_yaxis()
    axis.set(title=f"{group}: mean weights", xlim=(0, 1))
    axis.legend(loc="upper center", bbox_to_anchor=(0.5, -0.06), ncols=len(d.experts))
