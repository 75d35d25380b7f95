"""Train one stage: `python -m training.train base|arm|coalition|gate [--out runs/train] [--steps M] [--seed N]`.

Stopped runs go on where they were with the same command; `--fresh` starts over.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from pathlib import Path

import numpy as np
import torch
from go2_piper_description.joints import NUM_JOINTS

from .envs.go2_piper_env import Go2PiperEnv
from .export import save_gate
from .models.expert import CheckpointError, Expert, load_expert, save_expert
from .models.mixture import MixtureModel
from .models.single import SingleExpertModel
from .runner import Runner
from .stages import EXPERT_NAMES, STAGES, Stage, expert_path


def _load_experts(actor: torch.nn.Module, stage: Stage, runs: Path, observation_size: int) -> None:
    if not isinstance(actor, MixtureModel):
        return
    for index, name in enumerate(EXPERT_NAMES):
        source = stage.needs[index] if len(stage.needs) > 1 else stage.needs[0]
        expert = load_expert(expert_path(runs, source, name), observation_size, NUM_JOINTS)
        actor.experts[index].load_state_dict(expert.state_dict())


def _save_experts(actor: torch.nn.Module, stage: Stage, runs: Path) -> None:
    if isinstance(actor, SingleExpertModel):
        save_expert(actor.expert, expert_path(runs, stage.name, stage.name))
    elif isinstance(actor, MixtureModel) and not actor.freeze_experts:
        for name, expert in zip(EXPERT_NAMES, actor.experts, strict=True):
            assert isinstance(expert, Expert)  # ModuleList forgets the type
            save_expert(expert, expert_path(runs, stage.name, name))
    if isinstance(actor, MixtureModel) and actor.gate is not None:
        save_gate(actor.gate, runs / stage.name / "gate.safetensors")


def train(stage: Stage, runs: Path, steps: float, seed: int, threads: int, fresh: bool) -> Path:
    """Train a stage to the end and leave its experts (or gate checkpoint) in `runs/<stage>`; return that folder."""
    torch.manual_seed(seed)
    np.random.seed(seed)
    folder = runs / stage.name
    if fresh and folder.exists():
        shutil.rmtree(folder)
    env = Go2PiperEnv(stage.env_config(seed, threads))
    runner = Runner(env, stage.runner_config(), folder)
    if not runner.resume():
        _load_experts(runner.algorithm.actor, stage, runs, env.get_observations()["policy"].shape[-1])
    frames = stage.num_envs * stage.runner_config()["num_steps_per_env"]
    runner.train(round(steps * 1e6 / frames))
    _save_experts(runner.algorithm.actor, stage, runs)
    return folder


def main(argv: list[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(prog="training.train", description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("stage", choices=STAGES)
    parser.add_argument("--out", type=Path, default=Path("runs/train"), help="folder of the runs")
    parser.add_argument("--steps", type=float, help="environment steps in millions")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)), help="of the simulator")
    parser.add_argument("--fresh", action="store_true", help="start over")
    args = parser.parse_args(argv)
    torch.set_num_threads(1)  # more threads only wait for each other with networks of this size
    stage = STAGES[args.stage]
    try:
        folder = train(stage, args.out, args.steps or stage.million_steps, args.seed, args.threads, args.fresh)
    except CheckpointError as error:
        print(f"training.train: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"training.train: stopped; the same command goes on from {args.out / stage.name}", file=sys.stderr)
        return 130
    print(f"done: {folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
