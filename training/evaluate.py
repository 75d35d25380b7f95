"""Evaluate experts and mixtures on fixed seeds: `python -m training.evaluate [--runs runs/train] [--out FILE.md]`.

Deterministic policies, 10 s episodes. Suites: `walk` (velocity commands), `reach` (standing, end-effector targets),
`both` (a random velocity command and a random target at once).
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from go2_piper_description.joints import NUM_JOINTS
from moe_controller.observation import DEFAULT_TERMS

from .envs.config import EnvConfig, Mode, Randomization
from .envs.go2_piper_env import Go2PiperEnv
from .export import load_gate
from .models.expert import CheckpointError, load_expert
from .models.mixture import blend
from .stages import EXPERT_NAMES, expert_path

Policy = Callable[[torch.Tensor], torch.Tensor]

SUITES = {
    "walk": EnvConfig(modes=(Mode("walk", 1.0),)),
    "reach": EnvConfig(modes=(Mode("reach", 1.0, reach=True),), zero_command_probability=1.0),
    "both": EnvConfig(modes=(Mode("both", 1.0, reach=True),)),
}
SETTLE = 2.0
"""s after a new target before its error counts as settled."""


@dataclass(frozen=True)
class Score:
    """What one policy did on one suite."""

    linear_error: float
    """m/s, mean over samples with a command above 0.1."""
    yaw_error: float
    ee_median_cm: float
    """Settled (2 s after a new target)."""
    ee_p90_cm: float
    fall_rate: float
    """Falls per episode of 10 s."""
    reward: float
    """Per step, as in training, sharp kernels included."""


def evaluate(policy: Policy, config: EnvConfig, seed: int = 77, randomized: bool = False) -> Score:
    """Run one episode in every environment and score it.

    Args:
        policy: observation (N, size) -> raw action (N, 18).
        config: the suite; its seed and randomisation are replaced.
        seed: of commands, targets and randomisation.
        randomized: with the randomisation of the training, or the nominal robot.
    """
    randomization = config.randomization if randomized else Randomization.none()
    env = Go2PiperEnv(replace(config, seed=seed, randomization=randomization))
    obs = env.get_observations()
    linear, yaw, ee, rewards, falls = [], [], [], [], 0
    last_target = env.ee_target.copy()
    since = np.zeros(env.num_envs)
    for _ in range(env.max_episode_length - 1):
        with torch.inference_mode():
            action = policy(obs["policy"])
        obs, reward, done, extras = env.step(action)
        ended = done.numpy().astype(bool)
        falls += int((ended & ~extras["time_outs"].numpy()).sum())
        changed = np.any(env.ee_target != last_target, axis=1)
        since = np.where(changed, 0.0, since + env.config.control_period)
        last_target = env.ee_target.copy()
        moving = np.linalg.norm(env.command, axis=1) > 0.1
        linear.append(np.linalg.norm(env.base_linear_velocity[moving, :2] - env.command[moving, :2], axis=1))
        yaw.append(np.abs(env.base_angular_velocity[moving, 2] - env.command[moving, 2]))
        ee.append(env.ee_error[(since >= SETTLE) & ~changed])
        rewards.append(reward.mean().item())
    errors = np.concatenate(ee) * 100
    empty = not sum(map(len, linear))
    return Score(
        linear_error=float("nan") if empty else float(np.concatenate(linear).mean()),
        yaw_error=float("nan") if empty else float(np.concatenate(yaw).mean()),
        ee_median_cm=float(np.median(errors)),
        ee_p90_cm=float(np.percentile(errors, 90)),
        fall_rate=falls / env.num_envs,
        reward=float(np.mean(rewards)),
    )


def load_policies(runs: Path) -> dict[str, Policy]:
    """Return every policy that the runs hold: specialists, coalition experts, uniform blend, learned gate."""
    size = sum(term.size for term in DEFAULT_TERMS)
    policies: dict[str, Policy] = {}
    for stage, names in (("base", ("base",)), ("arm", ("arm",)), ("coalition", EXPERT_NAMES)):
        for name in names:
            path = expert_path(runs, stage, name)
            if path.is_file():
                policies[f"{stage}: {name}"] = load_expert(path, size, NUM_JOINTS).eval()
    experts = [policies.get(f"coalition: {name}") for name in EXPERT_NAMES]
    if None not in experts:
        policies["uniform blend"] = lambda x: sum(expert(x) for expert in experts) / len(experts)  # type: ignore
        split = torch.tensor([[[1.0, 0.0], [0.0, 1.0]]])
        policies["split"] = lambda x: blend(
            split.expand(len(x), -1, -1),
            torch.stack([expert(x) for expert in experts], 1),  # type: ignore[misc]
        )
        gate_file = runs / "gate" / "gate.safetensors"
        if gate_file.is_file():
            gate = load_gate(gate_file, size).eval()
            policies["learned gate"] = lambda x: blend(
                gate(x),
                torch.stack([expert(x) for expert in experts], 1),  # type: ignore[misc]
            )
    if not policies:
        raise CheckpointError(f"no experts in {runs}: train first")
    return policies


def table(results: dict[str, dict[str, Score]]) -> str:
    """Return a Markdown table of the scores."""
    lines = [
        "| policy | suite | linear error m/s | yaw error rad/s | EE settled median / p90 cm | falls | reward/step |",
        "|---|---|---|---|---|---|---|",
    ]
    for policy, suites in results.items():
        for suite, s in suites.items():
            lines.append(
                f"| {policy} | {suite} | {s.linear_error:.3f} | {s.yaw_error:.3f} | "
                f"{s.ee_median_cm:.1f} / {s.ee_p90_cm:.1f} | {100 * s.fall_rate:.1f} % | {s.reward:.4f} |"
            )
    return "\n".join(lines)


def main(argv: list[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(prog="training.evaluate", description="Score experts and mixtures.")
    parser.add_argument("--runs", type=Path, default=Path("runs/train"))
    parser.add_argument("--suites", default="walk,reach,both")
    parser.add_argument("--policies", help="comma-separated names; all by default")
    parser.add_argument("--envs", type=int, default=256)
    parser.add_argument("--seed", type=int, default=77)
    parser.add_argument("--randomized", action="store_true", help="with the randomisation of the training")
    parser.add_argument("--out", type=Path, help="write results as JSON")
    args = parser.parse_args(argv)
    torch.set_num_threads(1)
    unknown = [name for name in args.suites.split(",") if name not in SUITES]
    if unknown:
        print(f"training.evaluate: unknown suites {unknown}; known: {', '.join(SUITES)}", file=sys.stderr)
        return 2
    try:
        policies = load_policies(args.runs)
    except CheckpointError as error:
        print(f"training.evaluate: {error}", file=sys.stderr)
        return 1
    wanted = args.policies.split(",") if args.policies else list(policies)
    results: dict[str, dict[str, Score]] = {}
    for name in wanted:
        if name not in policies:
            print(f"training.evaluate: no policy '{name}' in {args.runs}; there are {list(policies)}", file=sys.stderr)
            return 2
        suites = {
            suite: evaluate(policies[name], replace(SUITES[suite], num_envs=args.envs), args.seed, args.randomized)
            for suite in args.suites.split(",")
        }
        results[name] = suites
        print(table({name: suites}), flush=True)
    if args.out:
        args.out.write_text(json.dumps({p: {s: asdict(v) for s, v in r.items()} for p, r in results.items()}, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
