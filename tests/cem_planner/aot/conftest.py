"""Stored functions, built once for all tests of this folder, and copies of them to spoil."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from cem_planner.aot import ladder
from cem_planner.aot.manifest import SMOKE_OK
from cem_planner.aot.smoke import SmokeResult

from . import functions


@pytest.fixture(scope="session", autouse=True)
def state_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The user's signing key lies here, not in the real home."""
    path = tmp_path_factory.mktemp("state")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(path))
        yield path


@pytest.fixture(scope="session")
def pristine(state_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which both functions were saved and have passed their smoke run."""
    path = tmp_path_factory.mktemp("pristine")
    for name in functions.FUNCTIONS:
        assert functions.start(path, name=name).rung == "jit"
    return path


@pytest.fixture
def stored(pristine: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(pristine, tmp_path / "stored"))


@pytest.fixture
def no_child(monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests of something else: every smoke run passes without a process."""
    monkeypatch.setattr(ladder, "smoke_run", lambda *args, **kwargs: SmokeResult(SMOKE_OK, lasting=True))
