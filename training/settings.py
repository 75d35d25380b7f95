"""Settings of a training command: what the YAML files in configs/ and the overrides on the command line add up to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from .envs.config import EnvConfig, Range, Terminations
from .runner_config import RunnerConfig

STAGES = ("all", "coalition", "router")
SOURCES = ("coalition", "checkpoints")


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
        _check_steps(self.million_steps)


@dataclass(frozen=True)
class FinishSettings:
    """The end of a coalition, for robots that do not fall: what differs from its environment."""

    million_steps: float
    """On top of those before."""
    fall: float
    """Reward of one."""
    terminations: Terminations
    """An early end makes more falls to learn from."""
    sudden_stops: float
    resample_interval: Range

    def __post_init__(self) -> None:
        _check_steps(self.million_steps)

    def env(self, coalition: EnvConfig) -> EnvConfig:
        """Return the coalition's environment as it is at the end."""
        return replace(
            coalition,
            rewards=replace(coalition.rewards, fall=self.fall),
            terminations=self.terminations,
            sudden_stops=self.sudden_stops,
            resample_interval=self.resample_interval,
        )


@dataclass(frozen=True)
class CoalitionSettings:
    """The stage in which the experts learn together."""

    env: EnvConfig
    runner: RunnerConfig
    million_steps: float
    finish: FinishSettings

    def __post_init__(self) -> None:
        _check_steps(self.million_steps)


@dataclass(frozen=True)
class MixtureSettings:
    """A mixture (train_moe_example.yaml): a coalition stage, then a router stage, whose settings stand at the top."""

    name: str
    env: EnvConfig
    runner: RunnerConfig
    million_steps: float
    coalition: CoalitionSettings
    router: Mapping[str, Any]
    """`kind` and options, see `training.models.routers.build_router`."""
    experts: tuple[str, ...]
    """Names, in the order of the weights."""
    stage: str = "all"
    num_groups: int = 2
    router_over: str = "coalition"
    """Whose experts the router gets: those of the coalition stage, or those of the checkpoints."""
    base_ckpt_path: str | None = None
    arm_ckpt_path: str | None = None
    expert_ckpt_paths: tuple[str, ...] | None = None
    """Any number of experts, instead of the two above."""
    seed: int = 1
    router_seed: int = 1
    device: str = "cpu"
    threads: int = 1
    resume: bool = True
    fresh: bool = False

    def __post_init__(self) -> None:
        _check_steps(self.million_steps)
        _check_choice("stage", self.stage, STAGES)
        _check_choice("router_over", self.router_over, SOURCES)
        if not isinstance(self.router.get("kind"), str):
            raise ValueError(f"router: wanted a kind and its options, got {dict(self.router)}")
        if self.num_groups not in (1, 2):
            raise ValueError(f"num_groups is 1 (all joints) or 2 (legs, arm), not {self.num_groups}")

    @property
    def checkpoints(self) -> tuple[str, ...]:
        """Files of the experts to begin with."""
        if self.expert_ckpt_paths:
            return self.expert_ckpt_paths
        return tuple(path for path in (self.base_ckpt_path, self.arm_ckpt_path) if path)

    @property
    def router_name(self) -> str:
        """Name of the router's output folder."""
        return f"{self.router['kind']}_g{self.num_groups}_s{self.router_seed}"


def _check_steps(million_steps: float) -> None:
    if not million_steps > 0:
        raise ValueError(f"million_steps must be positive, got {million_steps:g}")


def _check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ValueError(f"{name} is one of {', '.join(choices)}, not {value!r}")
