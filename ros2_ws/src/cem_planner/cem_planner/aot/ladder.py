"""The ladder: executable, exported module, JIT; the first rung that is safe to take is taken, and says so in one line.

What a start may trust, and why:

- Nothing is unpickled, and no stored machine code is used, unless a manifest signed with this user's key names its
  sha256, and folder and files belong to this user alone (`signing`, `store`).
- A stored executable is called in this process only if a child process has called exactly these bytes under exactly
  this fingerprint and got the stored probe output. The child runs right after saving, and its verdict is kept, signed,
  in the manifest, so that an ordinary start does not pay for another `import jax`. Any byte or any field that changes
  makes the verdict void. Machine code out of the compilation cache is held to the same.
- What XLA compiles in this process is trusted as any JIT code is.
"""

from __future__ import annotations

import datetime
import logging
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import AotError, StoreError, one_line
from .fingerprint import Fingerprint, difference, differing_fields
from .manifest import SMOKE_OK, Manifest, sha256
from .smoke import smoke_run
from .store import CACHE_PREFIX, EXECUTABLE, EXPORT, PROBE, TREE, Store

if TYPE_CHECKING:
    from .program import Built, Signature

LOCK_TIMEOUT = 300.0
"""s to wait for another process that builds the same function; long compilations take about a minute."""
SMOKE_TIMEOUT = 120.0
PROBE_SEED = 0

Log = Callable[[str], None]


@dataclass(frozen=True)
class Compiled:
    """A function that is ready to be called."""

    call: Callable[..., Any]
    """Takes and returns what the function does; raises TypeError for arguments of other types or shapes."""
    rung: str
    """`executable`, `export` or `jit`."""
    seconds: float
    """Wall time to get here."""
    cpu_seconds: float
    """CPU time of this process and its children to get here."""
    reasons: tuple[str, ...]
    """Why the rungs above were not taken, and what could not be saved; one line each."""


class _Clock:
    """Wall and CPU time since its start, children included."""

    def __init__(self) -> None:
        self._start = self._now()

    @staticmethod
    def _now() -> tuple[float, float]:
        times = os.times()
        return time.perf_counter(), times.user + times.system + times.children_user + times.children_system

    def read(self) -> tuple[float, float]:
        now = self._now()
        return now[0] - self._start[0], now[1] - self._start[1]

    def __str__(self) -> str:
        return "{:.2f} s ({:.2f} CPU s)".format(*self.read())


def build_or_load(
    function: Callable[..., Any],
    example_args: Sequence[Any],
    fingerprint: Fingerprint,
    directory: Path,
    name: str,
    *,
    recompile: bool = False,
    log: Log | None = None,
    lock_timeout: float = LOCK_TIMEOUT,
    smoke_timeout: float = SMOKE_TIMEOUT,
) -> Compiled:
    """Load a compiled function, or compile it and save it for the next start.

    Args:
        function: traced and compiled if nothing stored will do. Static values are closed over and named in the
            fingerprint; whatever changes from call to call (weights, goals, noise) is an argument.
        example_args: arrays, or trees of arrays, of the types and shapes of all later calls. Their values are the
            probe that a stored executable must reproduce; where only a `jax.ShapeDtypeStruct` is given it is noise.
        fingerprint: of `take_fingerprint`; the arguments' types are added here.
        directory: folder of stored functions; made if missing.
        name: of the function, and of its folder in `directory`. One name keeps one version.
        recompile: compile whatever is stored.
        log: takes one line per rung; by default this module's logger.
        lock_timeout: s to wait for another process that builds the same; after it this one compiles for itself.
        smoke_timeout: s for a child process to run the stored executable once.

    Raises:
        AotError: not even JIT works, or `example_args` or `name` cannot be used.
    """
    try:
        from . import program
    except ImportError as error:
        raise AotError(f"JAX cannot be used ({error}): install the extra 'planner'") from error
    try:
        signature = program.Signature.of(example_args)
    except TypeError as error:
        raise AotError(f"{name}: example arguments must be arrays ({error})") from error
    wanted = fingerprint.with_program(arguments=str(signature))
    store = Store(directory, name)
    climb = _Climb(store, wanted, signature, log or logging.getLogger(__name__).info, smoke_timeout)
    with store.lock(lock_timeout) as held:
        if not held:
            climb.note(f"another process has been building it for {lock_timeout:g} s; nothing is loaded or saved")
        elif recompile:
            climb.note("recompiling as asked")
        else:
            compiled = climb.from_store()
            if compiled is not None:
                return compiled
        return climb.from_source(function, example_args, save=held)


@dataclass
class _Climb:
    """One way down the ladder."""

    store: Store
    wanted: Fingerprint
    signature: Signature
    log: Log
    smoke_timeout: float
    reasons: list[str] = field(default_factory=list)
    verdicts: dict[str, str] = field(default_factory=dict)
    """Of the smoke runs that this start asked for, by rung."""
    clock: _Clock = field(default_factory=_Clock)

    def note(self, reason: str) -> None:
        self.reasons.append(reason)
        self.log(f"aot {self.store.name}: {reason} (after {self.clock})")

    def done(self, rung: str, call: Callable[..., Any], tree: Any) -> Compiled:
        import jax

        signature = self.signature

        def fold(*arguments: Any) -> Any:
            return jax.tree_util.tree_unflatten(tree, call(*signature.flatten(arguments)))

        self.log(f"aot {self.store.name}: ready by rung {rung} in {self.clock}")
        return Compiled(fold, rung, *self.clock.read(), tuple(self.reasons))

    def from_store(self) -> Compiled | None:
        """Try the rungs that need something stored."""
        try:
            manifest = self.store.read_manifest()
        except StoreError as error:
            self.note(f"nothing to load: {error}")
            return None
        try:
            return self._executable(manifest)
        except StoreError as error:
            self.note(f"no executable: {error}")
        try:
            return self._export(manifest)
        except StoreError as error:
            self.note(f"no exported module: {error}")
        return None

    def _executable(self, manifest: Manifest) -> Compiled:
        from . import program

        if changed := difference(manifest.fingerprint, self.wanted):
            raise StoreError(f"changed: {', '.join(changed)}")
        data, tree = self.store.read(manifest, EXECUTABLE), self._tree(manifest)
        self._require_smoke(manifest, "executable")
        return self.done("executable", program.load_executable(data, manifest.needs_lapack), tree)

    def _export(self, manifest: Manifest) -> Compiled:
        from . import program

        if changed := differing_fields(manifest.fingerprint.program, self.wanted.program):
            raise StoreError(f"changed: {', '.join(changed)}")
        module, tree = self.store.read(manifest, EXPORT), self._tree(manifest)
        inputs, stored = program.unpack_probe(self.store.read(manifest, PROBE))
        built = program.build_from_export(module, tree, self.signature, self._usable_cache(manifest))
        # machine code is this process's own or has passed the smoke run, so it may be called; another compiler or
        # machine must still compute the same
        try:
            outputs, p50 = program.run_probe(built.call, inputs)
        except Exception as error:
            raise StoreError(f"it does not run ({one_line(error)})") from error
        if wrong := program.probe_difference(outputs, stored):
            raise StoreError(wrong)
        failed = self.verdicts.get("executable", SMOKE_OK) != SMOKE_OK  # the same one would fail in the same way again
        if "executable" in built.artefacts and not failed:
            self._save(built, inputs, outputs, p50)
        elif not failed:
            self.note("the executable is not renewed from the cache: recompile to renew it")
        return self.done("export", built.call, tree)

    def _tree(self, manifest: Manifest) -> Any:
        from . import program

        return program.load_tree(self.store.read(manifest, TREE))

    def _usable_cache(self, manifest: Manifest) -> dict[str, bytes]:
        """Cached machine code for this very machine that a child process has run; empty if there is none."""
        if differing_fields(manifest.fingerprint.machine, self.wanted.machine):
            return {}
        try:
            entries = self.store.read_cache(manifest)
            if entries:
                self._require_smoke(manifest, "export")
        except StoreError as error:
            self.note(f"no cached compilation: {error}")
            return {}
        return entries

    def _require_smoke(self, manifest: Manifest, rung: str) -> None:
        """Raise StoreError unless a child process ran these bytes under this fingerprint, now or earlier."""
        verdict = self.verdicts[rung] = manifest.smoke.get(rung, "")
        if not verdict:
            result = smoke_run(self.store, manifest, rung, self.smoke_timeout)
            verdict = self.verdicts[rung] = result.verdict
            if result.lasting:
                manifest.smoke[rung] = verdict
                try:
                    self.store.save_manifest(manifest)
                except StoreError as error:
                    self.note(f"the smoke run's result is not kept: {error}")
        if verdict != SMOKE_OK:
            raise StoreError(verdict)

    def from_source(self, function: Callable[..., Any], example_args: Sequence[Any], save: bool) -> Compiled:
        """The last rung: trace and compile, save, then call for the first time."""
        from . import program

        try:
            built = program.build(function, example_args, self.signature)
            inputs = self.signature.probe(example_args, PROBE_SEED)
            outputs, p50 = program.run_probe(built.call, inputs)
        except Exception as error:
            raise AotError(f"{self.store.name} cannot be compiled ({one_line(error)})") from error
        for problem in built.problems:
            self.note(problem)
        if save:
            self._save(built, inputs, outputs, p50)
        return self.done("jit", built.call, built.tree)

    def _save(self, built: Built, inputs: list[Any], outputs: list[Any], p50: float) -> None:
        """Save for the next start and let a child try it; failures are noted and do no harm."""
        from . import program

        seconds, cpu_seconds = self.clock.read()
        try:
            artefacts = {CACHE_PREFIX + name: data for name, data in built.cache.items()}
            names = {"executable": EXECUTABLE, "export": EXPORT}
            artefacts |= {names[kind]: data for kind, data in built.artefacts.items()}
            artefacts |= {TREE: program.dump_tree(built.tree), PROBE: program.pack_probe(inputs, outputs)}
            manifest = Manifest(
                name=self.store.name,
                fingerprint=self.wanted,
                outputs=(program.describe(outputs), str(built.tree)),
                artefacts={name: sha256(data) for name, data in artefacts.items()},
                needs_lapack=built.needs_lapack,
                probe_seed=PROBE_SEED,
                measured={
                    "time": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
                    "build_seconds": round(seconds, 3),
                    "build_cpu_seconds": round(cpu_seconds, 3),
                    "call_p50_seconds": round(p50, 6),
                },
            )
            self.store.save(artefacts, manifest)
        except StoreError as error:
            self.note(f"not saved for the next start: {error}")
            return
        if EXECUTABLE not in artefacts:
            return
        try:
            self._require_smoke(manifest, "executable")
        except StoreError as error:
            self.note(f"the executable was saved but cannot be used: {error}")
