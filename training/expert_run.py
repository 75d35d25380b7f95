"""Training of one expert, or of a monolithic policy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .settings import ExpertSettings
from .stage import Product, Result, Stage, run_stage
from .world import World


def train_expert(settings: ExpertSettings, folder: Path, world: World, device: str) -> list[Result]:
    """Train one expert and leave it in the folder as `<its name>.safetensors`."""
    s = settings
    name = s.runner.expert

    def products(actor: Any) -> dict[str, Product]:
        return {name: Product("expert", name, actor.network(), actor.policy_state())}

    stage = Stage(name, folder, s.env, s.runner, s.million_steps, s.seed, s.resume, s.fresh)
    return [run_stage(stage, settings, products, world, device)]
