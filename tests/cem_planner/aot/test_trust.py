"""Nothing is unpickled that this user did not save: neither foreign files nor files that others may change."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import secrets
from pathlib import Path

import pytest
from cem_planner.aot.manifest import Manifest
from cem_planner.aot.signing import key_path, user_key
from cem_planner.aot.store import Store

from . import functions

FOLDER = functions.NAME
ARTEFACTS = ("executable.pickle", "tree.pickle")

pytestmark = pytest.mark.usefixtures("no_child")


class _Marker:
    """Makes a folder when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return os.mkdir, (str(self.path),)


def _foreign(tmp_path: Path) -> tuple[bytes, Path]:
    """A pickle that leaves a mark, tried out."""
    marker = tmp_path / "marker"
    data = pickle.dumps(_Marker(marker))
    pickle.loads(data)
    marker.rmdir()
    return data, marker


def _manifest_for(stored: Path, artefact: str, data: bytes) -> Manifest:
    manifest = Store(stored, FOLDER).read_manifest()
    manifest.artefacts[artefact] = hashlib.sha256(data).hexdigest()
    return manifest


@pytest.mark.parametrize("artefact", ARTEFACTS)
def test_foreign_pickle(artefact: str, stored: Path, tmp_path: Path) -> None:
    data, marker = _foreign(tmp_path)
    (stored / FOLDER / artefact).write_bytes(data)
    assert functions.start(stored).rung in ("export", "jit")
    assert not marker.exists()


@pytest.mark.parametrize("artefact", ARTEFACTS)
@pytest.mark.parametrize("sign", ["other key", "old signature", "no signature"])
def test_foreign_pickle_with_a_matching_manifest(artefact: str, sign: str, stored: Path, tmp_path: Path) -> None:
    data, marker = _foreign(tmp_path)
    path = stored / FOLDER / "manifest.json"
    content = json.loads(_manifest_for(stored, artefact, data).to_json(secrets.token_bytes(32)))
    if sign == "old signature":
        content["signature"] = json.loads(path.read_text())["signature"]
    elif sign == "no signature":
        del content["signature"]
    (stored / FOLDER / artefact).write_bytes(data)
    path.write_text(json.dumps(content))
    compiled = functions.start(stored)
    assert compiled.rung == "jit" and "not signed with this user's key" in compiled.reasons[0]
    assert not marker.exists()


def test_these_pickles_would_be_run_were_they_signed(stored: Path, tmp_path: Path) -> None:
    data, marker = _foreign(tmp_path)
    manifest = _manifest_for(stored, "tree.pickle", data)
    (stored / FOLDER / "tree.pickle").write_bytes(data)
    (stored / FOLDER / "manifest.json").write_bytes(manifest.to_json(user_key()))
    functions.start(stored)
    assert marker.exists()  # hence the tests above test the signature and nothing else


def test_folder_of_another_user_with_another_key(stored: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "other"))
    compiled = functions.start(stored)
    assert compiled.rung == "jit" and "not signed" in compiled.reasons[0]


def test_folder_that_others_may_write_to(stored: Path) -> None:
    (stored / FOLDER).chmod(0o770)
    compiled = functions.start(stored)
    assert compiled.rung == "jit"
    assert len([reason for reason in compiled.reasons if "open to other users (mode 0770)" in reason]) == 2  # nor saved


@pytest.mark.parametrize(("file", "rung"), [("manifest.json", "jit"), ("executable.pickle", "export")])
def test_file_that_others_may_write_to(file: str, rung: str, stored: Path) -> None:
    (stored / FOLDER / file).chmod(0o606)
    compiled = functions.start(stored)
    assert compiled.rung == rung and "open to other users (mode 0606)" in compiled.reasons[0]


@pytest.mark.parametrize(("file", "rung"), [("", "jit"), ("manifest.json", "jit"), ("executable.pickle", "export")])
def test_file_of_another_owner(file: str, rung: str, stored: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give files away")
    os.chown(stored / FOLDER / file, 65534, 65534)
    compiled = functions.start(stored)
    assert compiled.rung == rung and "belongs to user 65534" in compiled.reasons[0]


@pytest.mark.parametrize(("file", "rung"), [("manifest.json", "jit"), ("executable.pickle", "export")])
def test_links_are_not_followed(file: str, rung: str, stored: Path, tmp_path: Path) -> None:
    path = stored / FOLDER / file
    path.rename(tmp_path / file)
    path.symlink_to(tmp_path / file)
    compiled = functions.start(stored)
    assert compiled.rung == rung and "cannot read" in compiled.reasons[0]


def test_pipe_in_place_of_a_file_does_not_stop_the_start(stored: Path) -> None:
    path = stored / FOLDER / "manifest.json"
    path.unlink()
    os.mkfifo(path)
    compiled = functions.start(stored)
    assert compiled.rung == "jit" and "no regular file" in compiled.reasons[0]


def test_saved_files_are_private(pristine: Path, state_home: Path) -> None:
    folder = pristine / FOLDER
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    assert key_path().stat().st_mode & 0o777 == 0o600
    assert key_path().is_relative_to(state_home) and not key_path().is_relative_to(pristine)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda key: key.chmod(0o640), "open to other users (mode 0640)"),
        (lambda key: key.parent.chmod(0o777), "open to other users (mode 0777)"),
        (lambda key: key.write_bytes(b"short"), "is damaged: delete it"),
    ],
)
def test_key_that_is_none(
    spoil: object, words: str, stored: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "spoilt"))
    user_key()
    spoil(key_path())  # type: ignore[operator]
    before = {path: path.read_bytes() for path in (stored / FOLDER).iterdir()}
    compiled = functions.start(stored)
    assert compiled.rung == "jit" and len([reason for reason in compiled.reasons if words in reason]) == 2
    assert {path: path.read_bytes() for path in (stored / FOLDER).iterdir()} == before
