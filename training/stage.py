"""One training from start or checkpoint to its end: what experts, coalitions and routers have in common."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from moe_controller.observation import preview_times
from torch import nn

from .checkpoint import Card, git_hash, save_checkpoint
from .envs.config import EnvConfig
from .envs.go2_piper_env import Go2PiperEnv
from .imitation import clone_kinematics, clone_routing, clone_specialists
from .models.actor_critic_moe import ActorCriticMoE
from .run_folder import clear, hold
from .run_log import RunLog, last_rows, write_warm_start
from .runner import Runner
from .runner_config import RunnerConfig
from .structured import ConfigError
from .world import World


@dataclass(frozen=True)
class Stage:
    """What is trained, where, and for how long."""

    title: str
    folder: Path
    env: EnvConfig
    runner: RunnerConfig
    million_steps: float
    seed: int
    resume: bool = True
    fresh: bool = False


@dataclass(frozen=True)
class Product:
    """One checkpoint that a stage writes."""

    kind: str
    """`expert` or `moe`"""
    name: str
    network: Mapping[str, Any]
    """For the card."""
    state: Mapping[str, torch.Tensor]


@dataclass(frozen=True)
class Result:
    """What a stage left."""

    title: str
    files: tuple[Path, ...]
    steps: int
    seconds: float
    figures: dict[str, float]
    """The last row of the losses."""


def run_stage(
    stage: Stage,
    config: object,
    products: Callable[[nn.Module], dict[str, Product]],
    world: World,
    device: str,
) -> Result:
    """Train and write the stage's checkpoints.

    Args:
        stage: what to train.
        config: the settings as a dataclass, for the cards.
        products: from the trained actor to what is saved, by file name.
        world: the processes that train together.
        device: of the learner.

    Raises:
        ConfigError, CheckpointError, RunFolderError, TrainingDiverged, Stopped: one line each.
    """
    with hold(stage.folder) if world.is_main else nullcontext():
        if stage.fresh and world.is_main:
            clear(stage.folder)
        world.wait()
        env = _build(stage.env)
        runner = Runner(env, stage.runner, stage.folder, seed=stage.seed, device=device, world=world)
        if not stage.resume and runner.checkpoint.is_file():
            raise ConfigError(f"{stage.folder} holds a run: resume=true goes on, fresh=true starts over")
        if not runner.resume() and stage.runner.clone_steps:
            runner.algorithm.actor.to(env.device)
            losses = _warm_start(env, runner.algorithm.actor, stage.runner.clone_steps)
            if losses and world.is_main:
                write_warm_start(stage.folder, losses)
            runner.algorithm.actor.to(device)
        iterations = max(1, round(stage.million_steps * 1e6 / runner.frames))
        finished = runner.iteration >= iterations
        runner.train(iterations)
        figures = last_rows(RunLog.newest(stage.folder))[0] if world.is_main else {}
        files = []
        for name, product in products(runner.algorithm.actor).items() if world.is_main else ():
            files.append(stage.folder / f"{name}.safetensors")
            if not (finished and files[-1].is_file()):  # what was made earlier keeps its card
                save_checkpoint(files[-1], product.state, _card(stage, config, env, runner, figures, product))
        world.wait()
    return Result(stage.title, tuple(files), runner.iteration * runner.frames, runner.seconds, figures)


def _build(config: EnvConfig) -> Go2PiperEnv:
    try:
        return Go2PiperEnv(config)
    except (ValueError, OSError) as error:  # a model or trajectory file, an observation term
        raise ConfigError(f"env: {error}") from error


def _warm_start(env: Go2PiperEnv, actor: nn.Module, steps: int) -> list[float]:
    if not isinstance(actor, ActorCriticMoE):
        return clone_kinematics(env, actor, steps)
    if len(actor.experts) == 2:  # the modes say who drives what for a base and an arm expert only
        return (clone_routing if actor.freeze_experts else clone_specialists)(env, actor, steps)
    return []


def _card(
    stage: Stage, config: Any, env: Go2PiperEnv, runner: Runner, figures: dict[str, float], product: Product
) -> Card:
    return Card(
        kind=product.kind,
        name=product.name,
        network=product.network,
        observation=stage.env.observation,
        router_observation=stage.env.router_observation,
        preview_times=preview_times(stage.env.observation),
        action_scale=tuple(env.action_scale.tolist()),
        action_clip=stage.env.action_clip,
        config=asdict(config),
        git=git_hash(),
        seed=stage.seed,
        steps=runner.iteration * runner.frames,
        metrics=figures,
    )
