"""A checkpoint ready to act."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from .robot import RobotConfig, robot_config
from .state import Saved, TrainState, new_state, read_checkpoint, restore
from .update import Learner, make_learner


@dataclass(frozen=True)
class LoadedRun:
    """Policy and discriminator of a checkpoint."""

    saved: Saved
    robot: RobotConfig
    learner: Learner
    state: TrainState


def load_run(path: Path) -> LoadedRun:
    """Load policy and discriminator. Raises CheckpointError or ConfigError, one line."""
    saved = read_checkpoint(path)
    robot = robot_config(saved.config.env_id)
    learner = make_learner(saved.config.learner, saved.sizes.actions)
    state = new_state(saved.config, learner, saved.sizes, saved.seed)
    restore(state, saved, path, whole=False)
    return LoadedRun(saved, robot, learner, state)
