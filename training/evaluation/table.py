"""Results as Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .compare import gain
from .score import FIGURES
from .suites import SUITES

_EE = ("ee_cm", "ee_cm_p90", "ee_deg", "ee_deg_p90")
_LAST = ("falls", "power", "action_rate")
COLUMNS: dict[str, tuple[str, ...]] = {
    "S1": ("reward", *_EE, "success", "drift_cm_s", *_LAST),
    "S2": ("reward", "linear_error", "linear_error_settled", "yaw_error", "drift_cm_s", "turn_deg_s", *_LAST),
    "S3": ("reward", "ee_end_cm", "ee_end_deg", "success", *_LAST),
    "S4": ("reward", "ee_mean_cm", "ee_mean_deg", "ee_end_cm", "ee_end_deg", "success", *_LAST),
    "S5": ("reward", "linear_error", "linear_error_settled", "yaw_error", "ee_walk_cm", "ee_walk_deg", *_EE, *_LAST),
    "S6": ("reward", "linear_error", "yaw_error", "ee_walk_cm", "ee_cm", "ee_deg", *_LAST),
    "S7": ("reward", "linear_error", "yaw_error", "ee_walk_cm", "ee_cm", "ee_deg", *_LAST),
}
"""Figures shown for each suite; results.json holds all."""


def report(data: Mapping[str, Any]) -> str:
    """Return tables of all suites that were run, with the settings below."""
    order = list(data["policies"])
    blocks = ["# Evaluation"]
    for name in (name for name in SUITES if data["results"].get(name)):
        records = data["results"][name]
        labels = [label for label in order if label in records]
        blocks.append(f"## {name}: {SUITES[name].title}")
        blocks.append(_figures(name, {label: records[label]["figures"] for label in labels}))
        mixtures = [label for label in labels if data["policies"][label]["mixture"]]
        best = {gain(data, name, label).best_constant_label for label in mixtures}
        parts = {
            f"{label} · {part}": figures
            for label in labels
            if data["policies"][label]["kind"] != "constant" or label in best
            for part, figures in records[label]["parts"].items()
        }
        if parts:
            blocks.append(_figures(name, parts, "policy · part"))
        blocks += _mixtures(data, name, mixtures)
    blocks.append(_settings(data))
    return "\n\n".join(blocks) + "\n"


def markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def cell(value: float | None, digits: int) -> str:
    """Return a number as text; a dash for none."""
    return "–" if value is None else f"{value:.{digits}f}"


def _figures(suite: str, rows: Mapping[str, Mapping[str, float | None]], first: str = "policy") -> str:
    columns = COLUMNS[suite]
    header = [first, *(FIGURES[key].title for key in columns)]
    return markdown(
        header,
        [[label, *(cell(figures[key], FIGURES[key].digits) for key in columns)] for label, figures in rows.items()],
    )


def _mixtures(data: Mapping[str, Any], suite: str, labels: Sequence[str]) -> list[str]:
    """Return what mixtures gain, and how they use their experts."""
    if not labels:
        return []
    rows = []
    for label in labels:
        g = gain(data, suite, label)
        single = cell(g.best_single, 3) + (f" ({g.best_single_label})" if g.best_single_label else "")
        constant = cell(g.best_constant, 3) + (f" ({g.best_constant_label})" if g.best_constant_label else "")
        use = data["results"][suite][label]["usage"]["use"]
        shares = ", ".join(f"{expert} {100.0 * share:.0f}" for expert, share in use.items())
        rows.append([label, single, cell(g.uniform, 3), constant, shares])
    header = ["reward of the mixture", "x best single expert", "x uniform", "x best constant", "use of experts %"]
    return [markdown(header, rows), _usage(data["results"][suite], labels, SUITES[suite].parts == "mode")]


def _usage(records: Mapping[str, Any], labels: Sequence[str], by_part: bool) -> str:
    rows = []
    for label in labels:
        record = records[label]
        for part, usage in {"": record["usage"], **(record["usage_parts"] if by_part else {})}.items():
            for group, values in usage.get("groups", {}).items():
                rows += [
                    [
                        f"{label} · {part}" if part else label,
                        group,
                        expert,
                        cell(one["mean"], 3),
                        cell(one["std"], 3),
                        cell(100.0 * one["largest"], 1),
                        cell(values["entropy"], 3),
                    ]
                    for expert, one in values["experts"].items()
                ]
    header = ["weights", "joints", "expert", "mean", "std", "largest in %", "entropy of the joints' weights"]
    return markdown(header, rows)


def _settings(data: Mapping[str, Any]) -> str:
    s = data["settings"]
    robot = "randomised robot" if s["randomized"] else "nominal robot"
    plant = f", model {s['plant_model']}" if s["plant_model"] else ""
    delay = f", commands {1000 * s['delay']:g} ms late" if s["delay"] else ""
    length = f", {s['seconds']:g} s each" if s["seconds"] else ""
    versions = ", ".join(f"{name} {number}" for name, number in data["versions"].items())
    codes = sorted({record["git"] for records in data["results"].values() for record in records.values()})
    files = "\n".join(
        f"- {label}: `{policy['file']}`"
        for label, policy in data["policies"].items()
        if policy["kind"] in ("model", "against")
    )
    return (
        f"Deterministic policies; {s['envs']} robots, seed {s['seed']}, {robot}{delay}{plant}{length}. "
        f"Code {', '.join(codes)}, {data['date']}; {versions}.\n\n{files}"
    )
