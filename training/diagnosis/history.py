"""What the log beside a checkpoint says about the router's training."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..run_log import WARM_START, RunLog

LOSS, GRADIENT = "routing", "gradient_router"
SHORTEST = 10
"""Iterations that say something."""


@dataclass(frozen=True)
class TrainingHistory:
    """The router's training."""

    routing: tuple[float, float]
    """The routing loss, means over the first and the last tenth."""
    error: float
    """Standard error of their difference."""
    gradient_router: float | None
    """Mean norm of its gradient; None if the log lacks it."""
    taught: tuple[float, float] | None = None
    """Cross-entropy with the shares that it was taught before, means over the first and the last tenth."""


def read_history(folder: Path) -> TrainingHistory | None:
    """Return what `losses.csv` in a folder says; None if there is none, or none of a router."""
    path = RunLog.newest(folder)
    try:
        with path.open(newline="") as file:
            rows = list(csv.DictReader(file))
        losses = [float(row[LOSS]) for row in rows if row.get(LOSS)]
        gradients = [float(row[GRADIENT]) for row in rows if row.get(GRADIENT)]
    except (OSError, ValueError, csv.Error):
        return None
    if len(losses) < SHORTEST:
        return None
    tenth = max(2, len(losses) // 10)
    first, last = np.array(losses[:tenth]), np.array(losses[-tenth:])
    error = np.sqrt((first.var() + last.var()) / tenth)
    gradient = float(np.mean(gradients)) if gradients else None
    return TrainingHistory((float(first.mean()), float(last.mean())), float(error), gradient, _taught(folder))


def _taught(folder: Path) -> tuple[float, float] | None:
    try:
        with (folder / WARM_START).open(newline="") as file:
            losses = [float(row["loss"]) for row in csv.DictReader(file)]
    except (OSError, KeyError, TypeError, ValueError, csv.Error):
        return None
    if len(losses) < SHORTEST:
        return None
    tenth = len(losses) // 10
    return float(np.mean(losses[:tenth])), float(np.mean(losses[-tenth:]))
