"""What one evaluation is asked to do, apart from the policies."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from ..envs.config import EnvConfig, Randomization
from ..envs.physics import load_model
from .suites import SUITES, TIMESTEP, Case


class EvaluationError(ValueError):
    """The evaluation was asked for something that cannot be done; one line."""


@dataclass(frozen=True)
class Settings:
    """All that the figures depend on beside the policies. Raises EvaluationError."""

    suites: tuple[str, ...] = tuple(SUITES)
    envs: int = 256
    seed: int = 77
    randomized: bool = False
    """Robot, delay and noise as in training; pushes and payload stay those of the suite where it has them."""
    delay: float = 0.0
    """s from command to joint, the same for all; 0 leaves it to `randomized`."""
    plant_model: str = ""
    """MJCF file of another robot model."""
    seconds: float | None = None
    """Length of all episodes; None for each suite's own."""
    blends: bool = False
    """Constant blends on every suite; they always run on S7."""
    threads: int = 1
    """Of the simulator; no figure depends on it."""

    def __post_init__(self) -> None:
        unknown = [name for name in self.suites if name not in SUITES]
        if unknown or not self.suites:
            raise EvaluationError(f"unknown suite {', '.join(unknown) or '(none)'}; known: {', '.join(SUITES)}")
        if self.envs < 1 or self.threads < 1 or self.seed < 0:
            raise EvaluationError("--envs and --threads are at least 1, --seed at least 0")
        if not 0.0 <= self.delay <= EnvConfig.control_period:
            raise EvaluationError(f"--delay {self.delay:g}: from 0 to {EnvConfig.control_period:g} s, one control step")
        if self.seconds is not None and not 0.1 <= self.seconds <= 600.0:
            raise EvaluationError(f"--seconds {self.seconds:g}: from 0.1 to 600 s")

    def check_plant(self) -> None:
        """Refuse a robot model that cannot be used. Raises ModelError or EvaluationError."""
        if self.plant_model and not Path(self.plant_model).is_file():
            raise EvaluationError(f"no robot model at {self.plant_model}: give an MJCF file")
        if self.plant_model:
            load_model(Path(self.plant_model), TIMESTEP)

    def robot(self, case: Case) -> Randomization:
        """Return what is drawn per robot in a case."""
        drawn = Randomization() if self.randomized else Randomization.none()
        if case.push is not None:
            drawn = replace(drawn, push_interval=case.push[0], push_velocity=case.push[1])
        if case.payload is not None:
            drawn = replace(drawn, payload=(case.payload, case.payload))
        return replace(drawn, delay=(self.delay, self.delay)) if self.delay > 0 else drawn
