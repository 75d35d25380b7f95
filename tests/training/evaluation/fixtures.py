"""Tiny policies, samples by hand, and settings that take milliseconds."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from training.evaluation.rollout import Samples
from training.evaluation.settings import Settings

QUICK = Settings(suites=("S5",), envs=2, seconds=0.1)
PERIOD = 0.02


def samples(steps: int = 250, robots: int = 2, **changes: Any) -> Samples:
    """Return samples of robots that do exactly what they are told, with one command and target from start to end."""
    shape = (steps, robots)
    command = np.zeros((*shape, 3))
    command[..., 0] = 0.5
    since = np.tile(PERIOD * np.arange(1, steps + 1)[:, None], (1, robots))
    perfect = Samples(
        period=PERIOD,
        parts=(),
        part=np.zeros(shape, dtype=np.int64),
        command=command,
        velocity=command.copy(),
        place=np.zeros((*shape, 3)),
        ee_error=np.zeros(shape),
        ee_angle=np.zeros(shape),
        since=since,
        walk=np.ones(shape, dtype=bool),
        reach=np.ones(shape, dtype=bool),
        fallen=np.zeros(shape, dtype=bool),
        reward=np.ones(shape),
        power=np.ones(shape),
        action_rate=np.ones(shape),
        weights=np.full((*shape, 1, 2), 0.5),
        tolerance=np.full((robots, 2), np.nan),
    )
    return replace(perfect, **changes)
