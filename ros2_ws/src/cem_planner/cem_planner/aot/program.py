"""Compile, save, load and call a function with JAX. The only file of this package that needs JAX when imported.

Everything compiled here takes and returns flat tuples of arrays; trees of arguments and results are folded around it,
so that modules and executables need no knowledge of the caller's classes.
"""

from __future__ import annotations

import contextlib
import io
import pickle
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax import export
from jax.experimental import serialize_executable
from jax.experimental.compilation_cache import compilation_cache

from .errors import StoreError, one_line

Leaves = tuple[Any, ...]
PROBE_CALLS = 5
PROBE_SECONDS = 1.0
"""s after which no further call is timed."""
TOLERANCE = 1e-4
"""Of a probe output: relative to the largest number in its array. Chaotic functions may differ by more between two
compilers; then the next rung is taken."""


@dataclass(frozen=True)
class Signature:
    """Types of a function's arguments."""

    shapes: tuple[jax.ShapeDtypeStruct, ...]
    tree: Any

    @staticmethod
    def of(arguments: Sequence[Any]) -> Signature:
        """Take it from example arguments.

        Raises:
            TypeError: an argument holds something that is no array, such as a Python number: its type would be open.
        """
        leaves, tree = jax.tree_util.tree_flatten(tuple(arguments))
        bad = [leaf for leaf in leaves if not (hasattr(leaf, "shape") and hasattr(leaf, "dtype"))]
        if bad:
            raise TypeError(f"{bad[0]!r} is no array")
        dtypes = [jax.dtypes.canonicalize_dtype(leaf.dtype, allow_extended_dtype=True) for leaf in leaves]
        if any(jax.dtypes.issubdtype(dtype, jax.dtypes.extended) for dtype in dtypes):
            raise TypeError("an argument is a typed random key: pass jax.random.key_data(key)")
        shapes = [jax.ShapeDtypeStruct(leaf.shape, dtype) for leaf, dtype in zip(leaves, dtypes, strict=True)]
        return Signature(tuple(shapes), tree)

    def flatten(self, arguments: Sequence[Any]) -> Leaves:
        """Return the arrays of arguments of this signature. Raises TypeError if their tree is another one."""
        leaves, tree = jax.tree_util.tree_flatten(tuple(arguments))
        if tree != self.tree:
            raise TypeError(f"arguments are {tree}, compiled was {self.tree}")
        return tuple(leaves)

    def probe(self, arguments: Sequence[Any], seed: int) -> list[np.ndarray]:
        """Return the example arguments as arrays; seeded noise where only shapes were given."""
        generator = np.random.default_rng(seed)
        probe = []
        for leaf, shape in zip(jax.tree_util.tree_leaves(tuple(arguments)), self.shapes, strict=True):
            given = not isinstance(leaf, jax.ShapeDtypeStruct)
            probe.append(np.asarray(leaf if given else generator.standard_normal(shape.shape)).astype(shape.dtype))
        return probe

    def __str__(self) -> str:
        return f"{describe(self.shapes)} {self.tree}"


@dataclass(frozen=True)
class Built:
    """A compiled function, not yet called, with what can be saved of it."""

    call: Callable[..., Leaves]
    tree: Any
    artefacts: dict[str, bytes]
    """`executable` and `export`, as far as they could be made."""
    cache: dict[str, bytes]
    """Entries of the compilation cache."""
    needs_lapack: bool
    problems: tuple[str, ...] = ()
    """What could not be made, and why."""


def build(function: Callable[..., Any], arguments: Sequence[Any], signature: Signature) -> Built:
    """Trace and compile once, and make executable, exported module and cache entry of that one compilation.

    Raises:
        Exception: whatever tracing or compiling the function raises.
    """
    trees: list[Any] = []

    def flat(*leaves: Any) -> Leaves:
        result = function(*jax.tree_util.tree_unflatten(signature.tree, leaves))
        results, tree = jax.tree_util.tree_flatten(result)
        trees.append(tree)
        return tuple(results)

    problems: list[str] = []
    module: bytes | None = None
    try:
        module = bytes(export.export(jax.jit(flat))(*signature.shapes).serialize())
    except Exception as error:  # not everything that compiles can be exported; a real error comes again below
        problems.append(f"cannot be exported ({one_line(error)})")
    built: Built | None = None
    if module is not None:
        try:
            built = build_from_export(module, None, signature, {})
        except StoreError as error:
            problems.append(str(error))
    if built is None:
        built = _compile(jax.jit(flat).lower(*signature.shapes), {})
    return Built(built.call, trees[-1], built.artefacts, built.cache, built.needs_lapack, (*problems, *built.problems))


def build_from_export(module: bytes, tree: Any, signature: Signature, cache: Mapping[str, bytes]) -> Built:
    """Compile an exported module; its Python source is neither imported nor traced.

    Raises:
        StoreError: it is of another time, platform or function, or does not compile.
    """
    try:
        exported = export.deserialize(bytearray(module))
        lowered = jax.jit(exported.call).lower(*signature.shapes)
        built = _compile(lowered, cache)
    except Exception as error:
        raise StoreError(f"the exported module cannot be used ({one_line(error)})") from error
    return Built(
        built.call, tree, {**built.artefacts, "export": module}, built.cache, built.needs_lapack, built.problems
    )


def _compile(lowered: Any, cache: Mapping[str, bytes]) -> Built:
    needs_lapack = "custom_call @lapack_" in lowered.as_text()
    if needs_lapack:
        initialise_lapack()  # a module that comes out of the cache or an export may not have done it
    with compilation_cache_of(cache) as entries:
        compiled = lowered.compile()
    artefacts: dict[str, bytes] = {}
    problems: tuple[str, ...] = ()
    if cache and entries.keys() == cache.keys():  # out of the cache: serialised again it would lack its functions
        return Built(compiled, None, artefacts, entries, needs_lapack)
    try:  # before the first call: afterwards executables that sort can no longer be serialised
        artefacts["executable"] = pickle.dumps(serialize_executable.serialize(compiled))
    except Exception as error:
        problems = (f"cannot be serialised ({one_line(error)})",)
    return Built(compiled, None, artefacts, entries, needs_lapack, problems)


def load_executable(data: bytes, needs_lapack: bool) -> Callable[..., Leaves]:
    """Load a serialised executable. Runs whatever the pickle says: only for bytes whose origin is certain.

    A call of what is returned can still end the process (wrong CPU, damaged code); `smoke` is there for that.

    Raises:
        StoreError: it does not load.
    """
    try:
        payload, in_tree, out_tree = pickle.loads(data)
        loaded = serialize_executable.deserialize_and_load(
            payload, in_tree, out_tree, execution_devices=jax.devices()[:1]
        )
    except Exception as error:  # another jaxlib raises AttributeError, UnpicklingError, JaxRuntimeError, ...
        raise StoreError(f"the executable does not load ({one_line(error)})") from error
    if needs_lapack:
        initialise_lapack()
    return loaded


def dump_tree(tree: Any) -> bytes:
    """Pickle the tree of the results. Raises StoreError if one of its classes cannot be found by name."""
    try:
        return pickle.dumps(tree)
    except Exception as error:
        raise StoreError(f"the tree of the results cannot be saved ({one_line(error)})") from error


def load_tree(data: bytes) -> Any:
    """Inverse of `dump_tree`, and as trusting as `load_executable`. Raises StoreError if it does not load."""
    try:
        return pickle.loads(data)
    except Exception as error:
        raise StoreError(f"the tree of the results does not load ({one_line(error)})") from error


def initialise_lapack() -> None:
    """Set the LAPACK pointers of jaxlib: a loaded executable that uses them (Cholesky) dies of SIGSEGV without.

    Lowering any factorisation sets them; the function that does it alone is private.
    """
    jax.jit(jax.lax.linalg.cholesky).lower(jax.ShapeDtypeStruct((1, 1), np.float32))


@contextlib.contextmanager
def compilation_cache_of(entries: Mapping[str, bytes]) -> Iterator[dict[str, bytes]]:
    """Let JAX compile with a persistent compilation cache that holds just `entries`.

    JAX works on a folder of its own in the temporary directory, never on the stored files: what it reads there are
    bytes that were checked, and what it writes is stored as everything else is.

    Yields:
        A dictionary which holds the entries at the end.
    """
    options: dict[str, Any] = {
        "jax_enable_compilation_cache": True,
        "jax_persistent_cache_min_compile_time_secs": 0.0,
        "jax_persistent_cache_min_entry_size_bytes": -1,
        "jax_persistent_cache_enable_xla_caches": "none",  # else the folder's name becomes part of the keys
    }
    found = dict(entries)
    try:
        folder = tempfile.TemporaryDirectory(prefix="aot_cache_", ignore_cleanup_errors=True)
    except OSError:  # nowhere to write: compile without a cache
        yield found
        return
    options["jax_compilation_cache_dir"] = folder.name
    before = {name: getattr(jax.config, name) for name in options}
    with folder, contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):
            for name, data in entries.items():
                (Path(folder.name) / name).write_bytes(data)
        stack.callback(compilation_cache.reset_cache)  # JAX decides once which folder it uses
        for name, value in before.items():
            stack.callback(jax.config.update, name, value)
        for name, value in options.items():
            jax.config.update(name, value)
        compilation_cache.reset_cache()
        yield found
        with contextlib.suppress(OSError):
            found.update({path.name: path.read_bytes() for path in Path(folder.name).glob("*-cache")})


def run_probe(call: Callable[..., Leaves], inputs: Sequence[np.ndarray]) -> tuple[list[np.ndarray], float]:
    """Call with the probe inputs; return the outputs and the median time of a call in s, without the first.

    Raises:
        Exception: whatever the call raises.
    """
    outputs = [np.asarray(leaf) for leaf in call(*inputs)]
    times: list[float] = []
    while len(times) < PROBE_CALLS and (not times or sum(times) < PROBE_SECONDS):
        start = time.perf_counter()
        jax.block_until_ready(call(*inputs))
        times.append(time.perf_counter() - start)
    return outputs, statistics.median(times)


def probe_difference(got: Sequence[np.ndarray], stored: Sequence[np.ndarray]) -> str | None:
    """Say how outputs differ from the stored ones; None if they do not."""
    if describe(got) != describe(stored):
        return f"outputs are {describe(got)} instead of {describe(stored)}"
    for index, (new, old) in enumerate(zip(got, stored, strict=True)):
        if not np.issubdtype(old.dtype, np.inexact):
            if not np.array_equal(new, old):
                return f"output {index} differs"
            continue
        finite = np.abs(old[np.isfinite(old)])
        scale = float(finite.max()) if finite.size else 0.0
        if not np.allclose(new, old, rtol=0.0, atol=TOLERANCE * scale, equal_nan=True):
            return f"output {index} differs by up to {float(np.nanmax(np.abs(new - old))):.3g}"
    return None


def pack_probe(inputs: Sequence[np.ndarray], outputs: Sequence[np.ndarray]) -> bytes:
    """Return inputs and outputs as an npz file. Raises StoreError for types that npz does not know (bfloat16)."""
    arrays = {f"in{i:04}": array for i, array in enumerate(inputs)} | {f"out{i:04}": a for i, a in enumerate(outputs)}
    if unknown := {array.dtype.name for array in arrays.values() if array.dtype.kind == "V"}:
        raise StoreError(f"no probe of type {', '.join(sorted(unknown))} can be stored")
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()


def unpack_probe(data: bytes) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Inverse of `pack_probe`. Raises StoreError if it cannot be read."""
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as file:
            names = sorted(file.files)
            inputs = [file[name] for name in names if name.startswith("in")]
            return inputs, [file[name] for name in names if name.startswith("out")]
    except (OSError, ValueError) as error:
        raise StoreError(f"the probe cannot be read ({one_line(error)})") from error


def describe(arrays: Sequence[Any]) -> str:
    """Return types and shapes, such as `float32[4,12] int32[]`."""
    return " ".join(f"{np.dtype(a.dtype).name}[{','.join(str(n) for n in a.shape)}]" for a in arrays)
