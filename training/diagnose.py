"""Show what a mixture's router does, and why it does not learn: `python -m training.diagnose --ckpt FILE --out DIR`.

Runs the mixture in its environment through walking, reaching and both, and reports whether the weights react to the
observation and to what, usage and entropy by situation, gradient norms by part, dead experts, and in plain words what
is wrong with the likely cause and a remedy.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import torch

from .checkpoint import CheckpointError
from .diagnosis.collect import collect, env_config
from .diagnosis.findings import find
from .diagnosis.history import read_history
from .diagnosis.measures import measure
from .diagnosis.report import Diagnosis, finding_lines, write_report
from .diagnosis.samples import Samples, situation_rows
from .models.loading import load_torch_policy
from .models.policy import TorchPolicy
from .models.routers import LearnedRouter
from .structured import ConfigError


def load_mixture(path: Path) -> TorchPolicy:
    """Read a mixture with a learned router. Raises CheckpointError."""
    policy = load_torch_policy(path)
    if policy.card.kind != "moe" or len(policy.experts) < 2:
        raise CheckpointError(f"{path} is a single expert: there is nothing to route; give the checkpoint of a mixture")
    if not isinstance(policy.fused.router, LearnedRouter):
        raise CheckpointError(f"{path} has constant weights: there is no router to look into")
    return policy


def diagnose(policy: TorchPolicy, samples: Samples, folder: Path) -> Diagnosis:
    """Draw the conclusions from samples.

    Args:
        policy: the mixture that they are of.
        samples: of it at work.
        folder: where the training's log may lie.
    """
    runner = policy.card.config.get("runner") or {}
    algorithm = runner.get("algorithm") or {}
    weights = tuple(float(algorithm.get(name, 0.01)) for name in ("moe_weight_regularization", "load_balance"))
    measures = measure(policy.fused, samples, policy.observation, policy.groups, (weights[0], weights[1]))
    history = read_history(folder)
    return Diagnosis(
        name=policy.name,
        experts=policy.experts,
        groups=policy.groups,
        router=str(policy.card.network["router"]["kind"]),
        findings=tuple(find(measures, policy.experts, history)),
        measures=measures,
        situations=tuple(situation_rows(samples)),
        history=history,
    )


def main(argv: list[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(prog="training.diagnose", description="Look into the router of a mixture.")
    parser.add_argument("--ckpt", type=Path, required=True, help="checkpoint of a mixture (.safetensors)")
    parser.add_argument("--out", type=Path, required=True, help="folder for diagnosis.md, .json and .png")
    parser.add_argument("--env", nargs="*", default=[], metavar="FIELD=VALUE", help="of the environment, dotted")
    parser.add_argument("--steps", type=int, default=250, help="control steps that are looked at")
    args = parser.parse_args(argv)
    torch.set_num_threads(1)  # more threads only wait for each other with networks of this size
    try:
        if args.steps < 1:
            raise ConfigError(f"--steps must be positive, got {args.steps}")
        policy = load_mixture(args.ckpt)
        samples = collect(policy, env_config(policy, args.env), args.steps)
        diagnosis = diagnose(policy, samples, args.ckpt.parent)
        paths = write_report(diagnosis, samples, args.out)
    except (CheckpointError, ConfigError, OSError) as error:
        print(f"training.diagnose: {error}", file=sys.stderr)
        return 1
    print("\n".join([*finding_lines(diagnosis.findings), *(str(path) for path in paths)]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
