"""npz files that may be anybody's, read without ever unpickling: arrays of Python objects are not touched."""

from __future__ import annotations

import zipfile
from collections.abc import Collection, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

LARGEST_CONTENT = 1 << 30
"""bytes, unpacked; a few kB of zip can claim to hold much more."""
NUMBERS = "fiu"
"""Kinds of NumPy types that are plain numbers."""


def array_names(path: Path, error: type[ValueError]) -> set[str]:
    """Return the names of the arrays in a file. Raises `error`: missing, damaged or too large."""
    try:
        with zipfile.ZipFile(path) as archive:
            infos = archive.infolist()
    except FileNotFoundError:
        raise error(f"{path}: no such file") from None
    except IsADirectoryError:
        raise error(f"{path}: a folder, not a file") from None
    except OSError:
        raise
    except Exception as reason:  # zipfile raises what it likes for broken files
        raise error(f"{path}: damaged or no npz file ({_short(reason)})") from None
    content = sum(info.file_size for info in infos)
    if content > LARGEST_CONTENT:
        raise error(f"{path}: it claims to hold {content >> 20} MiB, more than {LARGEST_CONTENT >> 20}")
    return {info.filename.removesuffix(".npy") for info in infos}


def read_arrays(
    path: Path, kinds: Mapping[str, str], error: type[ValueError], optional: Collection[str] = ()
) -> dict[str, NDArray]:
    """Return some arrays of a file.

    Args:
        path: the file.
        kinds: wanted names, each with the kinds of NumPy types that are taken, such as NUMBERS or "U".
        error: what is raised.
        optional: names that may be missing, or of another type; they are then left out.

    Raises:
        error: missing, damaged or foreign file; one line.
    """
    present = array_names(path, error)
    missing = [name for name in kinds if name not in present and name not in optional]
    if missing:
        raise error(f"{path}: not a file that is read here, it lacks {', '.join(missing)}")
    arrays: dict[str, NDArray] = {}
    try:
        with np.load(path, allow_pickle=False) as data:
            found = {name: _read(data, name) for name in kinds if name in present}
    except Exception as reason:  # zipfile, zlib and NumPy's header reader raise what they like for broken files
        raise error(f"{path}: damaged or no npz file ({_short(reason)})") from None
    for name, array in found.items():
        if array is not None and array.dtype.kind in kinds[name]:
            arrays[name] = array
        elif name not in optional:
            what = "holds objects, which are never read" if array is None else f"has type {array.dtype}"
            raise error(f"{path}: '{name}' {what}")
    return arrays


def _read(data: np.lib.npyio.NpzFile, name: str) -> NDArray | None:
    """Return an array; None for objects."""
    try:
        array = data[name]
    except ValueError as reason:
        if "allow_pickle" in str(reason):
            return None
        raise
    return array if isinstance(array, np.ndarray) else None


def _short(reason: Exception) -> str:
    return " ".join(str(reason).split())[:80]
