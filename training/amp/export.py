"""An AMP walker as an expert of this project: the same checkpoint, contract and evaluation as every other one.

`python -m training.amp.export --model_path FILE --out FOLDER` writes `amp.safetensors`; `python -m training.export`
makes ONNX of it, and `base_ckpt_path=` takes it into a mixture.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch
from go2_piper_description.joints import JOINT_NAMES, NUM_JOINTS
from moe_controller.observation import DEFAULT_TERMS, PREVIEW_TIMES
from numpy.typing import NDArray

from ..checkpoint import Card, save_checkpoint
from ..envs.config import EnvConfig
from ..models.expert import Expert
from ..structured import ConfigError
from .evaluation import policy_of
from .loading import load_run
from .robot import GO2_PIPER, RobotConfig, robot_config
from .state import CheckpointError, Saved

_OURS = ("angular_velocity", "projected_gravity", "velocity_command", "joint_position", "joint_velocity", "last_action")
"""Terms of the stack that are the environment's observation, in its order (`env.SteeringEnv`)."""


def columns(robot: RobotConfig) -> NDArray[np.int64]:
    """Return where in the stack's observation the numbers of the steering environment are, in their order."""
    places: dict[str, int] = {}
    size = 0
    for term in DEFAULT_TERMS:
        places[term.name] = size
        size += term.size
    joints = [JOINT_NAMES.index(name) for name in robot.joints]
    parts = [
        places[name] + (np.array(joints) if size == NUM_JOINTS else np.arange(size))
        for name in _OURS
        for size in (next(term.size for term in DEFAULT_TERMS if term.name == name),)
    ]
    return np.concatenate(parts).astype(np.int64)


def expert_of(saved: Saved) -> Expert:
    """Return the walker with the stack's observation and actions: what it does not know has no weight, the arm stays.

    Raises:
        CheckpointError: not of this project's robot.
    """
    robot = robot_config(saved.config.env_id)
    if robot.model != GO2_PIPER:
        raise CheckpointError(f"a walker of {saved.config.env_id} cannot run in this stack: only Go2Piper can")
    where = torch.from_numpy(columns(robot))
    outputs = torch.tensor([JOINT_NAMES.index(name) for name in robot.joints])
    hidden = saved.config.learner.actor_hidden
    expert = Expert(sum(term.size for term in DEFAULT_TERMS), NUM_JOINTS, hidden)
    layers = [layer for layer in expert.mlp if isinstance(layer, torch.nn.Linear)]
    names = [*(f"Dense_{index}" for index in range(len(hidden))), "last"]
    with torch.no_grad():
        for layer, name in zip(layers, names, strict=True):
            kernel, bias = (_tensor(saved, f"policy.actor.params.{name}.{part}") for part in ("kernel", "bias"))
            weight = kernel.T
            if name == names[0]:
                weight = weight * torch.from_numpy(varied(saved)).float()
                weight = torch.zeros(len(bias), expert.mlp[0].in_features).index_copy(1, where, weight)
            if name == "last":
                weight = torch.zeros(NUM_JOINTS, weight.shape[1]).index_copy(0, outputs, weight)
                bias = torch.zeros(NUM_JOINTS).index_copy(0, outputs, bias)
            layer.weight.copy_(weight)
            layer.bias.copy_(bias)
        _copy_normalizer(expert, saved, where)
    return expert.eval()


def varied(saved: Saved) -> NDArray[np.bool_]:
    """Return which numbers of the observation ever changed in training, (D,).

    The others have weights that nothing has taught, and no spread: the first sideways command would be a huge number.
    """
    unused = not saved.tensors["obs_norm.count"][0]
    return (np.asarray(saved.tensors["obs_norm.square"]) > 0.0) | unused


def _copy_normalizer(expert: Expert, saved: Saved, where: torch.Tensor) -> None:
    mean, square, count = (saved.tensors[f"obs_norm.{part}"] for part in ("mean", "square", "count"))
    std = np.sqrt(square / max(float(count[0]), 1.0)) if count[0] else np.ones_like(mean)
    normalizer = expert.normalizer
    normalizer._mean[0, where] = torch.from_numpy(mean.astype(np.float32))
    normalizer._std[0, where] = torch.from_numpy(std.astype(np.float32))
    normalizer._var[0, where] = torch.from_numpy((std**2).astype(np.float32))
    normalizer.count.fill_(int(count[0]))


def _tensor(saved: Saved, key: str) -> torch.Tensor:
    if key not in saved.tensors:
        raise CheckpointError(f"the checkpoint lacks {key}")
    return torch.from_numpy(np.array(saved.tensors[key]))


def export(path: Path, out: Path, name: str = "amp") -> Path:
    """Write `<name>.safetensors` with its card after comparing it with the JAX policy. Raises CheckpointError."""
    run = load_run(path)
    expert = expert_of(run.saved)
    difference = _difference(expert, run.robot, policy_of(run.learner, run.state), varied(run.saved))
    if not difference <= 1e-4:
        raise CheckpointError(f"torch and JAX differ by {difference:.2g}: nothing was written")
    env = replace(EnvConfig(), control_period=run.robot.control_period)
    scale = [run.robot.action_scale if joint in run.robot.joints else env.arm_action_scale for joint in JOINT_NAMES]
    card = Card(
        kind="expert",
        name=name,
        observation=DEFAULT_TERMS,
        action_scale=tuple(scale),
        network={"hidden_dims": list(run.saved.config.learner.actor_hidden)},
        preview_times=PREVIEW_TIMES,
        config={"env": asdict(env), "amp": asdict(run.saved.config)},
        seed=run.saved.seed,
        steps=run.saved.progress.iteration * run.saved.config.frames,
    )
    target = out / f"{name}.safetensors"
    save_checkpoint(target, expert.state_dict(), card)
    return target


def _difference(expert: Expert, robot: RobotConfig, act: object, known: NDArray[np.bool_]) -> float:
    """Return the largest difference of the two over random observations, relative where actions are above 1.

    Numbers that training never changed are zero for the one, and anything for the other.
    """
    rng = np.random.default_rng(0)
    ours = rng.normal(0.0, 1.0, (256, len(known))).astype(np.float32) * known
    whole = rng.normal(0.0, 1.0, (256, expert.mlp[0].in_features)).astype(np.float32)
    whole[:, columns(robot)[known]] = ours[:, known]
    with torch.inference_mode():
        theirs = expert(torch.from_numpy(whole)).numpy()
    wanted = np.zeros_like(theirs)
    wanted[:, [JOINT_NAMES.index(name) for name in robot.joints]] = act(ours)  # type: ignore[operator]
    return float((np.abs(wanted - theirs) / np.maximum(1.0, np.abs(wanted))).max())


def main(argv: list[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(prog="training.amp.export", description=__doc__)
    parser.add_argument("--model_path", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("models"))
    parser.add_argument("--name", default="amp")
    args = parser.parse_args(argv)
    try:
        print(f"wrote {export(args.model_path, args.out, args.name)}")
    except (CheckpointError, ConfigError, ValueError, OSError) as error:
        print(f"training.amp.export: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
