"""The summary of a run: the numbers as a dictionary for `summary.json` and as a table for the screen. ROS-free."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from .metrics import evaluate
from .player import Ending
from .record import Record

BRIDGE_STATUS = "robot_bridge"
CONTROLLER_STATUS = ("moe_controller", "cem_planner")
"""Beginnings of the names of the `/diagnostics` statuses that the summary quotes."""
PLAN_PARTS = ("plan", "nn", "cem", "other")

Diagnostics = Mapping[str, Mapping[str, str]]
"""Values by key, by status name, as last received on `/diagnostics`."""


@dataclass(frozen=True)
class Setting:
    """What was run."""

    scenario: str
    seed: int
    lockstep: bool
    controller: str
    model: str
    """Path of the policy file; empty for the shipped one that the controller chose itself."""
    plant_model: str = ""


def file_hash(path: str) -> str | None:
    """Return the SHA-256 of a file, None if it cannot be read."""
    try:
        return hashlib.sha256(Path(path).read_bytes()).hexdigest()
    except OSError:
        return None


def summarise(
    record: Record, ending: Ending, setting: Setting, diagnostics: Diagnostics, simulation_speed: float | None
) -> dict[str, Any]:
    """Return the summary. Numbers that nobody measured are None.

    Args:
        record: the run.
        ending: how it ended.
        setting: what was run.
        diagnostics: last `/diagnostics` of the bridge and the controller.
        simulation_speed: as a multiple of real time.
    """
    metrics = evaluate(record)
    bridge, controller = (_values(diagnostics, name) for name in (BRIDGE_STATUS, CONTROLLER_STATUS))
    targets = [played for played in record.goals if played.goal.target is not None or played.goal.path]
    success = ending.finished and metrics.falls == 0
    return {
        "success": success,
        "exit_reason": ending.reason,
        "scenario": setting.scenario,
        "seed": setting.seed,
        "lockstep": setting.lockstep,
        "controller": setting.controller,
        "model": {"file": Path(setting.model).name, "sha256": file_hash(setting.model)},
        "plant_model": Path(setting.plant_model).name or None,
        "duration_s": round(record.play_end - record.play_start, 6),
        "falls": metrics.falls,
        "settled_median_ee_error_m": metrics.settled_median_ee_error,
        "ee_targets": {
            "given": len(targets),
            "scored": len(metrics.settled_errors),
            "reached": metrics.targets_reached,
            "settled_errors_m": metrics.settled_errors,
        },
        "rms_velocity_error": {
            "linear_m_s": metrics.rms_linear_velocity_error,
            "yaw_rad_s": metrics.rms_yaw_rate_error,
        },
        "policy_rate_hz": _number(controller, "policy_rate_hz"),
        "deadline_misses": _count(controller, "deadline_misses"),
        "inference_ms": {
            "p50": _number(controller, "inference_p50_ms"),
            "p99": _number(controller, "inference_p99_ms"),
        },
        "state_to_command_latency_ms": {
            "p50": _number(bridge, "state_to_command_p50_ms"),
            "p99": _number(bridge, "state_to_command_p99_ms"),
        },
        "planner": _planner(controller),
        "simulation_speed": simulation_speed,
        "mean_expert_weights": _mean_weights(record),
        "gate_events": [f"{event.time:.3f} {event.mode}: {event.reason}" for event in record.gate_events],
    }


def _values(diagnostics: Diagnostics, beginning: str | tuple[str, ...]) -> Mapping[str, str]:
    """Join the values of all statuses whose name begins so: a node may publish several."""
    values: dict[str, str] = {}
    for name, status in diagnostics.items():
        if name.lstrip("/").startswith(beginning):
            values.update(status)
    return values


def _planner(values: Mapping[str, str]) -> dict[str, Any] | None:
    """Return the planner's statistics; None where no planner ran."""
    if "plans" not in values:
        return None
    return {
        "backend": values.get("backend"),
        "plans": _count(values, "plans"),
        "misses": _count(values, "misses"),
        "faults": _count(values, "faults"),
        "samples_used_mean": _number(values, "samples_used_mean"),
        "transfers": _count(values, "transfers"),
        "driver": values.get("driver"),
        **{
            f"{part}_ms": {f"p{percent}": _number(values, f"{part}_ms_p{percent}") for percent in (50, 95, 99)}
            for part in PLAN_PARTS
        },
    }


def _number(values: Mapping[str, str], key: str) -> float | None:
    try:
        number = float(values[key])
    except (KeyError, ValueError):
        return None
    return number if np.isfinite(number) else None


def _count(values: Mapping[str, str], key: str) -> int | None:
    number = _number(values, key)
    return None if number is None else int(number)


def _mean_weights(record: Record) -> dict[str, dict[str, float]]:
    playing = (record.weights_time > record.play_start) & (record.weights_time <= record.play_end)
    if not np.any(playing):
        return {}
    mean = record.weights[playing].mean(axis=0)
    return {
        group: {expert: round(float(weight), 4) for expert, weight in zip(record.experts, row, strict=True)}
        for group, row in zip(record.groups, mean, strict=True)
    }


def write_summary(summary: Mapping[str, Any], path: Path) -> None:
    """Write a summary as JSON."""
    path.write_text(json.dumps(summary, indent=2) + "\n")


def read_summary(path: Path) -> dict[str, Any] | None:
    """Read a summary that `write_summary` wrote; None if there is none."""
    try:
        return json.loads(path.read_text())
    except (OSError, json.JSONDecodeError):
        return None


def print_summary(summary: Mapping[str, Any], console: Console | None = None) -> None:
    """Show a summary on the screen."""
    success = summary["success"]
    table = Table(title=f"{summary['scenario']}, seed {summary['seed']}", show_header=False, title_justify="left")
    table.add_column(style="bold")
    table.add_column()
    targets, velocity = summary["ee_targets"], summary["rms_velocity_error"]
    latency, error = summary["state_to_command_latency_ms"], summary["settled_median_ee_error_m"]
    result = "[green]ok[/]: " if success else "" if summary["exit_reason"] == "interrupted" else "[red]failed[/]: "
    rows = (
        ("result", result + summary["exit_reason"]),
        ("falls", str(summary["falls"])),
        ("settled EE error", "-" if error is None else f"{100 * error:.1f} cm (median)"),
        ("EE targets", f"{targets['reached']} of {targets['scored']} reached" if targets["scored"] else "-"),
        ("velocity error", f"{_show(velocity['linear_m_s'], 'm/s')}, {_show(velocity['yaw_rad_s'], 'rad/s')} (RMS)"),
        ("played", _show(summary["duration_s"], "s", 1)),
        ("controller", f"{_show(summary['policy_rate_hz'], 'Hz', 1)}, {summary['deadline_misses']} deadlines missed"),
        *_planner_rows(summary.get("planner")),
        ("state to command", f"p50 {_show(latency['p50'], 'ms')}, p99 {_show(latency['p99'], 'ms')}"),
        ("simulation speed", _show(summary["simulation_speed"], "x real time")),
        ("gate", "\n".join(summary["gate_events"]) or "-"),
    )
    for name, text in rows:
        table.add_row(name, text)
    (console or Console()).print(table)


def _planner_rows(planner: Mapping[str, Any] | None) -> list[tuple[str, str]]:
    if planner is None:
        return []
    times = ", ".join(f"{name} {_show(value, 'ms')}" for name, value in planner["plan_ms"].items())
    split = ", ".join(f"{part} {_show(planner[f'{part}_ms']['p50'], 'ms')}" for part in PLAN_PARTS[1:])
    used = _show(planner["samples_used_mean"], "samples", 0)
    return [
        ("plans", f"{planner['plans']} ({planner['backend']}), {planner['misses']} late, {planner['faults']} failed"),
        ("plan time", f"{times} ({split}), {used}"),
    ]


def _show(value: float | None, unit: str, digits: int = 2) -> str:
    return "-" if value is None else f"{value:.{digits}f} {unit}"
