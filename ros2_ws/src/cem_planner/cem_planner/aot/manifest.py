"""The manifest of one compiled function: what it was made of, what lies beside it, what a child process said of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from .errors import StoreError
from .fingerprint import Fingerprint
from .signing import is_signed, sign

FORMAT = 1
SMOKE_OK = "ok"


@dataclass(frozen=True)
class Manifest:
    """Everything but the artefacts themselves. Written signed, believed only with the signature."""

    name: str
    fingerprint: Fingerprint
    outputs: tuple[str, ...]
    """Type and shape of each output array, and their tree."""
    artefacts: dict[str, str]
    """sha256 by file name."""
    needs_lapack: bool
    """Whether JAX's LAPACK pointers must be set before the first call (see `program.initialise_lapack`)."""
    probe_seed: int
    """Of the probe inputs that the caller gave no values for."""
    smoke: dict[str, str] = field(default_factory=dict)
    """By rung: `ok` if a child process ran it and got the probe output, else what went wrong. An entry speaks of
    exactly these artefacts and this fingerprint, since all of it lies under one signature."""
    measured: dict[str, float | str] = field(default_factory=dict)
    """When it was built, how long that took and how long a call took, in s; for people."""

    @property
    def digest(self) -> str:
        """sha256 over all artefacts' sha256: names this very set of files."""
        return sha256(_canonical(self.artefacts))

    def to_json(self, key: bytes) -> bytes:
        """Return the signed file."""
        body = asdict(self)
        return json.dumps({"format": FORMAT, "body": body, "signature": sign(key, _canonical(body))}, indent=1).encode()


def read_manifest(data: bytes, key: bytes, name: str) -> Manifest:
    """Read a signed file.

    Raises:
        StoreError: it is no manifest, of another format, not signed with this user's key, or of another function.
    """
    try:
        content = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise StoreError("the manifest is not readable JSON") from error
    if not isinstance(content, dict) or not isinstance(content.get("body"), dict):
        raise StoreError("the manifest is no manifest")
    if content.get("format") != FORMAT:
        raise StoreError(f"the manifest has format {content.get('format')!r} instead of {FORMAT}")
    body = content["body"]
    if not is_signed(key, _canonical(body), content.get("signature")):
        raise StoreError("the manifest is not signed with this user's key")
    fingerprint = Fingerprint(**body.pop("fingerprint"))  # signed, hence written by `to_json`
    manifest = Manifest(**{**body, "fingerprint": fingerprint, "outputs": tuple(body["outputs"])})
    if manifest.name != name:
        raise StoreError(f"the manifest is that of {manifest.name}")
    return manifest


def sha256(data: bytes) -> str:
    """Return the hex digest."""
    return hashlib.sha256(data).hexdigest()


def _canonical(body: Mapping[str, object]) -> bytes:
    return json.dumps(body, sort_keys=True, separators=(",", ":")).encode()
