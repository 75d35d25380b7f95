"""Files that are cut, flipped, missing or nonsense: the next rung, one clear line, and the right numbers."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from cem_planner.aot import Compiled

from . import functions

FOLDER = functions.NAME
EXECUTABLE, EXPORT, TREE, PROBE = "executable.pickle", "export.bin", "tree.pickle", "probe.npz"

pytestmark = pytest.mark.usefixtures("no_child")


def _check(compiled: Compiled, rung: str, words: str) -> None:
    assert compiled.rung == rung
    assert any(words in reason for reason in compiled.reasons), compiled.reasons
    assert all("\n" not in reason for reason in compiled.reasons)
    np.testing.assert_allclose(compiled.call(functions.X, functions.WEIGHTS)["y"], functions.expected(), atol=1e-6)


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@pytest.mark.parametrize("place", [0.0, 0.1, 0.5, 0.9, 1.0])
def test_flipped_bit_in_the_executable(place: float, stored: Path) -> None:
    path = stored / FOLDER / EXECUTABLE
    data = bytearray(path.read_bytes())
    data[int(place * (len(data) - 1))] ^= 1
    path.write_bytes(data)
    _check(functions.start(stored), "export", "executable.pickle is damaged")


def test_cut_executable(stored: Path) -> None:
    _cut(stored / FOLDER / EXECUTABLE)
    _check(functions.start(stored), "export", "executable.pickle is damaged")


def test_missing_executable(stored: Path) -> None:
    (stored / FOLDER / EXECUTABLE).unlink()
    _check(functions.start(stored), "export", "cannot read executable.pickle")


@pytest.mark.parametrize("artefact", [TREE, PROBE, EXPORT])
def test_without_what_both_rungs_need_it_is_compiled_anew(artefact: str, stored: Path) -> None:
    _cut(stored / FOLDER / EXECUTABLE)
    _cut(stored / FOLDER / artefact)
    _check(functions.start(stored), "jit", f"no exported module: {artefact} is damaged")
    assert functions.start(stored).rung == "executable"  # mended


def test_damaged_cache_entry_is_compiled_anew(stored: Path) -> None:
    _cut(stored / FOLDER / EXECUTABLE)
    (entry,) = (stored / FOLDER).glob("cache-*")
    _cut(entry)
    _check(functions.start(stored), "export", "no cached compilation: cache-")
    assert functions.start(stored).rung == "executable"  # mended, as this compilation was a new one


def test_undamaged_cache_entry_saves_the_compilation(stored: Path) -> None:
    _cut(stored / FOLDER / EXECUTABLE)
    _check(functions.start(stored), "export", "not renewed from the cache")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "not readable JSON"),
        (b"\x00\xff garbage", "not readable JSON"),
        (b"[" * 100_000, "not readable JSON"),
        (b"[]", "is no manifest"),
        (b'{"body": {}}', "has format None"),
        (b'{"format": 1, "body": {}}', "not signed"),
        (b'{"format": 1, "body": {}, "signature": "\xc3\xa4"}', "not signed"),
        (b'{"format": 99, "body": {}, "signature": ""}', "has format 99"),
    ],
)
def test_manifest_of_garbage(content: bytes, words: str, stored: Path) -> None:
    (stored / FOLDER / "manifest.json").write_bytes(content)
    _check(functions.start(stored), "jit", words)


def test_cut_manifest(stored: Path) -> None:
    _cut(stored / FOLDER / "manifest.json")
    _check(functions.start(stored), "jit", "not readable JSON")


def test_missing_manifest(stored: Path) -> None:
    (stored / FOLDER / "manifest.json").unlink()
    _check(functions.start(stored), "jit", "nothing is stored")


@pytest.mark.parametrize("field", ["fingerprint", "outputs", "artefacts", "smoke", "needs_lapack", "name"])
def test_edited_manifest(field: str, stored: Path) -> None:
    path = stored / FOLDER / "manifest.json"
    content = json.loads(path.read_text())
    content["body"][field] = None
    path.write_text(json.dumps(content))
    _check(functions.start(stored), "jit", "not signed")


def test_manifest_of_another_function(stored: Path) -> None:
    for path in (stored / "solve").iterdir():
        path.rename(stored / FOLDER / path.name)
    _check(functions.start(stored), "jit", "is that of solve")
