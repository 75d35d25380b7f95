"""Play a checkpoint in the environment of a training configuration.

`python -m training.play --config-name=train_moe_example ckpt_path=FILE [setting=value ...]`

Settings of its own: ckpt_path, num_envs, num_steps, trajectory_file_path, show_weights, visualize, record, out. All
others are those of the training command (`python -m training.train --help`), such as env.randomization.push_interval=0.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path

import yaml
from hydra import compose, initialize_config_dir

from .configuration import CONFIG_DIR, HYDRA_ERRORS, hydra_arguments, one_line, plain
from .envs.config import EnvConfig
from .playback.commands import run_command
from .playback.errors import PlayError
from .playback.policies import load_mixture
from .playback.session import Look, build_env, default_out, play
from .structured import ConfigError, from_dict
from .trajectories import load_trajectories


@dataclass(frozen=True)
class PlaySettings:
    """What `training.play` takes beside the configuration of the training."""

    ckpt_path: str = ""
    num_envs: int = 4
    num_steps: int = 500
    trajectory_file_path: str = ""
    """Instead of the goals of the configuration."""
    show_weights: bool = False
    visualize: bool = False
    record: bool = False
    out: str = field(default_factory=lambda: str(default_out()))


def settings_and_config(name: str, overrides: Sequence[str]) -> tuple[PlaySettings, EnvConfig]:
    """Return the settings of the player and the environment of a training configuration.

    Args:
        name: of the configuration, in training/configs.
        overrides: `key=value`; those that are not of `PlaySettings` change the configuration.

    Raises:
        ConfigError: unknown configuration or setting, or values of the wrong kind.
    """
    own_names = {field.name for field in fields(PlaySettings)}
    own = [text for text in overrides if text.partition("=")[0] in own_names]
    values = {key: yaml.safe_load(value) for key, _, value in (text.partition("=") for text in own)}
    settings = from_dict(PlaySettings, values)
    others = [text for text in overrides if text not in own]
    try:
        with initialize_config_dir(str(CONFIG_DIR), version_base="1.3"):
            config = compose(name, hydra_arguments(others))
        if "env" not in config:
            raise ConfigError(f"the configuration {name} has no environment; try train_moe_example")
        env = from_dict(EnvConfig, plain(config.env), "env")
    except HYDRA_ERRORS as error:
        raise ConfigError(one_line(error)) from error
    if any(text.startswith("env.num_envs=") for text in others):
        return settings, env
    return settings, replace(env, num_envs=settings.num_envs)  # that of the configuration is for training


def _run(args: argparse.Namespace) -> None:
    settings, config = settings_and_config(args.config_name, args.overrides)
    if not settings.ckpt_path:
        raise PlayError("ckpt_path is missing: ckpt_path=FILE, a .safetensors or .onnx that training or export wrote")
    policy = load_mixture(Path(settings.ckpt_path))
    file = settings.trajectory_file_path or config.targets.trajectory_file
    sequences = load_trajectories(file) if file else None
    env = build_env(policy, config, settings.num_steps, sequences)
    look = Look(Path(settings.out), settings.show_weights, settings.visualize, settings.record)
    play(policy, env, settings.num_steps, look)


def main(argv: list[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m training.play", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--config-name", default="train_moe_example", help="in training/configs")
    parser.add_argument("overrides", nargs="*", metavar="setting=value")
    return run_command("training.play", _run, parser.parse_args(argv))


if __name__ == "__main__":
    sys.exit(main())
