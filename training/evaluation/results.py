"""The file of results: everything that was measured, and under which settings; an evaluation goes on from it."""

from __future__ import annotations

import datetime
import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ..checkpoint import git_hash
from .policies import Entry
from .settings import EvaluationError, Settings

FILE = "results.json"
SCHEMA = 3
FREE = ("suites", "threads", "blends")
"""Settings on which no figure depends: an evaluation may go on with others."""

Record = dict[str, Any]
"""One policy on one suite: `figures`, `parts`, `distributions`, `usage`, `usage_parts`, `timeline`, `git`."""


class Results:
    """Results in a folder.

    Args:
        folder: of the evaluation; is made.
        settings: what it is asked to do.
        fresh: forget what is there.

    Raises:
        EvaluationError: the folder cannot be written, or holds results of other settings.
    """

    def __init__(self, folder: Path, settings: Settings, fresh: bool = False) -> None:
        self.path = folder / FILE
        self._settings = asdict(settings)
        self.data: dict[str, Any] = {"policies": {}, "results": {}}
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise EvaluationError(f"cannot write to {folder} ({error.strerror})") from error
        if self.path.is_file() and not fresh:
            self.data = read_results(folder)
            self._check_settings()
        self.data |= {
            "schema": SCHEMA,
            "settings": self._settings,
            "git": git_hash(),
            "date": datetime.datetime.now().isoformat(timespec="seconds"),
            "versions": {name: version(name) for name in ("mujoco", "torch", "numpy", "onnxruntime")}
            | {"python": platform.python_version()},
        }

    def _check_settings(self) -> None:
        earlier = self.data["settings"]
        differ = [
            f"{name} {earlier.get(name)} instead of {value}"
            for name, value in self._settings.items()
            if name not in FREE and earlier.get(name) != value
        ]
        if differ:
            raise EvaluationError(
                f"{self.path} was made with other settings ({'; '.join(differ)}): give another --out, or --fresh"
            )

    def add_policies(self, entries: Sequence[Entry]) -> None:
        """Note what the policies are; figures of a policy that was another under the same name are forgotten."""
        policies = self.data["policies"]
        for entry in entries:
            known = policies.get(entry.label)
            if known is not None and known["identity"] != entry.identity:
                for by_label in self.data["results"].values():
                    by_label.pop(entry.label, None)
            policies[entry.label] = {
                "kind": entry.kind,
                "file": entry.file,
                "identity": entry.identity,
                "family": entry.family,
                "mixture": entry.is_mixture,
                "experts": list(entry.policy.experts),
                "groups": list(entry.policy.groups),
            }

    def has(self, suite: str, label: str) -> bool:
        """Whether this has been measured."""
        return label in self.data["results"].get(suite, {})

    def put(self, suite: str, label: str, record: Record) -> None:
        """Add figures and write the file."""
        self.data["results"].setdefault(suite, {})[label] = {**record, "git": self.data["git"]}
        self.save()

    def save(self) -> None:
        """Write the file. Raises EvaluationError."""
        part = self.path.with_name(f"{FILE}.part")
        try:
            part.write_text(json.dumps(self.data, indent=1, allow_nan=False))
            part.replace(self.path)
        except OSError as error:
            raise EvaluationError(f"cannot write {self.path} ({error.strerror})") from error


def read_results(folder: Path) -> dict[str, Any]:
    """Return what an evaluation left. Raises EvaluationError."""
    path = folder / FILE if folder.is_dir() else folder
    try:
        data = json.loads(path.read_text())
        if data["schema"] != SCHEMA:
            raise EvaluationError(f"{path} has schema {data['schema']!r}, this software reads {SCHEMA}: evaluate again")
        for name in ("settings", "policies", "results"):
            if not isinstance(data[name], Mapping):
                raise TypeError(name)
    except OSError as error:
        raise EvaluationError(
            f"cannot read {path} ({error.strerror}): it is a folder that an evaluation left"
        ) from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        if isinstance(error, EvaluationError):
            raise
        raise EvaluationError(f"{path} does not hold results of an evaluation ({error!r})") from error
    return data
