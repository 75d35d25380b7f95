"""What a compiled function was made of and made for, as named fields, so that a change can be named.

`program` says what is computed; an exported module (StableHLO) stays right as long as these fields are equal. `machine`
says what compiled it and for what; an executable needs these to be equal as well. JAX checks next to nothing of this
when it loads an executable: other XLA_FLAGS and other CPU flags load silently.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import platform
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from .errors import AotError

PROGRAM_PACKAGES = ("mujoco", "mujoco-mjx")
MACHINE_PACKAGES = ("jax", "jaxlib", "jax-cuda12-plugin", "jax-cuda13-plugin")
JAX_OPTIONS = ("jax_enable_x64", "jax_default_matmul_precision", "jax_default_prng_impl", "jax_threefry_partitionable")
"""Options that change what is traced."""

LONGEST_SHOWN = 60
"""Characters of a value that are still shown beside the name of its field."""


@dataclass(frozen=True)
class Fingerprint:
    """Named fields, in two groups; equal fields mean that what is stored may be used."""

    program: Mapping[str, str]
    machine: Mapping[str, str]

    def with_program(self, **fields: str) -> Fingerprint:
        """Return a copy with further (or other) fields of the program."""
        return Fingerprint({**self.program, **fields}, self.machine)

    @property
    def fields(self) -> dict[str, str]:
        """All fields by name."""
        return {**self.program, **self.machine}


def difference(stored: Fingerprint, wanted: Fingerprint) -> list[str]:
    """Name the fields that differ, with both values where they are short; empty if the fingerprints are equal."""
    return differing_fields(stored.fields, wanted.fields)


def differing_fields(stored: Mapping[str, str], wanted: Mapping[str, str]) -> list[str]:
    """As `difference`, for one group of fields."""
    found = []
    for name in sorted(stored.keys() | wanted.keys()):
        old, new = stored.get(name), wanted.get(name)
        if old == new:
            continue
        shown = [value for value in (old, new) if value is not None]
        short = all(len(value) <= LONGEST_SHOWN for value in shown)
        if old is None or new is None:
            found.append(f"{name} {'is new' if old is None else 'is gone'}")
        else:
            found.append(f"{name} {old or 'nothing'} -> {new or 'nothing'}" if short else name)
    return found


def take_fingerprint(
    *, settings: Mapping[str, object] | None = None, sources: Sequence[str] = (), model: bytes = b""
) -> Fingerprint:
    """Take the fingerprint of this machine, this installation and the caller's program. Starts JAX's backend.

    The shapes and types of the arguments are added by `build_or_load`.

    Args:
        settings: static settings that the function closes over (samples, knots, ...); compared by `repr`.
        sources: dotted names of the modules or packages that the function is made of; they are read, not imported.
        model: bytes of the compiled model that the function closes over (`mj_saveModel`), options included.

    Raises:
        AotError: JAX is missing or finds no device, or a module of `sources` cannot be found.
    """
    try:
        import jax

        device = jax.devices()[0]
    except (ImportError, RuntimeError) as error:
        raise AotError(f"JAX cannot be used ({error}): install the extra 'planner'") from error
    program = {f"settings.{name}": repr(value) for name, value in (settings or {}).items()}
    program |= {f"source.{name}": source_sha256(name) for name in sources}
    program |= {name: _version(name) for name in PROGRAM_PACKAGES}
    program |= {name: str(getattr(jax.config, name, None)) for name in JAX_OPTIONS}
    program |= {"model": hashlib.sha256(model).hexdigest() if model else "", "platform": device.platform}
    machine = {name: _version(name) for name in MACHINE_PACKAGES}
    machine |= {
        "python": str(sys.implementation.cache_tag),
        "system": f"{platform.system()} {platform.machine()}",
        "device_kind": str(device.device_kind),
        "device_runtime": str(device.client.platform_version),
        "gpu_driver": _gpu_driver() if device.platform != "cpu" else "",
        "xla_flags": os.environ.get("XLA_FLAGS", "").strip(),
        "xla_threads": os.environ.get("NPROC", "").strip(),
        **cpu_fields(),
    }
    return Fingerprint(program, machine)


def source_sha256(name: str) -> str:
    """Hash a module's file, or every Python file of a package, without importing it.

    Raises:
        AotError: there is no such module, or it has no source.
    """
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        spec = None
    if spec is None or spec.origin is None or not Path(spec.origin).is_file():
        raise AotError(f"no source of the module {name} to take a fingerprint of")
    root = Path(spec.origin)
    files = sorted(root.parent.rglob("*.py")) if spec.submodule_search_locations else [root]
    digest = hashlib.sha256()
    for file in files:
        data = file.read_bytes()
        digest.update(f"{file.relative_to(root.parent).as_posix()} {len(data)}\n".encode() + data)
    return digest.hexdigest()


def cpu_fields(cpuinfo: Path = Path("/proc/cpuinfo")) -> dict[str, str]:
    """Return the model and the sorted instruction-set flags of the first CPU, as the kernel reports them."""
    try:
        lines = cpuinfo.read_text().split("\n\n")[0].splitlines()
    except OSError:
        return {"cpu_model": platform.processor(), "cpu_flags": ""}
    values = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    flags = values.get("flags") or values.get("Features") or ""  # x86, ARM
    model = values.get("model name") or " ".join(values.get(key, "") for key in ("CPU implementer", "CPU part"))
    return {"cpu_model": model.strip(), "cpu_flags": " ".join(sorted(set(flags.split())))}


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""


def _gpu_driver() -> str:
    try:
        return Path("/proc/driver/nvidia/version").read_text().splitlines()[0]
    except (OSError, IndexError):
        return ""
