"""Trajectories recorded by hand, and their files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from moe_controller.cockpit.trajectory_recording import TrajectoryRecording
from moe_controller.trajectory_file import TrajectoryFileError, load_trajectory

UP = np.array([0.0, 0.0, 0.0, 1.0])


class Clock:
    """Time that a test sets, s."""

    now = 5.0

    def __call__(self) -> float:
        return self.now


def test_recorded_saved_read_and_sent(tmp_path: Path) -> None:
    told: list[str] = []
    clock = Clock()
    recording = TrajectoryRecording(tmp_path / "new", told.append, clock)
    recording.note(np.zeros(3), UP, "odom")
    recording.toggle()
    for index in range(5):
        recording.note(np.array([0.1 * index, 0.0, 0.4]), UP, "odom")
        recording.note(np.array([9.0, 0.0, 0.4]), UP, "odom")  # too soon after the one before
        clock.now += 0.05
    recording.toggle()
    (path,) = (tmp_path / "new").iterdir()
    assert str(path) in told[-1]
    trajectory, frame = load_trajectory(path)
    assert frame == "odom"
    np.testing.assert_allclose(trajectory.times, 0.05 * np.arange(5), atol=1e-9)
    np.testing.assert_allclose(trajectory.positions[:, 0], 0.1 * np.arange(5))
    assert recording.take_to_send() is None
    recording.ask_to_send()
    assert recording.take_to_send() is recording.last and recording.take_to_send() is None


def test_too_little_is_said_and_not_saved(tmp_path: Path) -> None:
    told: list[str] = []
    recording = TrajectoryRecording(tmp_path, told.append)
    recording.toggle()
    recording.toggle()
    recording.ask_to_send()
    assert recording.take_to_send() is None and not list(tmp_path.iterdir())
    assert told[1:] == ["the target was not moved: nothing recorded", "record or load a trajectory first"]


def test_a_saved_file_can_be_loaded_again_and_a_stop_takes_the_wish_back(tmp_path: Path) -> None:
    told: list[str] = []
    clock = Clock()
    recording = TrajectoryRecording(tmp_path, told.append, clock)
    recording.toggle()
    for height in (0.3, 0.5):
        recording.note(np.array([0.4, 0.0, height]), UP, "odom")
        clock.now += 2.0
    recording.toggle()
    (path,) = tmp_path.iterdir()
    other = TrajectoryRecording(tmp_path, told.append, clock)
    other.load(path.name, b"rubbish")
    assert other.last is None and told[-1] == f"{path.name} is no JSON file of this project"
    other.load(path.name, path.read_bytes())
    assert other.last is not None and other.last[1] == "odom" and "2.0 s in odom" in told[-1]
    other.ask_to_send()
    other.take_back()
    assert other.take_to_send() is None


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    told: list[str] = []
    clock = Clock()
    recording = TrajectoryRecording(tmp_path / "file", told.append, clock)
    recording.toggle()
    for _ in range(3):
        recording.note(np.zeros(3), UP, "base_link")
        clock.now += 1.0
    recording.toggle()
    assert "cannot be written" in told[-1] and recording.last is not None


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "is no JSON file"),
        ("[" * 100_000, "is no JSON file"),
        ('{"frame": "odom"}', "'frame' and 'points'"),
        ('{"frame": "odom", "points": []}', "no points"),
        ('{"frame": "odom", "points": [{"time": 0, "position": [0, 0], "orientation": [0, 0, 0, 1]}]}', "shape"),
        ('{"frame": "odom", "points": [{"time": 0, "position": [0, 0, 0], "orientation": [0, 0, 0, 0]}]}', "length 0"),
        ('{"frame": "map", "points": [{"time": 0, "position": [0, 0, 0], "orientation": [0, 0, 0, 1]}]}', "'map'"),
    ],
)
def test_bad_files_are_one_line(tmp_path: Path, content: str, words: str) -> None:
    path = tmp_path / "t.json"
    path.write_text(content)
    with pytest.raises(TrajectoryFileError, match=words) as error:
        load_trajectory(path)
    assert "\n" not in str(error.value)


@settings(deadline=None, max_examples=50)
@given(data=st.binary(max_size=200))
def test_rubbish_never_gives_a_traceback(data: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / "rubbish.json"
    path.write_bytes(data)
    with pytest.raises(TrajectoryFileError):
        load_trajectory(path)
