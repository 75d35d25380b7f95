"""A mixture of experts from scratch, in five steps: build, look, learn, save, play.

`python -m training.examples.example_moe_usage [--out runs/example]` takes some seconds and needs no trained model; with
`--moe_ckpt_path FILE` the last step plays a trained one instead of the random one that is built here.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import torch
from go2_piper_description.joints import ARM_SLICE, NUM_JOINTS
from moe_controller.controller import weights_entropy
from moe_controller.observation import DEFAULT_TERMS, terms_size
from rich.console import Console
from tensordict import TensorDict

from ..checkpoint import Card, save_checkpoint
from ..envs.config import EnvConfig, Mode
from ..envs.go2_piper_env import Go2PiperEnv
from ..models.actor_critic_moe import ActorCriticMoE
from ..models.expert import Expert
from ..models.routers import ObsMoE
from ..models.routers.columns import find_term
from ..playback.commands import run_command
from ..playback.policies import load_mixture
from ..playback.session import Look, play_trajectories

HIDDEN = (32, 16)
"""Small networks: this is about how the parts fit, not about what they can do."""


def make_experts(folder: Path, action_scale: tuple[float, ...]) -> tuple[Path, Path]:
    """Write checkpoints of two untrained experts; `python -m training.train` makes real ones.

    A checkpoint is a safetensors file with a card: what the network sees, how its actions are scaled, how it was made.
    """
    paths = folder / "base.safetensors", folder / "arm.safetensors"
    for path in paths:
        expert = Expert(terms_size(DEFAULT_TERMS), NUM_JOINTS, HIDDEN)
        card = Card("expert", path.stem, DEFAULT_TERMS, action_scale, {"hidden_dims": list(HIDDEN)})
        save_checkpoint(path, expert.state_dict(), card)
    return paths


def build_mixture(observation: TensorDict, base: Path, arm: Path) -> ActorCriticMoE:
    """Return a mixture of the two experts: an MLP gate, with weights of their own for legs and arm."""
    return ActorCriticMoE(
        observation,
        {"actor": ["policy"]},
        "actor",
        NUM_JOINTS,
        router={"kind": "obs_moe", "hidden_dims": [128, 64]},
        num_groups=2,
        freeze_experts=True,
        base_ckpt_path=str(base),
        arm_ckpt_path=str(arm),
        distribution_cfg={"class_name": "GaussianDistribution", "init_std": 0.1, "std_type": "log"},
    )


def look_at_weights(mixture: ActorCriticMoE, observation: TensorDict, console: Console) -> None:
    """Print the weights of the first robot, and how decided the gate is."""
    with torch.inference_mode():
        weights = mixture.get_moe_weights(observation)  # (N, groups, experts)
        action = mixture.act_inference(observation)  # (N, 18)
    for group, row in zip(("legs", "arm"), weights[0], strict=True):
        console.print(f"  {group}: base {row[0]:.3f}, arm {row[1]:.3f}")
    entropy = weights_entropy(weights.double().numpy()).mean(axis=0)
    console.print(f"  entropy {entropy.round(3)} nats; undecided is {np.log(2):.3f}; actions {tuple(action.shape)}")


def teach_gate(mixture: ActorCriticMoE, observation: TensorDict, console: Console, steps: int = 40) -> None:
    """Teach the gate by examples to prefer `base` where the robot is told to walk, and show that only it learns.

    In training, `PPOMoE` does this by reward instead: `python -m training.train --config-name=train_moe_example`.
    """
    _, columns = find_term(DEFAULT_TERMS, "velocity_command")  # terms are found by name, never by index
    walking = observation["policy"][:, columns].norm(dim=1) > 0.1
    best = torch.where(walking, 0, 1)[:, None].expand(-1, 2)  # index of the expert, for legs and arm
    optimizer = torch.optim.Adam([p for p in mixture.parameters() if p.requires_grad], lr=3e-3)
    mixture.update_normalization(observation)
    for step in range(steps + 1):
        weights = mixture.get_moe_weights(observation)
        loss = -weights.gather(-1, best[..., None]).clamp(min=1e-6).log().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % (steps // 4) == 0:
            shown = [f"{weights[rows, :, 0].mean():.2f}" for rows in (walking, ~walking)]
            console.print(
                f"  step {step:3d}: loss {loss.item():.3f}, weight of base {shown[0]} walking, {shown[1]} not"
            )
    taught = sorted({name.split(".")[0] for name, p in mixture.named_parameters() if p.grad is not None})
    console.print(f"  parts with gradients: {', '.join(taught)}; the experts are frozen")


def save_mixture(mixture: ActorCriticMoE, path: Path, action_scale: tuple[float, ...]) -> None:
    """Write the mixture as one file with everything in it: experts, router and card."""
    card = Card("moe", "example", DEFAULT_TERMS, action_scale, mixture.network())
    save_checkpoint(path, mixture.policy_state(), card)


def run(args: argparse.Namespace) -> None:
    """Do the five steps."""
    torch.manual_seed(0)
    console = Console(highlight=False, soft_wrap=True)
    config = EnvConfig(num_envs=64, seed=0, modes={"walk": Mode(1.0, zero_command=0.5)})
    env = Go2PiperEnv(config)
    observation = env.get_observations()
    scale = np.full(NUM_JOINTS, config.leg_action_scale)
    scale[ARM_SLICE] = config.arm_action_scale

    console.print(
        f"1. {len(observation)} robots; each sees {observation['policy'].shape[-1]} numbers. An ObsMoE alone:"
    )
    gate = ObsMoE(observation["policy"].shape[-1], hidden_dims=[128, 64], num_experts=2)
    weights = gate(observation["policy"])
    console.print(f"  weights {tuple(weights.shape)}, of the first robot {weights[0, 0].tolist()}")

    console.print("2. Two experts and a gate make a mixture. Its weights:")
    base, arm = make_experts(args.out, tuple(scale.tolist()))
    mixture = build_mixture(observation, base, arm)
    look_at_weights(mixture, observation, console)

    console.print("3. The gate learns:")
    teach_gate(mixture, observation, console)

    path = args.out / "moe.safetensors"
    save_mixture(mixture, path, tuple(scale.tolist()))
    console.print(f"4. Saved: {path}")

    chosen = args.moe_ckpt_path or path
    console.print(f"5. {chosen} follows a random trajectory for {args.num_steps} steps:")
    look = Look(args.out / "play")
    play_trajectories(load_mixture(chosen), None, 2, args.num_steps, 0, look, console)


def main(argv: list[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m training.examples.example_moe_usage",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--moe_ckpt_path", type=Path, help="a trained mixture to play in the last step")
    parser.add_argument("--num_steps", type=int, default=150, help="control steps of 20 ms to play")
    parser.add_argument("--out", type=Path, default=Path("runs/example"), help="folder for the files")
    return run_command("training.examples.example_moe_usage", run, parser.parse_args(argv))


if __name__ == "__main__":
    sys.exit(main())
