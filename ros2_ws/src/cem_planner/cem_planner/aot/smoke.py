"""Run what is stored once in a child process, where a SIGSEGV or SIGILL costs nothing.

A loaded executable that does not suit this process ends it on the first call, and nothing can catch that: known cases
are LAPACK pointers that were not set, code for another CPU, and damaged code. `python -m cem_planner.aot.smoke` is the
child.
"""

from __future__ import annotations

import argparse
import os
import resource
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from .errors import AotError, StoreError, one_line
from .manifest import SMOKE_OK, Manifest
from .store import EXECUTABLE, EXPORT, PROBE, Store

RUNGS = ("executable", "export")
WRONG = 3
"""Exit status of the child that says that trying again is of no use."""
CRASHES = (signal.SIGSEGV, signal.SIGILL, signal.SIGBUS, signal.SIGFPE, signal.SIGABRT, signal.SIGTRAP)
"""Signals that say the same; others (SIGKILL) come from outside."""


@dataclass(frozen=True)
class SmokeResult:
    """What the child said."""

    verdict: str
    """`ok`, or what went wrong."""
    lasting: bool
    """Whether the same will come out again; a time-out, for one, may not."""

    @property
    def passed(self) -> bool:
        """Whether it may be called in this process."""
        return self.verdict == SMOKE_OK


def smoke_run(store: Store, manifest: Manifest, rung: str, timeout: float) -> SmokeResult:
    """Run a rung on the stored probe in a child process and compare with the stored output.

    Args:
        store: the stored files.
        manifest: of the files as they are meant; the child refuses others.
        rung: `executable` or `export`.
        timeout: s until the child is killed.
    """
    command = [sys.executable, "-m", "cem_planner.aot.smoke", str(store.folder.parent.absolute()), store.name]
    command += ["--rung", rung, "--digest", manifest.digest]
    try:
        child = subprocess.run(
            command, env=_child_environment(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, timeout=timeout, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return SmokeResult(f"the smoke run did not end within {timeout:g} s", lasting=False)
    except OSError as error:
        return SmokeResult(f"the smoke run did not start ({error.strerror})", lasting=False)
    if child.returncode == 0:
        return SmokeResult(SMOKE_OK, lasting=True)
    if child.returncode < 0:
        number = -child.returncode
        return SmokeResult(f"the smoke run died of {signal.Signals(number).name}", lasting=number in CRASHES)
    said = child.stderr.decode(errors="replace").strip().splitlines() or [f"exit status {child.returncode}"]
    return SmokeResult(f"the smoke run failed: {said[-1][:200]}", lasting=child.returncode == WRONG)


def _child_environment() -> dict[str, str]:
    """The parent's, with what it changed in JAX's configuration and import path since its start."""
    import jax

    environment = dict(os.environ)
    environment["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
    options = ("jax_enable_x64", "jax_default_matmul_precision", "jax_default_prng_impl", "jax_platforms")
    for option in options:
        value = getattr(jax.config, option)
        if value is not None:
            environment[option.upper()] = str(value)
    environment["XLA_PYTHON_CLIENT_PREALLOCATE"] = "false"  # the parent may already hold most of a GPU's memory
    return environment


def _run_stored(store: Store, rung: str, digest: str) -> str | None:
    """Load, call and compare; return what differs. Raises StoreError."""
    from . import program

    manifest = store.read_manifest()
    if manifest.digest != digest:
        raise StoreError("the stored files changed meanwhile")
    inputs, stored = program.unpack_probe(store.read(manifest, PROBE))
    if rung == "executable":
        call = program.load_executable(store.read(manifest, EXECUTABLE), manifest.needs_lapack)
    else:
        module, cache = store.read(manifest, EXPORT), store.read_cache(manifest)
        call = program.build_from_export(module, None, program.Signature.of(inputs), cache).call
    outputs, _ = program.run_probe(call, inputs)
    return program.probe_difference(outputs, stored)


def main(argv: list[str] | None = None) -> int:
    """Entry of the child process: 0 if the outputs are the stored ones, with one line on stderr otherwise."""
    parser = argparse.ArgumentParser(prog="cem_planner.aot.smoke", description="Run stored code once on its probe.")
    parser.add_argument("directory", type=Path, help="folder of all functions")
    parser.add_argument("name", help="of the function")
    parser.add_argument("--rung", choices=RUNGS, default=RUNGS[0])
    parser.add_argument("--digest", required=True, help="of the files that are meant")
    arguments = parser.parse_args(argv)
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))  # a crash is expected
    try:
        wrong = _run_stored(Store(arguments.directory, arguments.name), arguments.rung, arguments.digest)
    except (AotError, MemoryError) as error:
        print(one_line(error), file=sys.stderr)
        return 1
    except Exception as error:
        print(error if isinstance(error, StoreError) else one_line(error), file=sys.stderr)
        return WRONG
    if wrong:
        print(wrong, file=sys.stderr)
        return WRONG
    return 0


if __name__ == "__main__":
    sys.exit(main())
