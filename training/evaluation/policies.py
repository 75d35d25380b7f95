"""Which policies run side by side: the models, and for mixtures their experts alone and blends that never change."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..checkpoint import file_sha256
from ..models.comparison import constant_blend, single_expert, uniform_blend
from ..models.loading import load_policy
from ..models.onnx_file import OnnxFile
from ..models.policy import Policy, TorchPolicy
from .layout import check_layout
from .settings import EvaluationError

ONE_GROUP = (0.3, 0.4, 0.6, 0.7)
"""Shares of the first expert in all joints; one half is the uniform blend."""
LEGS, ARM = (1.0, 0.75, 0.5), (0.0, 0.25, 0.5)
"""Shares of the first expert in the legs and in the arm: from the hard split towards the uniform blend."""
COLLECTIONS = ("model", "against")


@dataclass(frozen=True)
class Entry:
    """One policy of an evaluation."""

    label: str
    """For tables and plots; unlike all others."""
    policy: Policy
    kind: str
    """`model`; `against` (a specialist to compare with); `expert`, `uniform` or `constant` (made out of a mixture)."""
    identity: str
    """Digest of what it computes: the same network is the same policy whatever it is called."""
    file: str
    family: str = ""
    """Digest of the experts, the same for a mixture and what is made out of it; empty for single experts."""

    @property
    def is_mixture(self) -> bool:
        """Whether it is a mixture with weights of its own."""
        return self.kind in COLLECTIONS and len(self.policy.experts) > 1


def gather(models: Sequence[str], against: Sequence[str] = ()) -> list[Entry]:
    """Load all files and make what they are compared with, each thing once.

    Args:
        models: files, or `name=file`.
        against: the same, of specialists that count as single experts in the comparison.

    Raises:
        CheckpointError, EvaluationError: missing, foreign or unsuited files; one line.
    """
    paths = [_named(text) for text in (*models, *against)]
    labels = _labels(paths)
    entries: list[Entry] = []
    for i, (label, (_, path)) in enumerate(zip(labels, paths, strict=True)):
        policy = load_policy(path, label)
        check_layout(policy)
        kind = "model" if i < len(models) else "against"
        family = _family(policy) if len(policy.experts) > 1 else ""
        entries.append(Entry(label, policy, kind, file_sha256(path), str(path), family))
    families: dict[str, Entry] = {}
    for entry in entries:
        if entry.is_mixture:
            families.setdefault(entry.family, entry)
    made = [part for entry in families.values() for part in _parts(entry, len(families) > 1)]
    return _without_repeats([*entries, *made])


def _parts(mixture: Entry, several: bool) -> list[Entry]:
    """Return the experts alone, the uniform blend and, of two experts, constant blends."""
    prefix = f"{mixture.label}: " if several else ""
    policy = mixture.policy
    made: list[tuple[str, str, Policy]] = [
        (f"{name} alone", "expert", single_expert(policy, name)) for name in policy.experts
    ]
    made.append(("uniform blend", "uniform", uniform_blend(policy)))
    if len(policy.experts) == 2:
        one = [(share, share) for share in ONE_GROUP]
        two = [(legs, arm) for legs in LEGS for arm in ARM if legs != arm]
        for legs, arm in one + two:
            title = "hard split" if (legs, arm) == (1.0, 0.0) else f"constant {legs:.2f}/{arm:.2f}"
            made.append((title, "constant", constant_blend(policy, legs, arm)))
    return [
        Entry(prefix + label, part, kind, _digest(mixture.family, label), mixture.file, mixture.family)
        for label, kind, part in made
    ]


def _named(text: str) -> tuple[str, Path]:
    name, equals, path = text.partition("=")
    if equals and name and not Path(text).exists():
        return name, Path(path)
    return "", Path(text)


def _labels(paths: Sequence[tuple[str, Path]]) -> list[str]:
    """Return the given names, and for the others the shortest ends of their paths that tell them apart."""
    parts = [path.with_suffix("").absolute().parts for _, path in paths]
    labels = [name for name, _ in paths]
    for i, (name, path) in enumerate(paths):
        if name:
            continue
        others = [part for j, part in enumerate(parts) if j != i and not paths[j][0]]
        depth = next((d for d in range(1, len(parts[i])) if all(other[-d:] != parts[i][-d:] for other in others)), 0)
        labels[i] = "/".join(parts[i][-depth:]) if depth else str(path)
    twice = sorted({label for label in labels if labels.count(label) > 1})
    if twice:
        raise EvaluationError(f"two models are called {', '.join(twice)}: give names, --model NAME=FILE")
    return labels


def _without_repeats(entries: Sequence[Entry]) -> list[Entry]:
    kept: dict[str, Entry] = {}
    for entry in entries:
        kept.setdefault(entry.identity, entry)
    return list(kept.values())


def _family(policy: Policy) -> str:
    """Return a digest of a mixture's experts and of what they see."""
    if isinstance(policy, TorchPolicy):
        state = policy.fused.experts.state_dict()
        content = b"".join(key.encode() + value.numpy().tobytes() for key, value in state.items())
        return _digest(policy.card.observation, hashlib.sha256(content).hexdigest())
    assert isinstance(policy, OnnxFile)
    return _digest(policy.contract.expert_sha256 or policy.name)


def _digest(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()
