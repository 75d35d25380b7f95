"""Training of a mixture: the experts together (coalition), then a router over them, frozen."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from moe_controller.observation import ROUTER_TERMS

from .envs.config import EnvConfig
from .runner_config import RunnerConfig
from .settings import MixtureSettings
from .stage import Product, Result, Stage, run_stage
from .world import World

READ_ROUTER_TERMS = ("traj_attention",)
"""Routers that see more than the experts."""


def train_mixture(settings: MixtureSettings, folder: Path, world: World, device: str) -> list[Result]:
    """Train the stages that the settings ask for: `coalition/<expert>.safetensors`, `router/<name>/moe.safetensors`."""
    results = []
    if settings.stage in ("all", "coalition"):
        results += _train_coalition(settings, folder / "coalition", world, device)
    if settings.stage in ("all", "router"):
        results.append(_train_router(settings, folder, world, device))
    return results


def _train_coalition(settings: MixtureSettings, folder: Path, world: World, device: str) -> list[Result]:
    c, s = settings.coalition, settings
    runner = _with_actor(c.runner, c.env, experts=s.experts, expert_ckpt_paths=s.checkpoints)

    def products(actor: Any) -> dict[str, Product]:
        return {
            name: Product("expert", name, {"hidden_dims": list(expert.hidden_dims)}, expert.state_dict())
            for name, expert in actor.experts.items()
        }

    stage = Stage("coalition", folder, c.env, runner, c.million_steps, s.seed, s.resume, s.fresh)
    million_steps = c.million_steps + c.finish.million_steps
    finish = Stage("coalition, finish", folder, c.finish.env(c.env), runner, million_steps, s.seed)
    return [run_stage(one, settings, products, world, device) for one in (stage, finish)]


def _train_router(settings: MixtureSettings, folder: Path, world: World, device: str) -> Result:
    s = settings
    paths = s.checkpoints
    if s.router_over == "coalition":
        paths = tuple(str(folder / "coalition" / f"{name}.safetensors") for name in s.experts)
    env = s.env
    if s.router["kind"] in READ_ROUTER_TERMS and not env.router_observation:
        env = replace(env, router_observation=ROUTER_TERMS)
    router = dict(s.router)
    if s.num_groups == 1:
        router["preference"] = 0.0  # one group for all joints has no expert of its own
    runner = _with_actor(
        s.runner, env, experts=s.experts, expert_ckpt_paths=paths, router=router, num_groups=s.num_groups
    )

    def products(actor: Any) -> dict[str, Product]:
        return {"moe": Product("moe", "moe", actor.network(), actor.policy_state())}

    title, output = f"router {s.router_name}", folder / "router" / s.router_name
    stage = Stage(title, output, env, runner, s.million_steps, s.router_seed, s.resume, s.fresh)
    return run_stage(stage, settings, products, world, device)


def _with_actor(runner: RunnerConfig, env: EnvConfig, **options: Any) -> RunnerConfig:
    terms = {"policy_terms": env.observation, "router_terms": env.router_observation}
    return replace(runner, actor={**runner.actor, **terms, **options})
