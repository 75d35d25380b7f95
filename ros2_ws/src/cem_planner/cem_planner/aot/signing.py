"""Files that only this user can have written: owner, permissions, and a key that signs manifests.

An executable is unpickled, and pickle runs code. Its sha256 stands in the manifest, but whoever can put a file into the
folder can write a manifest too (an unpacked archive belongs to the user who unpacked it). So manifests carry an HMAC
under a key of the user's, kept apart from the artefacts.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
import secrets
import stat
from pathlib import Path

from .errors import StoreError

KEY_BYTES = 32


def key_path() -> Path:
    """Return where the user's key lies: `$XDG_STATE_HOME/go2_piper/aot.key`, by default under `~/.local/state`.

    Raises:
        StoreError: the user has no home.
    """
    state = os.environ.get("XDG_STATE_HOME", "")
    try:
        root = Path(state) if os.path.isabs(state) else Path.home() / ".local" / "state"
    except RuntimeError as error:
        raise StoreError(f"no place for the signing key ({error})") from error
    return root / "go2_piper" / "aot.key"


def user_key() -> bytes:
    """Read this user's key; make it the first time.

    Raises:
        StoreError: it cannot be read or made, others could read it or put another in its place, or it is damaged.
    """
    path = key_path()
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        check_private_folder(path.parent)
        if not path.exists():
            _make_key(path)
        key = read_own_file(path, forbidden=0o077)
    except OSError as error:
        raise StoreError(f"no signing key ({error})") from error
    if len(key) != KEY_BYTES:
        raise StoreError(f"the signing key {path} is damaged: delete it, and everything is compiled anew")
    return key


def _make_key(path: Path) -> None:
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(KEY_BYTES))
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):  # two first starts: one key wins, both then read it
            os.link(part, path)
    finally:
        part.unlink(missing_ok=True)


def sign(key: bytes, message: bytes) -> str:
    """Return the hex HMAC-SHA256 of a message."""
    return hmac.new(key, message, hashlib.sha256).hexdigest()


def is_signed(key: bytes, message: bytes, signature: object) -> bool:
    """Whether the signature is that of the message."""
    return isinstance(signature, str) and hmac.compare_digest(sign(key, message).encode(), signature.encode())


def check_private_folder(path: Path) -> None:
    """Refuse a folder in which others could put files.

    Raises:
        StoreError: it is no folder, it belongs to somebody else, or others may write to it.
        OSError: it cannot be looked at.
    """
    found = os.lstat(path)
    if not stat.S_ISDIR(found.st_mode):
        raise StoreError(f"{path} is no folder")
    _check_owner(path, found, forbidden=0o022)


def read_own_file(path: Path, forbidden: int = 0o022) -> bytes:
    """Read a regular file of this user's; links are not followed.

    Args:
        path: of the file.
        forbidden: permission bits that it must not have.

    Raises:
        StoreError: it is no regular file, it belongs to somebody else, or others may write to it.
        OSError: it cannot be read.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as file:
        found = os.fstat(descriptor)  # of the open file: what is checked is what is read
        if not stat.S_ISREG(found.st_mode):
            raise StoreError(f"{path} is no regular file")
        _check_owner(path, found, forbidden)
        return file.read()


def _check_owner(path: Path, found: os.stat_result, forbidden: int) -> None:
    if found.st_uid != os.geteuid():
        raise StoreError(f"{path} belongs to user {found.st_uid}, not to this one ({os.geteuid()})")
    if found.st_mode & forbidden:
        raise StoreError(f"{path} is open to other users (mode {stat.S_IMODE(found.st_mode):04o}): chmod go-rwx it")
