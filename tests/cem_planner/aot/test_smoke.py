"""Stored machine code that crashes or lies: a child process finds it out, and the next rung is taken."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from cem_planner.aot import ladder, program, smoke
from cem_planner.aot.manifest import SMOKE_OK, Manifest
from cem_planner.aot.smoke import SmokeResult, smoke_run
from cem_planner.aot.store import PROBE, Store

from . import functions

WITHOUT_CHECK = """
import sys
from pathlib import Path
from cem_planner.aot import ladder
from cem_planner.aot.smoke import SmokeResult
from tests.cem_planner.aot import functions
ladder.smoke_run = lambda *args: SmokeResult("ok", lasting=False)
compiled = functions.start(Path(sys.argv[1]), name="solve")
print(compiled.rung, flush=True)
compiled.call(functions.X, functions.WEIGHTS)
"""


def _rewrite(directory: Path, name: str, **changes: object) -> Manifest:
    """Sign a changed manifest, as this user could."""
    store = Store(directory, name)
    manifest = store.read_manifest()
    changed = Manifest(**{**vars(manifest), "smoke": {}, **changes})
    store.save_manifest(changed)
    return changed


def _crashing(directory: Path) -> None:
    """Make the stored executable one that ends its process: LAPACK's pointers are not set before its call."""
    _rewrite(directory, "solve", needs_lapack=False)


def test_crash_in_the_child_leads_to_the_next_rung(stored: Path) -> None:
    _crashing(stored)
    compiled = functions.start(stored, name="solve")
    assert compiled.rung == "export"
    assert compiled.reasons[0] == "no executable: the smoke run died of SIGSEGV"
    result = functions.first_array(compiled.call(functions.X, functions.WEIGHTS))
    np.testing.assert_allclose(result, functions.expected("solve"), atol=1e-5)


def test_without_the_child_that_crash_would_be_ours(stored: Path) -> None:
    _crashing(stored)
    command = [sys.executable, "-c", WITHOUT_CHECK, str(stored)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert ended.stdout == "executable\n" and ended.returncode < 0


def test_crash_is_remembered_and_not_tried_again(stored: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _crashing(stored)
    runs = []

    def counted(store: Store, manifest: Manifest, rung: str, timeout: float) -> SmokeResult:
        runs.append(rung)
        if rung == "executable":
            return SmokeResult("the smoke run died of SIGSEGV", lasting=True)
        return SmokeResult(SMOKE_OK, lasting=True)

    monkeypatch.setattr(ladder, "smoke_run", counted)
    for _ in range(2):
        compiled = functions.start(stored, name="solve")
        assert compiled.rung == "export" and "SIGSEGV" in compiled.reasons[0]
    assert runs == ["executable", "export"]


def test_passing_run_is_remembered(stored: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _rewrite(stored, functions.NAME)
    runs = []

    def counted(store: Store, manifest: Manifest, rung: str, timeout: float) -> SmokeResult:
        runs.append(rung)
        return smoke_run(store, manifest, rung, timeout)

    monkeypatch.setattr(ladder, "smoke_run", counted)
    assert [functions.start(stored).rung for _ in range(2)] == ["executable", "executable"]
    assert runs == ["executable"]


def test_executable_that_needs_lapack_is_loaded_safely(stored: Path) -> None:
    """In a new process, since this one has set LAPACK's pointers long ago."""
    command = [sys.executable, "-m", "tests.cem_planner.aot.functions", str(stored), "solve"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert (ended.returncode, ended.stdout) == (0, "executable\n"), ended.stderr
    assert Store(stored, "solve").read_manifest().needs_lapack
    assert not Store(stored, functions.NAME).read_manifest().needs_lapack


def test_other_output_than_the_stored_one(stored: Path) -> None:
    store = Store(stored, functions.NAME)
    manifest = store.read_manifest()
    inputs, outputs = program.unpack_probe(store.read(manifest, PROBE))
    outputs[2] = outputs[2] * np.float32(1.01)
    probe = program.pack_probe(inputs, outputs)
    manifest.artefacts[PROBE] = ladder.sha256(probe)
    manifest.smoke.clear()
    store.save({PROBE: probe}, manifest)
    compiled = functions.start(stored)
    assert compiled.rung == "jit"
    assert "output 2 differs by up to" in compiled.reasons[0]
    np.testing.assert_allclose(compiled.call(functions.X, functions.WEIGHTS)["y"], functions.expected(), atol=1e-6)


def test_time_out_is_no_lasting_verdict(stored: Path) -> None:
    _rewrite(stored, functions.NAME)
    compiled = functions.start(stored, smoke_timeout=0.001)
    assert compiled.rung == "export" and "did not end within 0.001 s" in compiled.reasons[0]
    assert Store(stored, functions.NAME).read_manifest().smoke == {}


@pytest.mark.parametrize(
    ("status", "said", "verdict", "lasting"),
    [
        (-4, b"", "the smoke run died of SIGILL", True),
        (-9, b"", "the smoke run died of SIGKILL", False),
        (3, b"noise\noutput 0 differs\n", "the smoke run failed: output 0 differs", True),
        (1, b"", "the smoke run failed: exit status 1", False),
    ],
)
def test_verdicts(
    status: int, said: bytes, verdict: str, lasting: bool, stored: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: subprocess.CompletedProcess[bytes] = subprocess.CompletedProcess([], status, b"", said)
    monkeypatch.setattr(smoke.subprocess, "run", lambda *args, **kwargs: ended)
    store = Store(stored, functions.NAME)
    assert smoke_run(store, store.read_manifest(), "executable", 1.0) == SmokeResult(verdict, lasting)


def test_child_refuses_files_other_than_those_meant(stored: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert smoke.main([str(stored), functions.NAME, "--digest", "other"]) == smoke.WRONG
    assert capsys.readouterr().err == "the stored files changed meanwhile\n"


@pytest.mark.parametrize(
    ("got", "dtype", "words"),
    [
        ([1.0, np.nan], np.float32, None),
        ([1.00001, np.nan], np.float32, None),
        ([1.0, 2.0], np.float32, "differs"),
        ([1.01, np.nan], np.float32, "differs by up to 0.01"),
        ([1.0, np.nan], np.float64, "outputs are float64[2] instead of float32[2]"),
        ([1.0], np.float32, "outputs are float32[1] instead of float32[2]"),
    ],
)
def test_comparison_of_outputs(got: list[float], dtype: type, words: str | None) -> None:
    said = program.probe_difference([np.array(got, dtype)], [np.array([1.0, np.nan], np.float32)])
    assert said is None if words is None else said is not None and words in said
