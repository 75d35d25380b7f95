"""Trajectory files: what is written comes back, and other files are refused in one line."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from training import npz_reader
from training.trajectories import TrajectoryError, load_trajectories, npz, save_trajectories, umi

from .sequences import assert_same, walk

FILES = ["a.npz", "a.pkl", "deep/er/a.pickle"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder that the examples of a property may share."""
    return tmp_path_factory.mktemp("trajectories")


@pytest.mark.parametrize("name", FILES)
def test_comes_back(tmp_path: Path, name: str) -> None:
    sequences = [walk(name="one"), walk(name="two", seed=1)]
    save_trajectories(tmp_path / name, sequences)
    for got, wanted in zip(load_trajectories(tmp_path / name), sequences, strict=True):
        assert_same(got, wanted)


@settings(max_examples=30, deadline=None)
@given(counts=st.lists(st.integers(2, 6), min_size=1, max_size=4), rate=st.floats(0.5, 1000.0))
def test_npz_keeps_lengths_rates_and_order(folder: Path, counts: list[int], rate: float) -> None:
    sequences = [walk(count, rate * (1 + i), f"n{i}", seed=i) for i, count in enumerate(counts)]
    save_trajectories(folder / "some.npz", sequences)
    for got, wanted in zip(load_trajectories(folder / "some.npz"), sequences, strict=True):
        assert_same(got, wanted)


def test_pickles_are_at_200_hz_and_of_one_length(tmp_path: Path) -> None:
    short, long = walk(5, 100.0, "short"), walk(11, 100.0, "long")
    save_trajectories(tmp_path / "a.pkl", [short, long])
    got = load_trajectories(tmp_path / "a.pkl")
    assert [len(sequence) for sequence in got] == [21, 21]
    assert {sequence.rate for sequence in got} == {200.0}
    np.testing.assert_allclose(got[0].positions[:9:2], short.positions, atol=1e-12)
    np.testing.assert_allclose(got[0].positions[8:], np.tile(short.positions[-1], (13, 1)), atol=1e-12)


def test_a_pickle_is_what_umi_on_legs_expects(tmp_path: Path) -> None:
    save_trajectories(tmp_path / "a.pkl", [walk()])
    entries = pickle.loads((tmp_path / "a.pkl").read_bytes())
    assert np.stack([entry["ee_pos"] for entry in entries]).shape == (1, 21, 3)
    assert np.stack([entry["ee_axis_angle"] for entry in entries]).shape == (1, 21, 3)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("dtype", ["<f8", "<f4", ">f8", "<i4"])
def test_reads_their_pickles(tmp_path: Path, protocol: int, dtype: str) -> None:
    """What their generators write: extra keys, odd lengths of some, a hand that points forward with x right."""
    forward = Rotation.from_matrix([[0, 0, 1], [-1, 0, 0], [0, -1, 0]]).as_rotvec()  # columns: x right, y down
    entry = {
        "t": np.linspace(0, 1, 11),
        "ee_pos": np.asfortranarray(np.tile([0.0, 0.0, 1.0], (10, 1)).astype(dtype)),
        "ee_axis_angle": np.tile(forward, (20, 1)).astype(np.float64)[::2],
        "gripper_width": np.zeros((10, 3)),
        "note": ("text", None, True, 1.5, {"scalar": np.float32(2.0), "bytes": b"x"}, np.array(["a", "bc"])),
    }
    (tmp_path / "a.pkl").write_bytes(pickle.dumps([entry], protocol=protocol))
    (sequence,) = load_trajectories(tmp_path / "a.pkl")
    assert (sequence.rate, sequence.name, len(sequence)) == (200.0, "a[0]", 10)
    # 1 m above the ground, where their robot works: 0.5 m before ours and 0.72 m above its base
    np.testing.assert_allclose(sequence.positions, np.tile([0.5, 0.0, 0.72], (10, 1)), atol=1e-7)
    left, up, ahead = Rotation.from_quat(sequence.orientations[0]).as_matrix().T
    np.testing.assert_allclose([left, up, ahead], [[0, 1, 0], [0, 0, 1], [1, 0, 0]], atol=1e-7)


def test_reads_the_module_names_of_old_numpy(tmp_path: Path) -> None:
    data = pickle.dumps([{"ee_pos": np.zeros((3, 3)), "ee_axis_angle": np.zeros((3, 3))}], protocol=2)
    assert b"numpy._core.multiarray" in data
    (tmp_path / "old.pkl").write_bytes(data.replace(b"numpy._core.multiarray", b"numpy.core.multiarray"))
    assert len(load_trajectories(tmp_path / "old.pkl")[0]) == 3


def good() -> dict[str, np.ndarray]:
    """Return what one dict of a pickle must hold."""
    return {"ee_pos": np.zeros((4, 3)), "ee_axis_angle": np.zeros((4, 3))}


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_an_empty_trajectory_is_called_empty(tmp_path: Path, protocol: int) -> None:
    empty = [{"ee_pos": np.zeros((0, 3)), "ee_axis_angle": np.zeros((0, 3))}]
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(empty, protocol=protocol))
    with pytest.raises(TrajectoryError, match=r"'ee_pos' has shape \(0, 3\)"):
        load_trajectories(tmp_path / "a.pkl")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([], "an empty list"),
        ({}, "a dict"),
        (7, "a int"),
        ([[1, 2]], "entry 0 is a list"),
        ([good(), {"ee_pos": np.zeros((4, 3))}], "entry 1 has no 'ee_axis_angle'"),
        ([good() | {"ee_pos": np.zeros((4, 2))}], r"'ee_pos' has shape \(4, 2\)"),
        ([good() | {"ee_pos": np.zeros((0, 3))}], r"'ee_pos' has shape \(0, 3\)"),
        ([good() | {"ee_pos": np.zeros(3)}], r"'ee_pos' has shape \(3,\)"),
        ([good() | {"ee_pos": np.zeros((5, 3))}], "5 rows of 'ee_pos' and 4"),
        ([good() | {"ee_pos": [[0.0, 0.0, 0.0]] * 4}], "no NumPy array of numbers"),
        ([good() | {"ee_pos": np.array([["a"] * 3] * 4)}], "no NumPy array of numbers"),
        ([good() | {"ee_pos": np.zeros((4, 3), dtype=complex)}], "no NumPy array of numbers"),
        ([good() | {"ee_pos": np.array([[0.0, np.nan, 0.0]] * 4)}], "'ee_pos' is not finite at row 0"),
        ([good() | {"ee_axis_angle": np.array([[0.0] * 3] * 3 + [[np.inf] * 3])}], "not finite at row 3"),
        ([good() | {"ee_pos": np.full((4, 3), 400.0)}], "entry 0: .*check the unit"),
        ([good() | {"ee_axis_angle": np.full((4, 3), 1e300)}], "up to 1e[+]300, these are no rad"),
        ([{key: value[:1] for key, value in good().items()}], "2 or more"),
    ],
)
def test_refuses_pickles_of_other_things(tmp_path: Path, content: object, message: str) -> None:
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(content))
    with pytest.raises(TrajectoryError, match=message) as caught:
        load_trajectories(tmp_path / "a.pkl")
    assert str(caught.value).startswith(str(tmp_path / "a.pkl")) and "\n" not in str(caught.value)


def test_one_array_named_often_is_no_bomb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(umi, "MOST_POSES", 100)
    monkeypatch.setattr(umi, "MOST_SEQUENCES", 50)
    for count, message in ((26, "more than 100 poses"), (51, "51 sequences")):
        (tmp_path / "a.pkl").write_bytes(pickle.dumps([good()] * count))
        with pytest.raises(TrajectoryError, match=message):
            load_trajectories(tmp_path / "a.pkl")


def arrays(**changes: object) -> dict[str, np.ndarray]:
    """Return the arrays of a valid npz file with some changed."""
    poses = walk(4)
    base = {
        "format": npz.FORMAT, "frame": npz.FRAME, "positions": poses.positions, "orientations": poses.orientations,
        "lengths": [4], "rates": [50.0], "names": ["x"],
    }  # fmt: skip
    return {key: np.asarray(value) for key, value in (base | changes).items()}


def test_the_documented_keys_are_enough(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", **arrays())  # type: ignore[arg-type]
    assert_same(load_trajectories(tmp_path / "a.npz")[0], walk(4, 50.0, "x"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": "other 3"}, "made by another version"),
        ({"frame": "odom"}, "made by another version"),
        ({"lengths": [5]}, "do not add up"),
        ({"lengths": [-4]}, "do not add up"),
        ({"lengths": np.zeros(0, int), "rates": np.zeros(0), "names": np.zeros(0, "U1")}, "no sequences"),
        ({"rates": [50.0, 60.0]}, "a rate and a name for each"),
        ({"lengths": [[4]]}, "'lengths' has shape"),
        ({"lengths": [4.0]}, "'lengths' has type float64"),
        ({"positions": np.zeros((4, 3, 3))}, "'positions' has shape"),
        ({"positions": np.zeros((4, 2))}, "sequence 0: .*shape"),
        ({"positions": np.full((4, 3), np.nan)}, "sequence 0: .*not finite"),
        ({"orientations": np.zeros((4, 4))}, "sequence 0: .*quaternion"),
        ({"rates": [-1.0]}, "sequence 0: .*rate"),
        ({"names": np.array([{"a": 1}], dtype=object)}, "'names' holds objects"),
    ],
)
def test_refuses_broken_npz(tmp_path: Path, changes: dict[str, object], message: str) -> None:
    np.savez(tmp_path / "a.npz", **arrays(**changes))  # type: ignore[arg-type]
    with pytest.raises(TrajectoryError, match=message) as caught:
        load_trajectories(tmp_path / "a.npz")
    assert str(caught.value).startswith(str(tmp_path / "a.npz")) and "\n" not in str(caught.value)


def test_refuses_foreign_npz(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", positions=np.zeros((2, 3)), other=np.zeros(1))
    with pytest.raises(TrajectoryError, match="it lacks format, frame, orientations, lengths, rates, names"):
        load_trajectories(tmp_path / "a.npz")


def test_refuses_npz_that_unpacks_to_too_much(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(npz_reader, "LARGEST_CONTENT", 3 << 20)
    np.savez_compressed(tmp_path / "a.npz", **arrays(), zeros=np.zeros(1 << 19))  # type: ignore[arg-type]
    assert (tmp_path / "a.npz").stat().st_size < 20_000
    with pytest.raises(TrajectoryError, match="claims to hold 4 MiB, more than 3"):
        load_trajectories(tmp_path / "a.npz")


@pytest.mark.parametrize("name", ["a.npz", "a.pkl"])
@pytest.mark.parametrize("content", [b"", b"text\n", b"PK\x03\x04broken", b"\x80\x04"])
def test_refuses_files_that_are_something_else(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(TrajectoryError, match="damaged or no") as caught:
        load_trajectories(tmp_path / name)
    assert "\n" not in str(caught.value)


def test_refuses_names_that_it_cannot_use(tmp_path: Path) -> None:
    with pytest.raises(TrajectoryError, match=r"no such file.*generate"):
        load_trajectories(tmp_path / "none.npz")
    with pytest.raises(TrajectoryError, match="no such file"):
        (tmp_path / "folder.pkl").mkdir()
        load_trajectories(tmp_path / "folder.pkl")
    with pytest.raises(TrajectoryError, match="must end in .npz or .pkl or .pickle"):
        load_trajectories(tmp_path / "a.csv")
    with pytest.raises(TrajectoryError, match="must end in"):
        save_trajectories(tmp_path / "a.txt", [walk()])
    with pytest.raises(TrajectoryError, match="no sequences"):
        save_trajectories(tmp_path / "a.npz", [])
    with pytest.raises(TrajectoryError, match="cannot be written"):
        save_trajectories(tmp_path / "folder.pkl", [walk()])
