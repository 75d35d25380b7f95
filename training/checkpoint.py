"""Checkpoints: one safetensors file per model, with a card that says what it is, inside and beside it.

The card lies in the file's metadata as JSON and next to it as YAML for people (`base.safetensors`, `base.yaml`); only
the one inside is read. Nothing is ever unpickled.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import subprocess
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
import yaml
from go2_piper_description.joints import JOINT_NAMES
from moe_controller.contract import ObservationTerm
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from .structured import ConfigError, from_dict

CARD_KEY = "card"
"""The metadata entry of the safetensors file that holds the card."""
SCHEMA_VERSION = 1
KINDS = ("expert", "moe")


class CheckpointError(ValueError):
    """A checkpoint is missing, damaged or of another layout; one line."""


@dataclass(frozen=True)
class Card:
    """What one checkpoint is and how it was made."""

    kind: str
    """`expert` or `moe`"""
    name: str
    observation: tuple[ObservationTerm, ...]
    """What the experts see (`policy`), in order."""
    action_scale: tuple[float, ...]
    """rad per raw action, by joint."""
    network: Mapping[str, Any]
    """`hidden_dims`; of a mixture also the experts' names and the router's kind and options."""
    router_observation: tuple[ObservationTerm, ...] = ()
    """Further columns for the router (`router`); empty without."""
    preview_times: tuple[float, ...] = ()
    """s ahead, of the end-effector preview in the observation."""
    joint_names: tuple[str, ...] = JOINT_NAMES
    action_clip: float = 6.0
    """Raw actions are limited to +- this."""
    config: Mapping[str, Any] = field(default_factory=dict)
    """The resolved configuration of the training run."""
    git: str = "unknown"
    seed: int = 0
    steps: int = 0
    """Environment steps."""
    date: str = field(default_factory=lambda: datetime.date.today().isoformat())
    metrics: Mapping[str, Any] = field(default_factory=dict)
    """Last figures of the training, later those of the evaluation."""
    schema_version: int = SCHEMA_VERSION

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"kind is {self.kind!r}, not one of {', '.join(KINDS)}")
        if self.schema_version != SCHEMA_VERSION:
            raise ValueError(f"card schema {self.schema_version}, this software reads {SCHEMA_VERSION}")


def save_checkpoint(path: Path, state_dict: Mapping[str, torch.Tensor], card: Card) -> None:
    """Write the tensors with their card, and the card as YAML beside them; an older file is replaced at the end.

    Raises:
        CheckpointError: tensors that are not finite (named), or a folder that cannot be written.
    """
    state = {key: value.detach().cpu().contiguous() for key, value in state_dict.items()}
    _check_finite(state, path)
    text = json.dumps(asdict(card))
    part = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file(state, part, metadata={CARD_KEY: text})
        part.replace(path)
        path.with_suffix(".yaml").write_text(yaml.safe_dump(json.loads(text), sort_keys=False, allow_unicode=True))
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"cannot write {path} ({error})") from error


def load_checkpoint(path: Path) -> tuple[dict[str, torch.Tensor], Card]:
    """Read tensors and card back, on the CPU.

    Raises:
        CheckpointError: no such file, not safetensors, no card or a damaged one, tensors that are not finite.
    """
    if not path.is_file():
        raise CheckpointError(f"no checkpoint at {path}: train it first or give its path")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            state = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118  (no mapping)
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path} is not a readable safetensors file ({error})") from error
    if CARD_KEY not in metadata:
        raise CheckpointError(f"{path} has no card: it was not written by this project's training")
    try:
        card = from_dict(Card, json.loads(metadata[CARD_KEY]), "card")
    except (ConfigError, json.JSONDecodeError, RecursionError) as error:
        raise CheckpointError(f"{path} has a card that cannot be read ({error})") from error
    _check_finite(state, path)
    return state, card


def fit_state(module: nn.Module, state: Mapping[str, torch.Tensor], source: object) -> None:
    """Load `state` into the module.

    Raises:
        CheckpointError: tensors missing, unknown or of other shapes, each named.
    """
    wanted = module.state_dict()
    differ = [
        f"{key} {tuple(state[key].shape) if key in state else 'missing'} instead of {tuple(value.shape)}"
        for key, value in wanted.items()
        if key not in state or state[key].shape != value.shape
    ]
    differ += [f"{key} unknown" for key in sorted(set(state) - set(wanted))]
    if differ:
        raise CheckpointError(f"{source} holds another network: {'; '.join(differ)}")
    module.load_state_dict(dict(state))


def check_layout(
    card: Card,
    terms: tuple[ObservationTerm, ...],
    source: object,
    *,
    router_terms: tuple[ObservationTerm, ...] | None = None,
    preview_times: tuple[float, ...] | None = None,
    action_scale: tuple[float, ...] | None = None,
    joint_names: tuple[str, ...] = JOINT_NAMES,
) -> None:
    """Refuse a checkpoint whose inputs or outputs are not those of this robot and this environment.

    Args:
        card: of the checkpoint.
        terms: observation terms wanted, in order.
        source: the file's path, for the message.
        router_terms: further terms of the router; None skips the check, as do the next two.
        preview_times: s.
        action_scale: rad per raw action, by joint.
        joint_names: joints wanted, in order.

    Raises:
        CheckpointError: one line that names every term and joint that differs.
    """
    problems = _term_problems("observation", card.observation, terms)
    if router_terms is not None:
        problems += _term_problems("router observation", card.router_observation, router_terms)
    if preview_times is not None and card.preview_times != preview_times:
        problems.append(f"preview times {list(card.preview_times)} s instead of {list(preview_times)} s")
    if card.joint_names != joint_names:
        differ = sorted(set(card.joint_names) ^ set(joint_names))
        problems.append(f"joints {differ}" if differ else f"joint order {list(card.joint_names)}")
    elif action_scale is not None:
        problems += _scale_problems(card, action_scale)
    if problems:
        raise CheckpointError(f"{source} has another layout: {'; '.join(problems)}")


def _scale_problems(card: Card, action_scale: tuple[float, ...]) -> list[str]:
    if len(card.action_scale) != len(action_scale):
        return [f"{len(card.action_scale)} actions instead of {len(action_scale)}"]
    pairs = zip(card.joint_names, card.action_scale, action_scale, strict=True)
    differ = [f"{name} {have:g} instead of {want:g}" for name, have, want in pairs if abs(have - want) > 1e-9]
    return [f"action scale of {', '.join(differ)}"] if differ else []


def _term_problems(title: str, have: tuple[ObservationTerm, ...], want: tuple[ObservationTerm, ...]) -> list[str]:
    ours, theirs = ({term.name: asdict(term) for term in terms} for terms in (want, have))
    problems = []
    missing, unknown = [n for n in ours if n not in theirs], [n for n in theirs if n not in ours]
    if missing:
        problems.append(f"{title} lacks {', '.join(missing)}")
    if unknown:
        problems.append(f"{title} has {', '.join(unknown)}, unknown here")
    for name in ours.keys() & theirs.keys():
        for key, value in ours[name].items():
            if theirs[name][key] != value:
                problems.append(f"{title} {name} has {key} {theirs[name][key]} instead of {value}")
    if not problems and list(ours) != list(theirs):
        problems.append(f"{title} in the order {', '.join(theirs)}")
    return sorted(problems)


def _check_finite(state: Mapping[str, torch.Tensor], path: Path) -> None:
    bad = [key for key, value in state.items() if value.is_floating_point() and not torch.isfinite(value).all()]
    if bad:
        raise CheckpointError(f"{path}: numbers that are not finite in {', '.join(bad)}")


def file_sha256(path: Path) -> str:
    """Return the hex digest of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def git_hash() -> str:
    """Return the short commit of this code, with `-dirty` where files differ from it; `unknown` outside git."""
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty", "--exclude", "*"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
