"""Which changes a fingerprint sees, and how it names them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from cem_planner.aot import AotError, Fingerprint, build_or_load, difference, program, take_fingerprint
from cem_planner.aot.fingerprint import cpu_fields, source_sha256
from cem_planner.aot.manifest import read_manifest
from cem_planner.aot.signing import user_key

from . import functions

PROGRAM = (
    *("settings.knots", "source.tests.cem_planner.aot.functions", "model", "platform", "mujoco", "mujoco-mjx"),
    *("jax_enable_x64", "jax_default_matmul_precision", "jax_default_prng_impl", "jax_threefry_partitionable"),
)
MACHINE = (
    *("jax", "jaxlib", "jax-cuda12-plugin", "jax-cuda13-plugin", "python", "system", "cpu_model", "cpu_flags"),
    *("device_kind", "device_runtime", "gpu_driver", "xla_flags", "xla_threads"),
)


def test_fields_are_those_that_these_tests_change() -> None:
    taken = functions.fingerprint()
    assert set(taken.program) == set(PROGRAM)
    assert set(taken.machine) == set(MACHINE)


@pytest.mark.parametrize("field", PROGRAM)
def test_another_program_is_compiled_anew(field: str, stored: Path, no_child: None) -> None:
    taken = functions.fingerprint()
    wanted = replace(taken, program={**taken.program, field: "other"})
    compiled = functions.start(stored, wanted)
    assert compiled.rung == "jit"
    assert [reason for reason in compiled.reasons if field in reason and "\n" not in reason] == list(compiled.reasons)
    np.testing.assert_allclose(compiled.call(functions.X, functions.WEIGHTS)["y"], functions.expected(), atol=1e-6)


@pytest.mark.parametrize("field", MACHINE)
def test_another_machine_takes_the_exported_module(field: str, stored: Path, no_child: None) -> None:
    taken = functions.fingerprint()
    wanted = replace(taken, machine={**taken.machine, field: "other"})
    compiled = functions.start(stored, wanted)
    assert compiled.rung == "export"
    assert len(compiled.reasons) == 1 and field in compiled.reasons[0] and "\n" not in compiled.reasons[0]
    np.testing.assert_allclose(compiled.call(functions.X, functions.WEIGHTS)["y"], functions.expected(), atol=1e-6)
    assert functions.start(stored, wanted).rung == "executable"  # saved for the other machine


def test_cached_machine_code_is_not_taken_to_another_machine(
    stored: Path, no_child: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    used = []
    original = program.build_from_export

    def counted(module: bytes, tree: Any, signature: program.Signature, cache: dict[str, bytes]) -> program.Built:
        used.append(cache)
        return original(module, tree, signature, cache)

    monkeypatch.setattr(program, "build_from_export", counted)
    (stored / functions.NAME / "executable.pickle").unlink()
    functions.start(stored)
    taken = functions.fingerprint()
    functions.start(stored, replace(taken, machine={**taken.machine, "cpu_flags": "other"}))
    assert used[0] and not used[1]


@pytest.mark.parametrize(
    "arguments",
    [
        (np.zeros(7, np.float32), {"gain": np.float32(1.0), "offset": np.zeros(7, np.float32)}),
        (functions.X, {"gain": np.float32(1.0), "offset": np.zeros(6, np.int32)}),
        (functions.X, {"gain": np.float32(1.0), "offset": np.zeros(6, np.float32), "unused": np.float32(0.0)}),
    ],
    ids=["shape", "dtype", "tree"],
)
def test_other_arguments_are_compiled_anew(arguments: tuple, stored: Path, no_child: None) -> None:
    compiled = build_or_load(functions.tiny, arguments, functions.fingerprint(), stored, functions.NAME)
    assert compiled.rung == "jit" and "arguments" in compiled.reasons[0]


def test_manifest_holds_what_was_built(pristine: Path) -> None:
    path = pristine / functions.NAME / "manifest.json"
    manifest = read_manifest(path.read_bytes(), user_key(), functions.NAME)
    assert manifest.outputs[0] == "float32[6] int32[2] float32[6]"
    assert manifest.smoke == {"executable": "ok"}
    assert {"executable.pickle", "export.bin", "tree.pickle", "probe.npz"} < set(manifest.artefacts)
    assert {"time", "build_seconds", "build_cpu_seconds", "call_p50_seconds"} == set(manifest.measured)


def test_difference_shows_short_values_and_names_long_ones() -> None:
    old = Fingerprint({"knots": "4", "gone": "1"}, {"jaxlib": "0.10.1", "cpu_flags": "a " * 100, "xla_flags": ""})
    new = Fingerprint({"knots": "4", "new": "1"}, {"jaxlib": "0.10.2", "cpu_flags": "b " * 100, "xla_flags": "-f"})
    assert difference(old, old) == []
    shown = ["cpu_flags", "gone is gone", "jaxlib 0.10.1 -> 0.10.2", "new is new", "xla_flags nothing -> -f"]
    assert difference(old, new) == shown


def test_sources_are_hashed_without_importing_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "aot_sources" / "inner"
    package.mkdir(parents=True)
    for path in (package.parent / "__init__.py", package / "__init__.py"):
        path.write_text("")
    module = package / "cost.py"
    module.write_text("raise RuntimeError('imported')")
    monkeypatch.syspath_prepend(str(tmp_path))
    before = source_sha256("aot_sources"), source_sha256("aot_sources.inner.cost")
    module.write_text("raise RuntimeError('imported!')")
    after = source_sha256("aot_sources"), source_sha256("aot_sources.inner.cost")
    assert before[0] != after[0] and before[1] != after[1]
    module.rename(package / "renamed.py")
    assert source_sha256("aot_sources") != after[0]


@pytest.mark.parametrize("name", ["no_such_module", "no_such_package.module", "sys"])
def test_sources_that_cannot_be_read_are_an_error(name: str) -> None:
    with pytest.raises(AotError, match=f"no source of the module {name}"):
        take_fingerprint(sources=[name])


def test_model_settings_flags_and_options_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    base = functions.fingerprint()
    assert difference(base, functions.fingerprint(knots=5)) == ["settings.knots 4 -> 5"]
    other_model = take_fingerprint(settings={"knots": 4}, sources=[functions.MODULE], model=b"model with other mass")
    assert difference(base, other_model) == ["model"]
    monkeypatch.setenv("XLA_FLAGS", "--xla_cpu_max_isa=AVX2")
    assert "xla_flags" in difference(base, functions.fingerprint())[0]
    monkeypatch.delenv("XLA_FLAGS")
    monkeypatch.setenv("NPROC", "7")
    assert "xla_threads" in difference(base, functions.fingerprint())[0]
    monkeypatch.undo()
    with jax.default_matmul_precision("highest"):
        assert "jax_default_matmul_precision" in difference(base, functions.fingerprint())[0]
    jax.config.update("jax_enable_x64", True)
    try:
        assert "jax_enable_x64 False -> True" in difference(base, functions.fingerprint())
    finally:
        jax.config.update("jax_enable_x64", False)


def test_cpu_of_x86_and_arm(tmp_path: Path) -> None:
    path = tmp_path / "cpuinfo"
    path.write_text("model name\t: Some CPU\nflags\t\t: sse2 avx fma\n\nmodel name\t: second\nflags\t\t: none\n")
    assert cpu_fields(path) == {"cpu_model": "Some CPU", "cpu_flags": "avx fma sse2"}
    path.write_text("Features\t: fp asimd\nCPU implementer\t: 0x41\nCPU part\t: 0xd42\n")
    assert cpu_fields(path) == {"cpu_model": "0x41 0xd42", "cpu_flags": "asimd fp"}
    assert cpu_fields(tmp_path / "none")["cpu_flags"] == ""
