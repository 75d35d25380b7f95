"""All settings of a run, from `amp_ppo_jax_conf.yaml`."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import yaml

from ..structured import ConfigError, from_dict
from .env import Disturbances, EpisodeConfig
from .steering import SteeringConfig
from .update import LearnerSettings


@dataclass(frozen=True)
class Schedule:
    """What changes during a run; steps are environment steps in millions."""

    million_steps: float = 8.4
    learning_rate: float = 5e-4
    """At the start and at most."""
    lowest_learning_rate: float = 2e-5
    target_kl: float = 0.015
    entropy: float = 0.003
    """Weight at the start, zero at `entropy_until`."""
    entropy_until: float = 6.0
    std_cap: tuple[float, float] = (0.55, 0.1)
    """Largest standard deviation at first and at last: a policy that may stay noisy lets the noise do the walking."""
    std_cap_from: float = 2.4
    std_cap_until: float = 6.0
    """Between the two the cap falls geometrically."""
    late_style: float = 1.5
    """Factor on the discriminator's weight at `std_cap_until`, from 1 at `std_cap_from`: first the task is learnt."""

    def __post_init__(self) -> None:
        if not 0.0 < self.std_cap[1] <= self.std_cap[0]:
            raise ValueError(f"std_cap {self.std_cap}: wanted first and last, above 0 and falling")
        if not self.std_cap_from < self.std_cap_until:
            raise ValueError("std_cap_until must be later than std_cap_from")

    def cap(self, millions: float) -> float:
        """Return the largest standard deviation after so many steps."""
        part = (millions - self.std_cap_from) / (self.std_cap_until - self.std_cap_from)
        first, last = self.std_cap
        return first * (last / first) ** min(max(part, 0.0), 1.0)

    def style_factor(self, millions: float) -> float:
        """Return the factor on the discriminator's weight after so many steps."""
        part = (millions - self.std_cap_from) / (self.std_cap_until - self.std_cap_from)
        return 1.0 + (self.late_style - 1.0) * min(max(part, 0.0), 1.0)

    def entropy_weight(self, millions: float) -> float:
        """Return the weight of the entropy after so many steps."""
        return self.entropy * max(0.0, 1.0 - millions / self.entropy_until)

    def next_rate(self, rate: float, kl: float) -> float:
        """Return the learning rate after an update with this divergence."""
        if kl > 1.5 * self.target_kl:
            rate /= 1.15
        elif kl < self.target_kl / 1.5:
            rate *= 1.15
        return min(max(rate, self.lowest_learning_rate), self.learning_rate)


@dataclass(frozen=True)
class AmpConfig:
    """A run."""

    env_id: str = "Go2Piper.walk.mocap"
    custom_traj_path: str = ""
    """Motion file; empty for the clips that the project makes from its own base expert."""
    stepper: str = "mujoco"
    """`mujoco` (CPU) or `mjx` (GPU)."""
    num_envs: int = 768
    groups: int = 2
    """Of robots, each stepped by a thread of its own (`mujoco`); one per core."""
    threads: int = 2
    """Of the simulator on the CPU in evaluations."""
    num_steps: int = 16
    """Control steps per iteration."""
    task_weight: float = 0.1
    disc_weight: float = 0.1
    steering: SteeringConfig = field(default_factory=SteeringConfig)
    disturbances: Disturbances = field(default_factory=Disturbances)
    episodes: EpisodeConfig = field(default_factory=EpisodeConfig)
    learner: LearnerSettings = field(default_factory=LearnerSettings)
    schedule: Schedule = field(default_factory=Schedule)
    normalizer_samples: int = 2_000_000
    """After which the normalisers no longer change."""
    replay_size: int = 200_000
    replay_added: int = 2048
    """Transitions per iteration, drawn at random."""
    replay_sampled: int = 8192
    """Transitions per update that the discriminator's batches are drawn from."""
    save_interval: int = 25
    """Iterations between resumable checkpoints; episodes start anew there, so that a resumed run is the same run."""
    evaluate_interval: int = 50
    """Iterations between evaluations of the deterministic policy, which pick the best checkpoint."""
    evaluate_envs: int = 64

    def __post_init__(self) -> None:
        positive = {
            "num_envs": self.num_envs,
            "num_steps": self.num_steps,
            "groups": self.groups,
            "threads": self.threads,
            "save_interval": self.save_interval,
            "evaluate_interval": self.evaluate_interval,
            "evaluate_envs": self.evaluate_envs,
            "replay_size": self.replay_size,
        }
        wrong = [name for name, value in positive.items() if value < 1]
        if wrong:
            raise ValueError(f"{', '.join(wrong)}: at least 1")
        if self.groups > self.num_envs:
            raise ValueError(f"{self.groups} groups of {self.num_envs} robots: not more groups than robots")
        if self.num_envs * self.num_steps < self.learner.minibatches:
            raise ValueError("num_envs * num_steps is less than the number of minibatches")

    @property
    def frames(self) -> int:
        """Environment steps per iteration."""
        return self.num_envs * self.num_steps

    @property
    def iterations(self) -> int:
        """Of the whole run."""
        return max(1, round(1e6 * self.schedule.million_steps / self.frames))


def load_config(path: Path) -> AmpConfig:
    """Read a YAML file. Raises ConfigError."""
    try:
        data = yaml.safe_load(path.read_text())
    except OSError as error:
        raise ConfigError(f"config {path}: {error.strerror}") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"config {path} is no YAML ({' '.join(str(error).split())[:120]})") from None
    try:
        return from_dict(AmpConfig, data or {})
    except ConfigError as error:
        raise ConfigError(f"config {path}: {error}") from None
