"""Read pickles of plain data from strangers without running anything that they bring.

Only lists, tuples, dicts, numbers, strings, bytes and NumPy arrays and scalars of numbers or text come out. Two walls:

1. The opcodes are looked through before anything is built: only those of plain data may occur, no length may exceed the
   file, no memo slot may be far out (each would cost memory, not run code).
2. Names that a pickle may call are replaced by stand-ins of this file. NumPy's own unpickling, written for friendly
   data, never sees the numbers: arrays are made here by `numpy.frombuffer`, after their shape was compared with their
   bytes.
"""

from __future__ import annotations

import io
import math
import pickle
import pickletools
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

LARGEST_FILE = 512 * 1024 * 1024
"""bytes"""

_OPCODES = frozenset(
    [
        *("MARK", "STOP", "POP", "POP_MARK", "PROTO", "FRAME", "NONE", "NEWTRUE", "NEWFALSE", "FLOAT", "BINFLOAT"),
        *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4"),
        *("STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"),
        *("BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"),
        *("LIST", "EMPTY_LIST", "APPEND", "APPENDS", "DICT", "EMPTY_DICT", "SETITEM", "SETITEMS"),
        *("TUPLE", "EMPTY_TUPLE", "TUPLE1", "TUPLE2", "TUPLE3"),
        *("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE", "GET", "BINGET", "LONG_BINGET"),
        *("GLOBAL", "STACK_GLOBAL", "REDUCE", "BUILD"),  # for arrays
    ]
)
_PUTS = ("PUT", "BINPUT", "LONG_BINPUT")


class UnsafePickleError(ValueError):
    """The file is no pickle of plain data; one line that says why, without the file's name."""


class PickledArray:
    """A NumPy array as a pickle describes it; `values` is None until its description is complete."""

    __slots__ = ("values",)

    def __init__(self) -> None:
        self.values: NDArray | None = None

    def __setstate__(self, state: object) -> None:
        """Take NumPy's description: version, shape, dtype, Fortran order, bytes."""
        if not (type(state) is tuple and len(state) in (4, 5)):
            raise UnsafePickleError("an array's description is broken")
        shape, dtype, fortran, data = state[-4:]
        self.values = _array(data, dtype, shape, "F" if fortran is True else "C")


class _Dtype:
    """An element type of numbers or text."""

    __slots__ = ("dtype",)

    def __init__(self, code: object, align: object = False, copy: object = False) -> None:
        # NumPy sends whether to align and copy along; neither means anything for a plain type
        text = code.decode("latin1") if type(code) is bytes else code
        if type(text) is not str or not re.fullmatch(r"[biufc]\d{1,2}|[SU]\d{1,4}", text):
            raise UnsafePickleError(f"an array of elements '{_shown(code)}'; only numbers and text are read")
        self.dtype = np.dtype(text)

    def __setstate__(self, state: object) -> None:
        """Take NumPy's description: version, byte order, no sub-array, no names, no fields, ..."""
        if not (type(state) is tuple and len(state) >= 5 and state[2:5] == (None, None, None)):
            raise UnsafePickleError("an array of compound elements; only numbers and text are read")
        if state[1] == ">":
            self.dtype = self.dtype.newbyteorder(">")


class _Name:
    """Stands for a name that a pickle may refer to; calling it runs the stand-in's function and nothing else."""

    __slots__ = ("_function",)

    def __init__(self, function: Callable[..., object]) -> None:
        self._function = function

    def __call__(self, *arguments: object) -> object:
        return self._function(*arguments)

    def __setstate__(self, state: object) -> None:
        """Refuse: a name is not a thing to change."""
        raise UnsafePickleError("it tries to change a function")


def _array(data: object, dtype: object, shape: object, order: object) -> NDArray:
    """Return a read-only array, made from bytes of exactly its size."""
    if not (isinstance(dtype, _Dtype) and isinstance(data, bytes | bytearray) and order in ("C", "F")):
        raise UnsafePickleError("an array's description is broken")
    sizes = (shape,) if type(shape) is int else shape
    if not (type(sizes) is tuple and len(sizes) <= 8 and all(type(n) is int and 0 <= n < 2**40 for n in sizes)):
        raise UnsafePickleError("an array's shape is broken")
    if math.prod(sizes) * dtype.dtype.itemsize != len(data):
        raise UnsafePickleError("an array's shape does not fit its data")
    return np.frombuffer(bytes(data), dtype.dtype).reshape(sizes, order=order)


def _from_buffer(data: object, dtype: object, shape: object, order: object, axes: object = None) -> PickledArray:
    """Return an array of pickle protocol 5; `axes` is a transposition that only NumPy's newest versions write."""
    if axes is not None:
        raise UnsafePickleError("an array with permuted axes")
    array = PickledArray()
    array.values = _array(data, dtype, shape, order)
    return array


def _scalar(dtype: object, data: object = b"") -> object:
    return _array(data, dtype, (), "C").item()


def _reconstruct(kind: object, shape: object, code: object) -> PickledArray:
    return PickledArray()  # an empty array, which its BUILD fills


def _encode(text: object, encoding: object) -> bytes:
    """Return bytes, which protocols up to 2 write as text in latin1."""
    if type(text) is not str or encoding != "latin1":
        raise UnsafePickleError("text in an unexpected encoding")
    return text.encode("latin1")


def _no_bytes() -> bytes:
    """Return empty bytes, which protocols up to 2 write as this call."""
    return b""


def _no_call(*arguments: object) -> object:
    raise UnsafePickleError("it calls what is only a name")


_NAMES: dict[tuple[str, str], _Name] = {
    ("_codecs", "encode"): _Name(_encode),
    ("builtins", "bytes"): _Name(_no_bytes),
    ("__builtin__", "bytes"): _Name(_no_bytes),
    ("numpy", "ndarray"): _Name(_no_call),
    ("numpy", "dtype"): _Name(_Dtype),
}
for _core in ("numpy.core", "numpy._core"):  # up to and from NumPy 2
    _NAMES[f"{_core}.multiarray", "_reconstruct"] = _Name(_reconstruct)
    _NAMES[f"{_core}.multiarray", "scalar"] = _Name(_scalar)
    _NAMES[f"{_core}.numeric", "_frombuffer"] = _Name(_from_buffer)


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> _Name:
        """Return the stand-in for a name. Nothing is imported."""
        found = _NAMES.get((module, name))
        if found is None:
            raise UnsafePickleError(f"it refers to '{_shown(f'{module}.{name}')}', which plain data never does: "
                                    "do not trust where it comes from")  # fmt: skip
        return found


def read_plain_pickle(path: Path) -> object:
    """Return what a pickle holds: plain data, with arrays as `PickledArray`.

    Containers may contain each other or share parts; whoever walks through them must be ready for it.

    Raises:
        UnsafePickleError: too large, damaged, or anything but plain data.
        OSError: the file cannot be read.
    """
    if path.stat().st_size > LARGEST_FILE:
        raise UnsafePickleError(f"it is larger than {LARGEST_FILE >> 20} MiB")
    data = path.read_bytes()
    try:
        _look_through(data)
        return _Unpickler(io.BytesIO(data), encoding="latin1").load()
    except UnsafePickleError:
        raise
    except Exception as error:  # pickle documents no closed list of what broken data may raise
        raise UnsafePickleError(f"it is damaged or no pickle ({_shown(error)})") from None


def _look_through(data: bytes) -> None:
    """Raise for opcodes that plain data does not need, and for lengths and slots that the data cannot fill."""
    for count, (opcode, argument, _) in enumerate(pickletools.genops(data)):
        if opcode.name not in _OPCODES:
            raise UnsafePickleError(f"it uses the pickle operation {opcode.name}, which plain data never does")
        if opcode.name in _PUTS and not 0 <= int(argument or 0) <= count:
            raise UnsafePickleError("it is damaged (memo out of range)")


def _shown(value: object) -> str:
    """Return something of a file as short text for one line."""
    text = value.decode("latin1") if isinstance(value, bytes) else str(value)
    return "".join(c if c.isprintable() else "?" for c in text[:60])
