"""Artefacts of one function in a folder of its own: private, written whole or not at all, checked before use."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from .errors import AotError, StoreError
from .manifest import Manifest, read_manifest, sha256
from .signing import check_private_folder, read_own_file, user_key

MANIFEST = "manifest.json"
LOCK = "lock"
EXECUTABLE = "executable.pickle"
EXPORT = "export.bin"
TREE = "tree.pickle"
PROBE = "probe.npz"
CACHE_PREFIX = "cache-"
"""Of entries of JAX's persistent compilation cache."""
PART = ".part"
POLL = 0.05
"""s between two looks at a lock that another process holds."""


class Store:
    """The folder `directory/name`. Nothing is made before something is saved or locked."""

    def __init__(self, directory: Path, name: str) -> None:
        """Raises AotError if `name` cannot be the name of a folder."""
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", name):
            raise AotError(f"{name!r} cannot name a compiled function: letters, digits, '_', '-', '.' only")
        self.name = name
        self.folder = directory / name

    @contextlib.contextmanager
    def lock(self, timeout: float) -> Iterator[bool]:
        """Keep other processes from loading and building the same function meanwhile.

        Args:
            timeout: s to wait for another process.

        Yields:
            False if another process still held it after that time; True if it is held here, and also where no lock
            can be made (read-only folder): there nobody can write either.
        """
        descriptor = self._open_lock()
        if descriptor is None:
            yield True
            return
        try:
            yield _await_lock(descriptor, timeout)
        finally:
            os.close(descriptor)

    def _open_lock(self) -> int | None:
        path = self.folder / LOCK
        with contextlib.suppress(OSError):
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for flags in (os.O_RDWR | os.O_CREAT, os.O_RDONLY):
            with contextlib.suppress(OSError):
                return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600)
        return None

    def read_manifest(self) -> Manifest:
        """Read the manifest.

        Raises:
            StoreError: there is none, it is not to be trusted, or there is no key to check it with.
        """
        try:
            check_private_folder(self.folder)
            data = read_own_file(self.folder / MANIFEST)
        except FileNotFoundError as error:
            raise StoreError(f"nothing is stored in {self.folder}") from error
        except OSError as error:
            raise StoreError(f"cannot read the manifest ({error})") from error
        return read_manifest(data, user_key(), self.name)

    def read(self, manifest: Manifest, artefact: str) -> bytes:
        """Read an artefact whose bytes are those that the manifest speaks of.

        Raises:
            StoreError: it is missing, not to be trusted, or has other bytes.
        """
        if artefact not in manifest.artefacts:
            raise StoreError(f"no {artefact} was saved")
        try:
            data = read_own_file(self.folder / artefact)
        except OSError as error:
            raise StoreError(f"cannot read {artefact} ({error.strerror})") from error
        if sha256(data) != manifest.artefacts[artefact]:
            raise StoreError(f"{artefact} is damaged or was exchanged: its sha256 is not that of the manifest")
        return data

    def read_cache(self, manifest: Manifest) -> dict[str, bytes]:
        """Read all entries of the compilation cache, by JAX's names for them.

        Raises:
            StoreError: as `read`.
        """
        names = [name for name in manifest.artefacts if name.startswith(CACHE_PREFIX)]
        return {name.removeprefix(CACHE_PREFIX): self.read(manifest, name) for name in names}

    def save(self, artefacts: Mapping[str, bytes], manifest: Manifest) -> None:
        """Write artefacts, then the manifest that makes them valid, each to a new file that is renamed.

        Raises:
            StoreError: the folder is not private or cannot be written, the disk is full, or there is no key; what was
                there before may then be invalid, never half valid.
        """
        key = user_key()
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            check_private_folder(self.folder)
            for name, data in artefacts.items():
                self._write(name, data)
            self._write(MANIFEST, manifest.to_json(key))
        except OSError as error:
            raise StoreError(f"cannot write to {self.folder} ({error.strerror or error})") from error
        self._remove_leftovers(manifest)

    def save_manifest(self, manifest: Manifest) -> None:
        """Write the manifest alone. Raises StoreError as `save` does."""
        self.save({}, manifest)

    def _write(self, name: str, data: bytes) -> None:
        part = self.folder / f"{name}.{os.getpid()}{PART}"
        try:
            descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(descriptor)  # else a power cut can leave a renamed file without its content
            part.replace(self.folder / name)
            folder = os.open(self.folder, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        finally:
            part.unlink(missing_ok=True)

    def _remove_leftovers(self, manifest: Manifest) -> None:
        """Remove what killed processes and earlier versions left; the lock is held, so nobody is writing."""
        with contextlib.suppress(OSError):
            for path in self.folder.iterdir():
                stale = path.name.startswith(CACHE_PREFIX) and path.name not in manifest.artefacts
                if stale or path.name.endswith(PART):
                    path.unlink(missing_ok=True)


def _await_lock(descriptor: int, timeout: float) -> bool:
    deadline = time.monotonic() + timeout
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
        except OSError:  # a file system without locks
            return True
        time.sleep(POLL)
