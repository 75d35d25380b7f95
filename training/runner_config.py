"""Settings of one training loop, as the YAML files in configs/runner fill them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class RunnerConfig:
    """rsl_rl's dictionaries and what the loop adds to them."""

    obs_groups: Mapping[str, Any]
    """Observation groups of the `actor` and the `critic`."""
    actor: Mapping[str, Any]
    """`class_name` and arguments of the actor's model."""
    critic: Mapping[str, Any]
    algorithm: Mapping[str, Any]
    """`class_name` and arguments of PPO."""
    learning_rate: tuple[float, float]
    """Start and end; linear over the run."""
    critic_learning_rate: float | None = None
    """Of the critic, where it has one of its own: a new critic has to catch up with a warm-started actor, whose small
    steps would keep it behind for a million environment steps."""
    million_steps: float = 1.0
    """Environment steps of the whole run."""
    expert: str = "expert"
    """Name of what it makes, where that is a single expert."""
    std: tuple[float, float] | None = None
    """Start and end of a standard deviation that is not learned; its logarithm is linear over the run. A learned one
    can stay large, and then the deterministic policy lags behind its own noisy rollouts."""
    num_steps_per_env: int = 24
    critic_warm_up: int = 0
    """Iterations with a frozen actor, so that an untrained critic does not wreck a trained one."""
    clone_steps: int = 0
    """Control steps of regression before the first iteration (imitation.py): a single expert to plain kinematics, the
    experts of a coalition to what they did apart, the router over two to the shares that its phases ask for."""
    save_every: int = 50
    """Iterations between checkpoints. At each, the environments start anew, so that a run that is resumed there equals
    one that was never stopped."""

    def __post_init__(self) -> None:
        if self.num_steps_per_env < 1 or self.save_every < 1 or self.critic_warm_up < 0:
            raise ValueError("num_steps_per_env and save_every must be positive, critic_warm_up not negative")
        if min(self.learning_rate) <= 0:
            raise ValueError(f"learning_rate must be positive, got {list(self.learning_rate)}")
        if self.critic_learning_rate is not None and self.critic_learning_rate <= 0:
            raise ValueError(f"critic_learning_rate must be positive, got {self.critic_learning_rate}")
        distribution = self.actor.get("distribution_cfg") or {}
        fixed_log = distribution.get("learn_std") is False and distribution.get("std_type") == "log"
        if self.std is not None and not fixed_log:
            raise ValueError("std needs actor.distribution_cfg with learn_std: false and std_type: log")
        if self.std is not None and min(self.std) <= 0:
            raise ValueError(f"std must be positive, got {list(self.std)}")
