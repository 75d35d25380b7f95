"""Settings of a training command: what the YAML files in configs/ and the overrides on the command line add up to."""

from __future__ import annotations

from dataclasses import dataclass

from .envs.config import EnvConfig
from .runner_config import RunnerConfig


@dataclass(frozen=True)
class ExpertSettings:
    """One expert (train.yaml)."""

    name: str
    """Of the run; the output folder is runs/<name>/seed_<seed>."""
    env: EnvConfig
    runner: RunnerConfig
    million_steps: float
    seed: int = 1
    device: str = "cpu"
    threads: int = 1
    resume: bool = True
    fresh: bool = False

    def __post_init__(self) -> None:
        check_steps(self.million_steps)


def check_steps(million_steps: float) -> None:
    """Refuse a length of training that is none. Raises ValueError."""
    if not million_steps > 0:
        raise ValueError(f"million_steps must be positive, got {million_steps:g}")
