"""What a run is: networks, optimisers, normalisers, replay buffer, progress; and its files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import jax
import numpy as np
from flax import serialization, traverse_util
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from ..structured import ConfigError, from_dict
from .config import AmpConfig
from .normalizer import RunningNormalizer
from .replay import ReplayBuffer
from .update import Learner, LearnerState, Norms

SCHEMA = "amp_ppo_jax 1"
BEST, LATEST = "amp_ppo_jax_best.safetensors", "amp_ppo_jax_latest.safetensors"
_POLICY = ("policy.actor", "policy.log_std", "obs_norm", "disc_norm", "disc.")
"""What evaluation and export need."""


class CheckpointError(ValueError):
    """A checkpoint is missing, damaged, foreign, or of another configuration; one line."""


@dataclass
class Progress:
    """Where a run is."""

    iteration: int = 0
    learning_rate: float = 0.0
    best: float = float("inf")
    """Score of the best evaluation, lower is better."""
    seconds: float = 0.0
    """Spent in training, all sessions together."""


@dataclass
class TrainState:
    """A run."""

    learner: LearnerState
    obs_norm: RunningNormalizer
    critic_norm: RunningNormalizer
    disc_norm: RunningNormalizer
    replay: ReplayBuffer
    progress: Progress

    def norms(self) -> Norms:
        """Return the normalisers as they are now."""
        return Norms(self.obs_norm.moments(), self.critic_norm.moments(), self.disc_norm.moments())


@dataclass(frozen=True)
class Sizes:
    """Of the networks' inputs and outputs."""

    obs: int
    critic: int
    disc: int
    actions: int


def new_state(config: AmpConfig, learner: Learner, sizes: Sizes, seed: int) -> TrainState:
    """Return the state at the beginning of a run."""
    limit = config.normalizer_samples
    return TrainState(
        learner.start(jax.random.key(seed), sizes.obs, sizes.critic, sizes.disc),
        RunningNormalizer(sizes.obs, limit),
        RunningNormalizer(sizes.critic, limit),
        RunningNormalizer(sizes.disc, limit),
        ReplayBuffer(config.replay_size, sizes.disc),
        Progress(learning_rate=config.schedule.learning_rate),
    )


def save_state(path: Path, state: TrainState, config: AmpConfig, sizes: Sizes, seed: int, whole: bool) -> None:
    """Write a checkpoint; an older one is replaced when the new one is whole.

    Args:
        path: the file.
        state: the run.
        config: of the run, kept in the file.
        sizes: of the networks.
        seed: of the run.
        whole: with what resuming needs; without, only policy and discriminator.
    """
    tensors = _tensors(state)
    if not whole:
        tensors = {key: value for key, value in tensors.items() if key.startswith(_POLICY)}
    metadata = {
        "format": SCHEMA,
        "config": json.dumps(asdict(config)),
        "sizes": json.dumps(asdict(sizes)),
        "seed": str(seed),
        "progress": json.dumps(asdict(state.progress)),
    }
    part = path.with_name(path.name + ".part")
    save_file(tensors, part, metadata)
    part.replace(path)


@dataclass(frozen=True)
class Saved:
    """A checkpoint as it was read."""

    tensors: dict[str, NDArray]
    config: AmpConfig
    sizes: Sizes
    seed: int
    progress: Progress


def read_checkpoint(path: Path) -> Saved:
    """Read a checkpoint. Raises CheckpointError."""
    if not path.is_file():
        raise CheckpointError(f"no checkpoint at {path}: train one, or give the path of an amp_ppo_jax_*.safetensors")
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118  (no mapping)
    except (SafetensorError, OSError, ValueError) as error:
        raise CheckpointError(f"{path} is not a readable safetensors file ({error})") from None
    if metadata.get("format") != SCHEMA:
        raise CheckpointError(f"{path} is no checkpoint of the AMP training ('{SCHEMA}')")
    broken = [key for key, value in tensors.items() if value.dtype.kind == "f" and not np.isfinite(value).all()]
    if broken:
        raise CheckpointError(f"{path}: numbers that are not finite in {', '.join(broken[:3])}")
    try:
        config = from_dict(AmpConfig, json.loads(metadata["config"]), "config")
        sizes = from_dict(Sizes, json.loads(metadata["sizes"]), "sizes")
        progress = from_dict(Progress, json.loads(metadata["progress"]), "progress")
        return Saved(tensors, config, sizes, int(metadata["seed"]), progress)
    except (KeyError, ConfigError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{path}: its metadata cannot be read ({error})") from None


def restore(state: TrainState, saved: Saved, path: Path, whole: bool) -> None:
    """Put a checkpoint into a state of the same shape.

    Args:
        state: changed in place.
        saved: what was read.
        path: for the messages.
        whole: with what resuming needs; else policy and discriminator only.

    Raises:
        CheckpointError: tensors are missing or have other shapes.
    """
    wanted = _tensors(state)
    if not whole:
        wanted = {key: value for key, value in wanted.items() if key.startswith(_POLICY)}
    for key, value in wanted.items():
        found = saved.tensors.get(key)
        if found is None:
            hint = "it can be evaluated, not resumed" if whole else "it is damaged"
            raise CheckpointError(f"{path} lacks {key}: {hint}")
        if found.shape != value.shape and not key.startswith("replay."):
            raise CheckpointError(f"{path}: {key} has shape {found.shape}, this configuration needs {value.shape}")
    flat = _flat(state.learner)
    for key in flat:
        if key in wanted:
            flat[key] = saved.tensors[key]
    state.learner = serialization.from_state_dict(state.learner, traverse_util.unflatten_dict(flat, sep="."))
    names = ("obs_norm", "disc_norm", *(("critic_norm", "replay") if whole else ()))
    try:
        for name in names:
            getattr(state, name).load(_part(saved.tensors, name))
    except (KeyError, ValueError) as error:
        raise CheckpointError(f"{path}: {error}") from None
    state.progress = saved.progress


def differences(ours: AmpConfig, theirs: AmpConfig) -> list[str]:
    """Return the settings in which two configurations differ, but for those that only say how long or how watched."""
    free = {"threads", "evaluate_interval", "evaluate_envs"}
    names = [field.name for field in fields(AmpConfig) if field.name not in free]
    return [name for name in names if getattr(ours, name) != getattr(theirs, name)]


def _tensors(state: TrainState) -> dict[str, NDArray]:
    tensors = _learner_tensors(state.learner)
    for name in ("obs_norm", "critic_norm", "disc_norm", "replay"):
        tensors |= {f"{name}.{key}": value for key, value in getattr(state, name).state().items()}
    return tensors


def _learner_tensors(learner: LearnerState) -> dict[str, NDArray]:
    return {key: np.asarray(value) for key, value in _flat(learner).items() if value is not traverse_util.empty_node}


def _flat(learner: LearnerState) -> dict[str, Any]:
    """Return all arrays by their path; parts of optimisers without numbers stay as marks."""
    return dict(traverse_util.flatten_dict(serialization.to_state_dict(learner), sep=".", keep_empty_nodes=True))


def _part(tensors: Mapping[str, NDArray], name: str) -> dict[str, NDArray]:
    prefix = f"{name}."
    return {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
