"""Several starts at once: one builds, the others wait for it, and nobody reads half a file."""

from __future__ import annotations

import fcntl
import subprocess
import sys
from pathlib import Path

import pytest

from . import functions


def test_two_first_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They also make the user's key at the same time."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    command = [sys.executable, "-m", "tests.cem_planner.aot.functions", str(tmp_path / "stored"), functions.NAME]
    children = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    said = [child.communicate(timeout=240) for child in children]
    assert [child.returncode for child in children] == [0, 0], said
    assert sorted(output for output, _ in said) == ["executable\n", "jit\n"]


def test_long_build_elsewhere_is_not_waited_for(stored: Path) -> None:
    folder = stored / functions.NAME
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with (folder / "lock").open() as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        compiled = functions.start(stored, lock_timeout=0.1)
    assert compiled.rung == "jit" and "another process has been building it for 0.1 s" in compiled.reasons[0]
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before  # nothing was saved over the other's
    assert functions.start(stored).rung == "executable"
