"""Read-only folders, full disks, no home: the function is compiled, one line says that it is not kept."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from cem_planner.aot import Compiled
from cem_planner.aot.store import Store

from . import functions

NOBODY = 65534
FOLDER = functions.NAME

pytestmark = pytest.mark.usefixtures("no_child")


@contextmanager
def _without_root(*folders: Path) -> Iterator[None]:
    """Give folders to another user and be that user for a while, since permissions do not stop root."""
    if os.geteuid() != 0:
        yield
        return
    for folder in folders:
        for path in (folder, *folder.rglob("*")):
            os.chown(path, NOBODY, NOBODY)
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def open_parents(tmp_path: Path) -> Iterator[None]:
    """pytest's own folders are closed to other users."""
    changed = [path for path in tmp_path.parents if path.stat().st_uid == os.geteuid() and not path.stat().st_mode & 1]
    modes = {path: path.stat().st_mode for path in (tmp_path, *changed)}
    for path, mode in modes.items():
        path.chmod(mode | 0o011)
    yield
    for path, mode in modes.items():
        path.chmod(mode)


def _is_right(compiled: Compiled) -> bool:
    return np.allclose(compiled.call(functions.X, functions.WEIGHTS)["y"], functions.expected(), atol=1e-6)


@pytest.mark.usefixtures("open_parents")
def test_read_only_folder(stored: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A real one: its mode is 0500, and the test is not root for that time."""
    folder, state = stored / FOLDER, tmp_path / "state"
    monkeypatch.setenv("XDG_STATE_HOME", str(state))
    taken = functions.fingerprint()
    state.mkdir()
    functions.start(stored, taken, recompile=True)  # signed with the key of that user
    folder.chmod(0o500)
    with _without_root(stored, state):
        with pytest.raises(PermissionError):
            (folder / "new").touch()
        loaded = functions.start(stored, taken)
        anew = functions.start(stored, taken, recompile=True)
    folder.chmod(0o700)
    assert loaded.rung == "executable" and not loaded.reasons and _is_right(loaded)
    assert anew.rung == "jit" and "not saved for the next start: cannot write to" in anew.reasons[-1]
    assert "Permission denied" in anew.reasons[-1] and _is_right(anew)


@pytest.mark.usefixtures("open_parents")
def test_read_only_home(stored: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o500)
    monkeypatch.setenv("XDG_STATE_HOME", str(closed / "state"))
    taken = functions.fingerprint()
    with _without_root(stored):
        compiled = functions.start(stored, taken)
    assert compiled.rung == "jit" and _is_right(compiled)
    assert all("no signing key" in reason for reason in compiled.reasons) and len(compiled.reasons) == 2


def test_place_that_cannot_be_a_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    compiled = functions.start(tmp_path / "file")
    assert compiled.rung == "jit" and "not saved for the next start" in compiled.reasons[-1] and _is_right(compiled)


def test_full_disk(stored: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every new file is /dev/full, where the kernel itself answers ENOSPC."""
    original = os.open

    def full(path: object, flags: int, mode: int = 0o777) -> int:
        return original("/dev/full", os.O_WRONLY) if str(path).endswith(".part") else original(str(path), flags, mode)

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", full)
        compiled = functions.start(stored, recompile=True)
    assert compiled.rung == "jit" and "No space left on device" in compiled.reasons[-1] and _is_right(compiled)
    assert len(compiled.reasons) == 2
    assert not list((stored / FOLDER).glob("*.part"))


def test_disk_that_fills_up(tmp_path: Path) -> None:
    """A real file system of 16 KiB; less than an executable needs."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", str(disk)]
    try:
        if subprocess.run(mount, capture_output=True, check=False).returncode:
            pytest.skip("no permission to mount")
    except FileNotFoundError:
        pytest.skip("no mount command")
    try:
        compiled = functions.start(disk)
        assert compiled.rung == "jit" and "No space left on device" in compiled.reasons[-1] and _is_right(compiled)
        assert not list(disk.rglob("*.part")) and not (disk / FOLDER / "manifest.json").exists()
        assert functions.start(disk).rung == "jit"
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_killed_while_saving(stored: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """New artefacts under the old manifest are refused, and what was left is removed."""
    original = Store._write

    def dies(self: Store, name: str, data: bytes) -> None:
        if name == "manifest.json":
            raise KeyboardInterrupt
        original(self, name, data)

    (stored / FOLDER / "executable.pickle.123.part").write_text("")
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Store, "_write", dies)
        functions.start(stored, functions.fingerprint(knots=5))
    compiled = functions.start(stored)
    assert compiled.rung in ("export", "jit") and _is_right(compiled)
    assert functions.start(stored, recompile=True).rung == "jit"
    assert functions.start(stored).rung == "executable"
    assert not list((stored / FOLDER).glob("*.part"))
