"""The four stages that make a mixture: base expert, arm expert, coalition, gate.

Specialists first, then a coalition stage in which both learn to bear each other and to be blended, then they are frozen
and a gate is trained over them. Independently trained experts cannot be blended: each is out of distribution for the
other. Commands and targets are random in every episode of every stage, so no observation column is ever constant.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from .envs.config import EnvConfig, Mode, Rewards

EXPERT_NAMES = ("base", "arm")


@dataclass(frozen=True)
class Stage:
    """One training run."""

    name: str
    modes: tuple[Mode, ...]
    million_steps: float
    actor: dict[str, Any]
    learning_rate: tuple[float, float]
    entropy: float
    critic_warm_up: int = 0
    num_envs: int = 256
    rewards: Rewards = field(default_factory=Rewards)
    algorithm: str = "PPO"
    needs: tuple[str, ...] = ()
    """Stages whose experts this one starts from."""

    def env_config(self, seed: int, threads: int) -> EnvConfig:
        """Return the environment's configuration."""
        return EnvConfig(self.num_envs, self.modes, self.rewards, num_threads=threads, seed=seed)

    def runner_config(self) -> dict[str, Any]:
        """Return rsl_rl's configuration."""
        return {
            "num_steps_per_env": 24,
            "obs_groups": {"actor": ["policy"], "critic": ["policy", "mixing", "privileged"]},
            "actor": self.actor,
            "critic": {
                "class_name": "MLPModel",
                "hidden_dims": [256, 128, 64],
                "activation": "elu",
                "obs_normalization": True,
            },
            "algorithm": {
                "class_name": self.algorithm,
                "num_learning_epochs": 4,
                "num_mini_batches": 4,
                "clip_param": 0.2,
                "gamma": 0.99,
                "lam": 0.95,
                "entropy_coef": self.entropy,
                "learning_rate": self.learning_rate[0],
                "schedule": "fixed",
                "max_grad_norm": 1.0,
            },
            "learning_rate": self.learning_rate,
            "critic_warm_up": self.critic_warm_up,
        }


def _gaussian(std: float, learn: bool = True) -> dict[str, Any]:
    # log: a plain standard deviation can turn negative and crash the run
    return {"class_name": "GaussianDistribution", "init_std": std, "std_type": "log", "learn_std": learn}


def _single(std: float) -> dict[str, Any]:
    return {"class_name": "training.models.single:SingleExpertModel", "distribution_cfg": _gaussian(std)}


def _mixture(std: float, learn: bool = True, **options: Any) -> dict[str, Any]:
    return {
        "class_name": "training.models.mixture:MixtureModel",
        "distribution_cfg": _gaussian(std, learn),
        **options,
    }


_WALK = Mode("walk", 0.5, walk=True, arm_neutral=True)
_WALK_DISTURBED = Mode("walk_disturbed", 0.5, walk=True, scripted_arm=True)
_REACH = Mode("reach", 1.0, walk=False, reach=True, stand=True, base_weight_legs=(0, 0), base_weight_arm=(0, 0))
_COALITION = (
    Mode("base_alone", 0.15, walk=True, arm_neutral=True),
    replace(_REACH, name="arm_alone", probability=0.15),
    Mode("split", 0.25, walk=True, reach=True, base_weight_legs=(1, 1), base_weight_arm=(0, 0)),
    Mode("blend", 0.45, walk=True, reach=True, base_weight_legs=(0.4, 0.6), base_weight_arm=(0.4, 0.6)),
)
_BOTH = (Mode("both", 1.0, walk=True, reach=True),)

STAGES: dict[str, Stage] = {
    stage.name: stage
    for stage in (
        Stage("base", (_WALK, _WALK_DISTURBED), 3.5, _single(0.8), (7e-4, 2e-4), 0.004),
        Stage("arm", (_REACH,), 1.5, _single(0.8), (7e-4, 2e-4), 0.002),
        Stage("coalition", _COALITION, 5.7, _mixture(0.3), (6e-4, 1e-4), 0.001, 12, 320, needs=("base", "arm")),
        Stage("gate", _BOTH, 0.4, _mixture(0.12, False, router="obs_moe", num_groups=2, gate_preference=2.0,
                                                          freeze_experts=True),
              (1e-3, 3e-4), 0.0, 0, 256, algorithm="training.algorithms.ppo_moe:PPOMoE", needs=("coalition",)),
    )
}  # fmt: skip


def expert_path(runs: Path, stage: str, expert: str) -> Path:
    """Return where a stage leaves an expert."""
    return runs / stage / f"{expert}.safetensors"
