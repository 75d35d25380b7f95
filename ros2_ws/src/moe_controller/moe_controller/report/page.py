"""The report as one HTML page that needs nothing from elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np

from .plots import plots_of
from .run_data import RunData

_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; max-width: 1080px; margin: 2em auto; padding: 0 1em; color: #222; }
h1 { font-size: 1.5em; } h2 { font-size: 1.1em; margin: 1.6em 0 .3em; }
table { border-collapse: collapse; } td, th { padding: .15em .8em .15em 0; text-align: left; vertical-align: top; }
svg { width: 100%; height: auto; } .problem { color: #a00; } details { margin-top: 1.5em; }
"""


def page_of(run: RunData, summary: Mapping[str, Any] | None = None) -> str:
    """Return the page.

    Args:
        run: what is shown.
        summary: of the run's folder, if there is one.
    """
    parts = [f"<h1>Run {escape(run.source)}</h1>"]
    if run.problem:
        parts.append(f'<p class="problem">The recording is {escape(run.problem)}: what came before is shown.</p>')
    parts.append(_table(_figures(run, summary or {})))
    if run.gate_events:
        parts.append("<h2>Safety gate</h2>" + _table([(f"{time:.2f} s", text) for time, text in run.gate_events]))
    for title, svg in plots_of(run):
        parts.append(f"<h2>{escape(title)}</h2>\n{svg}")
    last = [(name, f"{values[-1]:g}") for name, (_, values) in run.diagnostics.items() if len(values)]
    if last:
        parts.append(f"<details><summary>Last numbers of /diagnostics</summary>{_table(last)}</details>")
    body = "\n".join(parts)
    head = f'<meta charset="utf-8"><title>Run {escape(run.source)}</title><style>{_STYLE}</style>'
    return f'<!doctype html>\n<html lang="en"><head>{head}</head><body>\n{body}\n</body></html>\n'


def _figures(run: RunData, summary: Mapping[str, Any]) -> list[tuple[str, str]]:
    rows = [("duration", f"{run.duration:.1f} s")]
    for key in ("scenario", "controller", "exit_reason", "falls"):
        if key in summary:
            rows.append((key.replace("_", " "), str(summary[key])))
    error = run.ee_error[1][np.isfinite(run.ee_error[1])]
    if len(error):
        rows.append(("EE error, median", f"{100 * np.median(error):.1f} cm"))
    latency = run.latency_ms[np.isfinite(run.latency_ms)]
    if len(latency):
        p50, p99 = np.percentile(latency, [50, 99])
        rows.append(("state to command", f"p50 {p50:.1f} ms, p99 {p99:.1f} ms, largest {latency.max():.1f} ms"))
    for topic, (_, values) in run.rates.items():
        if len(values):
            rows.append((f"/{topic}", f"{np.mean(values):.1f} Hz"))
    return rows


def _table(rows: Sequence[tuple[str, str]]) -> str:
    return "<table>" + "".join(f"<tr><td>{escape(a)}</td><td>{escape(b)}</td></tr>" for a, b in rows) + "</table>"
