"""What callers see: values change without a compilation, bad calls are one line, every rung is logged."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cem_planner.aot import AotError, build_or_load, program

from . import functions


def test_other_values_use_the_same_executable(stored: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*args: Any) -> None:
        raise AssertionError("compiled or tried again")

    for name in ("build", "build_from_export"):
        monkeypatch.setattr(program, name, never)
    monkeypatch.setattr("cem_planner.aot.ladder.smoke_run", never)
    weights = {"gain": np.float32(-3.0), "offset": np.full(6, 0.5, np.float32)}
    x = functions.X[::-1].copy()
    arguments = (x, weights)
    lines: list[str] = []
    compiled = build_or_load(never, arguments, functions.fingerprint(), stored, functions.NAME, log=lines.append)
    assert compiled.rung == "executable" and compiled.reasons == ()
    assert len(lines) == 1 and "ready by rung executable in " in lines[0] and "CPU s" in lines[0]
    result = compiled.call(*arguments)
    np.testing.assert_allclose(result["y"], -3.0 * np.tanh(x) + 0.5, atol=1e-6)
    np.testing.assert_allclose(result["sorted"][0], np.sort(3.0 * np.tanh(x) - 0.5), atol=1e-6)
    assert isinstance(result["sorted"], tuple)


def test_rungs_agree_to_the_bit(stored: Path, no_child: None) -> None:
    results = [functions.start(stored).call(functions.X, functions.WEIGHTS)]
    (stored / functions.NAME / "executable.pickle").unlink()
    results += [
        functions.start(stored, recompile=again).call(functions.X, functions.WEIGHTS) for again in (False, True)
    ]
    for result in results[1:]:
        jax.tree.map(np.testing.assert_array_equal, result, results[0])


def test_recompile(stored: Path, no_child: None) -> None:
    lines: list[str] = []
    compiled = functions.start(stored, recompile=True, log=lines.append)
    assert compiled.rung == "jit" and compiled.reasons == ("recompiling as asked",)
    assert len(lines) == 2 and "ready by rung jit in " in lines[1]
    assert functions.start(stored).rung == "executable"


def test_each_rung_that_is_not_taken_is_logged_with_its_time(stored: Path, no_child: None) -> None:
    lines: list[str] = []
    for artefact in ("executable.pickle", "export.bin"):
        (stored / functions.NAME / artefact).write_bytes(b"")
    compiled = functions.start(stored, log=lines.append)
    assert [line.split(":")[1].strip() for line in lines[:2]] == ["no executable", "no exported module"]
    assert all("CPU s)" in line and "\n" not in line for line in lines) and len(lines) == 3
    assert compiled.seconds > 0.0 and compiled.cpu_seconds > 0.0


def test_arguments_of_double_precision_are_those_of_jit(stored: Path) -> None:
    compiled = functions.start(stored)
    weights = {"gain": np.float64(2.0), "offset": jnp.zeros(6)}
    result = compiled.call(functions.X.astype(np.float64), weights)
    np.testing.assert_allclose(result["y"], functions.expected(), atol=1e-6)


@pytest.mark.parametrize(
    "arguments",
    [(functions.X[:5], functions.WEIGHTS), (functions.X, {"gain": np.float32(1.0)}), (functions.X,)],
    ids=["shape", "tree", "number"],
)
def test_call_with_other_types(arguments: tuple, stored: Path) -> None:
    with pytest.raises(TypeError):
        functions.start(stored).call(*arguments)


@pytest.mark.parametrize(
    ("argument", "words"), [(1.0, "1.0 is no array"), (jax.random.key(0), "typed random key")], ids=["number", "key"]
)
def test_examples_must_be_arrays(argument: object, words: str, tmp_path: Path) -> None:
    with pytest.raises(AotError, match=words):
        build_or_load(lambda x: x, (argument,), functions.fingerprint(), tmp_path, "f")


@pytest.mark.parametrize("name", ["", "..", "a/b", ".hidden", "a b"])
def test_name_must_be_that_of_a_folder(name: str, tmp_path: Path) -> None:
    with pytest.raises(AotError, match="cannot name a compiled function"):
        build_or_load(lambda x: x, (functions.X,), functions.fingerprint(), tmp_path, name)


def test_function_that_does_not_compile(tmp_path: Path) -> None:
    def wrong(x: jax.Array) -> jax.Array:
        raise ValueError("no such foot\nsecond line")

    with pytest.raises(AotError) as caught:
        build_or_load(wrong, (functions.X,), functions.fingerprint(), tmp_path, "wrong")
    assert str(caught.value) == "wrong cannot be compiled (ValueError: no such foot)"


def test_without_jax(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = functions.fingerprint()
    for name in [name for name in sys.modules if name.split(".")[0] == "jax" or name == "cem_planner.aot.program"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delattr("cem_planner.aot.program")
    monkeypatch.setitem(sys.modules, "jax", None)
    for call in (lambda: build_or_load(lambda x: x, (), taken, tmp_path, "f"), functions.fingerprint):
        with pytest.raises(AotError, match="JAX cannot be used .*: install the extra 'planner'"):
            call()


def test_shapes_without_values_are_probed_with_noise(tmp_path: Path, no_child: None) -> None:
    shapes = (jax.ShapeDtypeStruct((6,), np.float32), functions.WEIGHTS)
    for rung in ("jit", "executable"):
        compiled = build_or_load(functions.tiny, shapes, functions.fingerprint(), tmp_path, functions.NAME)
        assert compiled.rung == rung
    np.testing.assert_allclose(compiled.call(functions.X, functions.WEIGHTS)["y"], functions.expected(), atol=1e-6)


def test_function_that_cannot_be_saved_still_runs(tmp_path: Path, no_child: None) -> None:
    def calls_back(x: jax.Array) -> jax.Array:
        return jax.pure_callback(np.sin, jax.ShapeDtypeStruct(x.shape, x.dtype), x)

    for _ in range(2):
        compiled = build_or_load(calls_back, (functions.X,), functions.fingerprint(), tmp_path, "callback")
        assert compiled.rung == "jit"
        assert any("cannot be exported" in reason for reason in compiled.reasons), compiled.reasons
        assert any("cannot be serialised" in reason for reason in compiled.reasons), compiled.reasons
        np.testing.assert_allclose(compiled.call(functions.X), np.sin(functions.X), atol=1e-6)


def test_jax_keeps_its_own_cache_settings(tmp_path: Path, no_child: None) -> None:
    names = ("jax_compilation_cache_dir", "jax_persistent_cache_min_compile_time_secs", "jax_enable_compilation_cache")
    before = [getattr(jax.config, name) for name in names]
    functions.start(tmp_path)
    assert [getattr(jax.config, name) for name in names] == before
