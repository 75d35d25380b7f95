"""Pickles from strangers: nothing of theirs runs, nothing grows beyond the file, every refusal is one line."""

from __future__ import annotations

import os
import pickle
import struct
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.trajectories import PoseSequence, TrajectoryError, load_trajectories, save_trajectories
from training.trajectories.safe_pickle import PickledArray, UnsafePickleError, read_plain_pickle

from .sequences import walk


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder that the examples of a property may share."""
    return tmp_path_factory.mktemp("pickles")


def refused(path: Path, data: bytes) -> str:
    """Write a file, load it, and return the one line of its refusal."""
    path.write_bytes(data)
    with pytest.raises(TrajectoryError) as caught:
        load_trajectories(path)
    message = str(caught.value)
    assert message.isprintable() and len(message) < 400
    return message


def call(name: str, *arguments: str) -> bytes:
    """Return a pickle that calls `module:name` with text."""
    module, attribute = name.split(":")
    return b"".join([
        f"c{module}\n{attribute}\n(".encode(), *(f"V{text}\n".encode() for text in arguments), b"tR."
    ])  # fmt: skip


TOUCH = "open({path!r}, 'w').close()"


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("os:system", ("touch {path}",)),
        ("posix:system", ("touch {path}",)),
        ("subprocess:getoutput", ("touch {path}",)),
        ("builtins:eval", (TOUCH,)),
        ("builtins:exec", (TOUCH,)),
        ("__builtin__:eval", (TOUCH,)),
        ("builtins:__import__", ("antigravity",)),
        ("builtins:open", ("{path}", "w")),
        ("pickle:loads", ("x",)),
        ("timeit:timeit", (TOUCH,)),
        ("numpy:load", ("{path}",)),
        ("numpy:save", ("{path}", "x")),
        ("numpy:ndarray.tofile", ("{path}",)),
        ("numpy.testing._private.utils:runstring", (TOUCH, "x")),
        ("numpy.f2py.crackfortran:_eval_length", (TOUCH, "x")),
        ("numpy.f2py.crackfortran:param_eval", (TOUCH, "x", "x", "x")),
        ("numpy._core._internal:_ctypes", ("x",)),
        ("numpy._core.multiarray:fromfile", ("{path}",)),
        ("numpy.core.multiarray:scalar.__reduce__", ("x",)),
        ("_codecs:encode.__self__", ("x",)),
        ("torch.serialization:load", ("{path}",)),
        ("torch._C:_TensorBase", ("x",)),
        ("torch.jit.unsupported_tensor_ops:execWrapper", (TOUCH, "x", "x")),
        ("training.trajectories.safe_pickle:read_plain_pickle", ("{path}",)),
    ],
)
def test_no_call_of_a_pickle_runs(tmp_path: Path, name: str, arguments: tuple[str, ...]) -> None:
    marker = tmp_path / "ran"
    data = call(name, *(argument.format(path=str(marker)) for argument in arguments))
    loaded = set(sys.modules)
    message = refused(tmp_path / "evil.pkl", data)
    assert name.replace(":", ".")[:60] in message and "do not trust" in message
    assert not marker.exists()
    assert set(sys.modules) == loaded  # looking a name up must not import its module either


def test_the_payloads_are_real(tmp_path: Path) -> None:
    """Without our reader they run: the test above tests something."""
    for index, (name, text) in enumerate((("os:system", "touch {}"), ("builtins:eval", "open({!r}, 'w').close()"))):
        marker = tmp_path / f"ran{index}"
        pickle.loads(call(name, text.format(str(marker))))
        assert marker.exists()


class Evil:
    """Pickles as a call of os.system."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple:
        return os.system, (f"touch {self.marker}",)


def _object_array(evil: Evil) -> object:
    return np.array([evil], dtype=object)


def _object_scalar(evil: Evil) -> object:
    return {"ee_pos": np.array({"a": evil}, dtype=object)}


def _structured(evil: Evil) -> object:
    return np.zeros(2, dtype=[("a", "f8"), ("b", "O")])


def _dtype_with_metadata(evil: Evil) -> object:
    return np.dtype("f8", metadata={"a": evil})


def _hidden(evil: Evil) -> object:
    return [{"ee_pos": np.zeros((2, 3)), "ee_axis_angle": np.zeros((2, 3)), "note": [(evil,)]}]


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize(
    "make", [Evil, _object_array, _object_scalar, _structured, _dtype_with_metadata, _hidden], ids=lambda f: f.__name__
)
def test_nothing_hides_in_arrays(tmp_path: Path, protocol: int, make: Callable[..., object]) -> None:
    evil = Evil(tmp_path / "ran")
    data = pickle.dumps(make(evil) if make is not Evil else evil, protocol=protocol)
    refused(tmp_path / "evil.pkl", data)
    assert not (tmp_path / "ran").exists()


def numpy_call(name: bytes, arguments: bytes) -> bytes:
    """Return opcodes that call a stand-in; `arguments` are the opcodes between MARK and TUPLE."""
    return b"c" + name + b"\n(" + arguments + b"tR"


DTYPE = numpy_call(b"numpy\ndtype", b"Vf8\nI00\nI01\n")
EMPTY = numpy_call(b"numpy._core.multiarray\n_reconstruct", b"cnumpy\nndarray\n(I0\ntVb\n")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"cnumpy\nndarray\n(tR.", "only a name"),
        (b"cnumpy\ndtype\n(NV__defaults__\ndb.", "change a function"),
        (b"cnumpy._core.multiarray\n_reconstruct\n}b.", "change a function"),
        (numpy_call(b"numpy\ndtype", b"VO8\nI00\nI01\n") + b".", "elements 'O8'"),
        (numpy_call(b"numpy\ndtype", b"VV16\nI00\nI01\n") + b".", "elements 'V16'"),
        (numpy_call(b"numpy\ndtype", b"Vf8,O\nI00\nI01\n") + b".", "elements 'f8,O'"),
        (numpy_call(b"numpy\ndtype", b"](Vf8\ne") + b".", "elements"),
        (DTYPE + b"(I3\nV<\nN(Va\ntNI-1\nI-1\nI0\ntb.", "compound"),
        (DTYPE + b"}b.", "compound"),
        (EMPTY + b"(I1\n(I3\nt" + DTYPE + b"I00\n]tb.", "description is broken"),  # a list instead of bytes
        (EMPTY + b"(I1\n(I3\nt" + DTYPE + b"I00\nU\x08aaaaaaaatb.", "description is broken"),
        (EMPTY + b"(I1\n(I3\nt" + DTYPE + b"I00\nC\x08aaaaaaaatb.", "does not fit its data"),
        (EMPTY + b"(I1\n(I1000000000000\nI0\nI1\nt" + DTYPE + b"I00\nC\x08aaaaaaaatb.", "does not fit its data"),
        (EMPTY + b"(I1\n(I-1\nt" + DTYPE + b"I00\nC\x08aaaaaaaatb.", "shape is broken"),
        (EMPTY + b"(I1\n(F1.0\nt" + DTYPE + b"I00\nC\x08aaaaaaaatb.", "shape is broken"),
        (EMPTY + b"(I1\n(" + b"I1\n" * 40 + b"t" + DTYPE + b"I00\nC\x08aaaaaaaatb.", "shape is broken"),
        (EMPTY + b"(I1\n(I1\ntVf8\nI00\nC\x08aaaaaaaatb.", "description is broken"),
        (EMPTY + b"I5\nb.", "description is broken"),
        (numpy_call(b"_codecs\nencode", b"Vx\nVrot13\n") + b".", "unexpected encoding"),
        (
            numpy_call(b"numpy._core.numeric\n_frombuffer", b"C\x08aaaaaaaa" + DTYPE + b"I1\nVK\n(I0\nt") + b".",
            "permuted",
        ),
        (b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x01x\x85R.", "os.system"),
        (b"ios\nsystem\n(Vx\n.", "operation INST"),
        (b"(cos\nsystem\nVx\no.", "operation OBJ"),
        (b"\x80\x02cos\nsystem\n)\x81.", "operation NEWOBJ"),
        (b"\x80\x02\x82\x01.", "operation EXT1"),
        (b"Pnumber\n.", "operation PERSID"),
        (b"N\x80\x05\x97.", "operation NEXT_BUFFER"),
        (b"\x80\x04\x8f.", "operation EMPTY_SET"),
    ],
)
def test_refuses_crafted_operations(tmp_path: Path, data: bytes, message: str) -> None:
    assert message in refused(tmp_path / "evil.pkl", data)


@pytest.mark.parametrize(
    "data",
    [
        b"Nr\xff\xff\xff\xff.",  # memo slot 4294967295: 64 GiB in Python's own reader
        b"Np99999999999\n.",
        b"\x80\x05\x96" + struct.pack("<Q", 1 << 50) + b"abc.",  # a bytearray of a pebibyte
        b"\x80\x04\x8e" + struct.pack("<Q", 1 << 62) + b"abc.",
        b"\x80\x04\x8d" + struct.pack("<Q", 1 << 40) + b"abc.",
        b"\x80\x02\x8b\xff\xff\xff\x7fabc.",
        b"\x80\x04\x95" + struct.pack("<Q", 1 << 62) + b"N.",
        b"I" + b"9" * 10_000 + b"\n.",
        b"\x80\x09N.",
        b"N",
        b".",
        b"(.",
        b"R.",
    ],
)
def test_refuses_bombs_and_damage(tmp_path: Path, data: bytes) -> None:
    assert "damaged" in refused(tmp_path / "bomb.pkl", data)


def test_refuses_deep_nesting_and_self_reference(tmp_path: Path) -> None:
    refused(tmp_path / "deep.pkl", b"(" * 20_000 + b"t" * 20_000 + b".")
    refused(tmp_path / "deeper.pkl", b"(l" * 20_000 + b"a" * 20_000 + b".")
    refused(tmp_path / "key.pkl", b"}" + b"(" * 20_000 + b"t" * 20_000 + b"Ns.")  # hashing it must not end the process
    refused(tmp_path / "self.pkl", b"]q\x00h\x00a.")


def test_refuses_large_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.trajectories.safe_pickle.LARGEST_FILE", 1 << 20)
    assert "larger than 1 MiB" in refused(tmp_path / "large.pkl", b"x" * ((1 << 20) + 1))


def test_names_of_strangers_cannot_write_lines(tmp_path: Path) -> None:
    data = b"\x80\x04\x8c\x1d" + b"a\x1b[31m\nerror: all is well\n   ".ljust(29)[:29] + b"\x8c\x01b\x93."
    assert "a?[31m?error" in refused(tmp_path / "evil.pkl", data)


# --- properties -------------------------------------------------------------------------------------------------------


def survives(path: Path, data: bytes) -> None:
    """Load a file: sequences, or one printable line."""
    path.write_bytes(data)
    try:
        sequences = load_trajectories(path)
    except TrajectoryError as error:
        assert str(error).isprintable()
    else:
        assert sequences and all(isinstance(sequence, PoseSequence) for sequence in sequences)


@given(data=st.binary(max_size=200))
@settings(max_examples=100, deadline=None)
def test_survives_random_bytes(folder: Path, data: bytes) -> None:
    for name in ("a.pkl", "a.npz"):
        survives(folder / name, data)


OPCODE_BYTES = st.sampled_from([bytes([code]) for code in b"()].0NIVcCRbaesuldt2Qq\x80\x85\x86\x87\x8c\x93\x94"])


@given(parts=st.lists(OPCODE_BYTES | st.sampled_from([DTYPE, EMPTY, b"I1\n", b"Vf8\n"]), max_size=30))
@settings(max_examples=150, deadline=None)
def test_survives_random_operations(folder: Path, parts: list[bytes]) -> None:
    survives(folder / "a.pkl", b"".join(parts) + b".")


@given(data=st.data())
@settings(max_examples=100, deadline=None)
def test_survives_mutated_files(folder: Path, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(["good.pkl", "good.npz"]))
    if not (folder / name).exists():
        save_trajectories(folder / name, [walk(3)])
    content = bytearray((folder / name).read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, max(len(content) - 1, 0)))
        change = data.draw(st.sampled_from(["set", "cut", "insert", "end"]))
        if change == "set" and content:
            content[at] = data.draw(st.integers(0, 255))
        elif change == "cut":
            del content[at : at + data.draw(st.integers(1, 40))]
        elif change == "insert":
            content[at:at] = data.draw(st.binary(min_size=1, max_size=8))
        else:
            del content[at:]
    survives(folder / f"mutated{Path(name).suffix}", bytes(content))


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=3) | st.tuples(inner, inner)
    ),
    max_leaves=15,
)


@settings(deadline=None)
@given(content=PLAIN, protocol=st.integers(0, pickle.HIGHEST_PROTOCOL))
def test_plain_containers_come_back(folder: Path, content: object, protocol: int) -> None:
    data = pickle.dumps(content, protocol=protocol)
    (folder / "plain.pkl").write_bytes(data)
    assert read_plain_pickle(folder / "plain.pkl") == content
    survives(folder / "plain.pkl", data)


@settings(deadline=None)
@given(
    shape=st.lists(st.integers(1, 3), min_size=0, max_size=3),
    dtype=st.sampled_from(["<f8", ">f4", "<i8", "|u1", "|b1", "<c16", "<U3", "|S2", "<f2"]),
    order=st.sampled_from("CF"),
    protocol=st.integers(0, pickle.HIGHEST_PROTOCOL),
)
def test_arrays_come_back(folder: Path, shape: list[int], dtype: str, order: str, protocol: int) -> None:
    values = np.arange(int(np.prod(shape))).astype(dtype).reshape(shape, order=order)  # type: ignore[call-overload]
    (folder / "array.pkl").write_bytes(pickle.dumps([values, values.flat[0]], protocol=protocol))
    content = read_plain_pickle(folder / "array.pkl")
    assert isinstance(content, list)
    array, scalar = content
    assert isinstance(array, PickledArray) and array.values is not None
    np.testing.assert_array_equal(array.values, values)
    assert array.values.dtype == values.dtype and scalar == values.flat[0]


def test_the_reader_says_what_it_refuses(tmp_path: Path) -> None:
    (tmp_path / "a.pkl").write_bytes(call("os:system", "true"))
    with pytest.raises(UnsafePickleError, match="os.system"):
        read_plain_pickle(tmp_path / "a.pkl")
