"""Train an expert or a mixture: `python -m training.train env=combo_go2Piper_locomotion`; `--help` lists the settings.

A stopped run goes on with the same command; `fresh=true` starts over.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import torch
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from .checkpoint import CheckpointError
from .configuration import CONFIG_DIR, HYDRA_ERRORS, hydra_arguments, hydra_main, one_line, plain
from .expert_run import train_expert
from .mixture_run import train_mixture
from .nan_guard import TrainingDiverged
from .run_folder import RunFolderError
from .runner import Stopped
from .settings import ExpertSettings, MixtureSettings
from .structured import ConfigError, from_dict
from .summary import show_summary
from .world import World

EXPECTED = (ConfigError, CheckpointError, RunFolderError, TrainingDiverged, *HYDRA_ERRORS)
"""Errors whose message is for the user."""


def _run(config: DictConfig) -> None:
    """Do what one configuration says; Hydra calls it once, or once per job of a multirun."""
    torch.set_num_threads(1)  # more threads only wait for each other with networks of this size
    world = World.from_environment()
    folder = Path(HydraConfig.get().runtime.output_dir)
    values = plain(config)
    settings: Any = from_dict(MixtureSettings if "coalition" in values else ExpertSettings, values)
    device = world.device(settings.device)
    world.join(device)
    try:
        train = train_mixture if isinstance(settings, MixtureSettings) else train_expert
        results = train(settings, folder, world, device)
    finally:
        world.leave()
    if world.is_main:
        show_summary(results)


def main(argv: list[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    rank = World.from_environment().rank
    title = f"training.train (process {rank})" if rank else "training.train"
    arguments = hydra_arguments(sys.argv[1:] if argv is None else argv)
    if rank > 0:
        arguments.append("hydra.output_subdir=null")  # the main process writes the copies of the configuration
    try:
        return hydra_main("training.train", _run, arguments, CONFIG_DIR, "train", (Stopped, OSError, *EXPECTED))
    except Stopped as stop:
        print(f"{title}: {stop}; the same command goes on", file=sys.stderr)
        return 130
    except KeyboardInterrupt:
        print(f"{title}: interrupted; the same command goes on from the last checkpoint", file=sys.stderr)
        return 130
    except EXPECTED as error:
        print(f"{title}: {one_line(error)}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"{title}: cannot use {error.filename or 'a file'} ({error.strerror or error})", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
