"""npz files of others, read without ever unpickling: arrays of Python objects are not touched."""

from __future__ import annotations

import zipfile
from collections.abc import Collection, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..motion import LARGEST_CONTENT, MotionError

NUMBERS = "fiu"
"""Kinds of NumPy types that are plain numbers."""


def array_names(path: Path) -> set[str]:
    """Return the names of the arrays in a file. Raises MotionError: missing, damaged or too large."""
    try:
        with zipfile.ZipFile(path) as archive:
            infos = archive.infolist()
    except FileNotFoundError:
        raise MotionError(f"{path}: no such file") from None
    except IsADirectoryError:
        raise MotionError(f"{path}: a folder, not a file") from None
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise MotionError(f"{path}: damaged or no npz file ({_short(error)})") from None
    content = sum(info.file_size for info in infos)
    if content > LARGEST_CONTENT:  # a few kB of zip can claim to hold much more
        raise MotionError(f"{path}: it claims to hold {content >> 20} MiB, more than {LARGEST_CONTENT >> 20}")
    return {info.filename.removesuffix(".npy") for info in infos}


def read_arrays(path: Path, kinds: Mapping[str, str], optional: Collection[str] = ()) -> dict[str, NDArray]:
    """Return some arrays of a file.

    Args:
        path: the file.
        kinds: wanted names, each with the kinds of NumPy types that are taken, such as NUMBERS or "U".
        optional: names that may be missing, or hold objects; they are then left out.

    Raises:
        MotionError: missing, damaged or foreign file; one line.
    """
    present = array_names(path)
    missing = sorted(set(kinds) - present - set(optional))
    if missing:
        raise MotionError(f"{path}: it lacks {', '.join(missing)}")
    arrays: dict[str, NDArray] = {}
    try:
        with np.load(path, allow_pickle=False) as data:
            for name in kinds:
                if name in present:
                    array = _read(data, name)
                    if array is not None and array.dtype.kind in kinds[name]:
                        arrays[name] = array
    except Exception as error:  # zipfile, zlib and NumPy's header reader raise what they like for broken files
        raise MotionError(f"{path}: damaged or no npz file ({_short(error)})") from None
    unusable = sorted(set(kinds) - set(arrays) - set(optional))
    if unusable:
        raise MotionError(f"{path}: {', '.join(unusable)}: not of a type that is read here (objects never are)")
    return arrays


def _read(data: np.lib.npyio.NpzFile, name: str) -> NDArray | None:
    try:
        array = data[name]
    except ValueError as error:
        if "allow_pickle" in str(error):
            return None
        raise
    return array if isinstance(array, np.ndarray) else None


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:80]
