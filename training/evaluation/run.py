"""Measure policies on suites, one after the other, and write results, tables and plots."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from .compare import gain
from .plots import draw
from .policies import Entry
from .results import Record, Results
from .rollout import run_script, run_suite
from .score import balanced_reward, distributions, score, score_parts, usage, usage_parts
from .settings import EvaluationError, Settings
from .suites import SUITES, Suite
from .table import report

TABLE = "table.md"


def evaluate(
    entries: Sequence[Entry], settings: Settings, folder: Path, fresh: bool = False, console: Console | None = None
) -> bool:
    """Run what has not been run yet; what is done is written even when it is interrupted.

    Args:
        entries: the policies.
        settings: suites, seeds, robot.
        folder: gets results.json, table.md and plots.
        fresh: forget what is there.
        console: for the progress.

    Returns:
        whether all is done; False after Ctrl-C.

    Raises:
        EvaluationError, ModelError: one line each.
    """
    settings.check_plant()
    console = console or Console()
    results = Results(folder, settings, fresh)
    results.add_policies(entries)
    work = [(SUITES[name], entry) for name in settings.suites for entry in entries if _wanted(name, entry, settings)]
    todo = [(suite, entry) for suite, entry in work if not results.has(suite.name, entry.label)]
    if len(todo) < len(work):
        console.print(f"{len(work) - len(todo)} of {len(work)} measured earlier")
    finished = True
    try:
        _work(todo, settings, results, console)
    except KeyboardInterrupt:
        finished = False
    results.save()
    _write(results.data, folder)
    return finished


def _wanted(suite: str, entry: Entry, settings: Settings) -> bool:
    return entry.kind != "constant" or settings.blends or suite == "S7"


def _work(todo: Sequence[tuple[Suite, Entry]], settings: Settings, results: Results, console: Console) -> None:
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console) as progress:
        task = progress.add_task("", total=len(todo))
        for i, (suite, entry) in enumerate(todo):
            progress.update(task, description=f"{suite.name} {entry.label}")
            record = measure(suite, entry, settings, lambda done, i=i: progress.update(task, completed=i + done))
            results.put(suite.name, entry.label, record)
            progress.console.print(_line(results.data, suite.name, entry), highlight=False, soft_wrap=True)


def measure(suite: Suite, entry: Entry, settings: Settings, tick: Any = lambda done: None) -> Record:
    """Run one policy through one suite and return its figures."""
    policy = entry.policy
    samples = run_suite(policy, suite, settings, tick)
    record: Record = {
        "figures": score(samples),
        "parts": score_parts(samples),
        "distributions": distributions(samples),
        "usage": {},
        "usage_parts": {},
    }
    if suite.parts == "mode":
        shares = {name: mode.probability for name, mode in suite.cases[0].config.modes.items()}
        record["figures"]["reward"] = balanced_reward(record["parts"], shares)
    if entry.is_mixture:
        record["usage"] = usage(samples, policy.experts, policy.groups)
        record["usage_parts"] = usage_parts(samples, policy.experts, policy.groups)
        if suite.parts == "mode":
            line = run_script(policy, settings)
            record["timeline"] = {
                "times": line.times.round(4).tolist(),
                "weights": line.weights.round(5).tolist(),
                "phases": list(line.phases),
                "phase": line.phase,
            }
    return record


def _line(data: dict[str, Any], suite: str, entry: Entry) -> str:
    figures = data["results"][suite][entry.label]["figures"]
    shown = [("reward", "reward {:.4f}"), ("linear_error", "linear {:.3f} m/s"), ("yaw_error", "yaw {:.3f} rad/s"),
             ("ee_cm", "EE {:.1f} cm"), ("ee_deg", "{:.1f} deg"), ("falls", "falls {:.1f} %")]  # fmt: skip
    text = ", ".join(form.format(figures[key]) for key, form in shown if figures[key] is not None)
    if entry.is_mixture and (best := gain(data, suite, entry.label).best_single) is not None:
        text += f", x{best:.2f} of the best single expert"
    return f"{suite}  {entry.label}: {text}"


def _write(data: dict[str, Any], folder: Path) -> None:
    try:
        (folder / TABLE).write_text(report(data))
        draw(data, folder)
    except OSError as error:
        raise EvaluationError(f"cannot write to {folder} ({error.strerror})") from error
