"""Files of the writer, read by another library."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("rclpy")

from moe_controller.recording.bag_writer import BagError, BagWriter
from moe_controller.recording.message_definitions import DefinitionError, full_definition
from rosbags.rosbag2 import Reader
from rosbags.typesys import Stores, get_typestore

from .bags import KIND, fill, open_bag, text


def numbers(path: Path) -> list[int]:
    """Return the numbers in the file's messages, read by rosbags."""
    store: Any = get_typestore(Stores.ROS2_JAZZY)
    with Reader(path) as reader:
        return [int(store.deserialize_cdr(raw, c.msgtype).data.split()[0]) for c, _, raw in reader.messages()]


def test_another_library_reads_every_message_in_order(tmp_path: Path) -> None:
    bag = open_bag(tmp_path / "bag.mcap")
    fill(bag, 1000)
    bag.close()
    bag.close()
    assert numbers(tmp_path / "bag.mcap") == list(range(1000))


def test_the_size_is_bounded_and_the_index_fits_into_it(tmp_path: Path) -> None:
    bag = open_bag(tmp_path / "bag.mcap", max_size=500_000)
    with pytest.raises(BagError, match="has reached its limit of 0.5 MB"):
        fill(bag, 100_000)
    bag.close()
    assert (tmp_path / "bag.mcap").stat().st_size <= 500_000
    assert numbers(tmp_path / "bag.mcap") == list(range(bag.messages)) and bag.messages > 400


def test_an_existing_file_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "bag.mcap"
    path.write_text("precious")
    with pytest.raises(BagError, match="exists already: move it away"):
        BagWriter(path, 1_000_000)
    assert path.read_text() == "precious"


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(BagError, match="cannot be made") as error:
        BagWriter(tmp_path / "file" / "bag.mcap", 1_000_000)
    assert "\n" not in str(error.value)


def test_a_full_disk_leaves_whole_chunks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bag = open_bag(tmp_path / "bag.mcap")
    fill(bag, 1000)
    kept = bag.size
    assert bag._output is not None
    file = bag._output._file

    class Full:
        """A file on a full disk: it takes a part of what is written."""

        def write(self, data: bytes) -> int:
            file.write(data[: len(data) // 2])
            file.flush()
            raise OSError(errno.ENOSPC, "No space left on device")

        def __getattr__(self, name: str) -> object:
            return getattr(file, name)

    monkeypatch.setattr(bag._output, "_file", Full())
    with pytest.raises(BagError, match="cannot be written any more .No space left on device"):
        fill(bag, 1000)
    bag.close()
    assert (tmp_path / "bag.mcap").stat().st_size == kept
    with pytest.raises(BagError, match="is closed"):
        bag.add("/text", text(0), 1, 1, 1)


def test_definitions_carry_all_types_within() -> None:
    definition = full_definition("nav_msgs/msg/Odometry")
    expected = {"geometry_msgs/Point", "geometry_msgs/Twist", "std_msgs/Header", "builtin_interfaces/Time"}
    found = {line.removeprefix("MSG: ") for line in definition.splitlines() if line.startswith("MSG: ")}
    assert expected <= found
    assert "MSG" not in full_definition(KIND)


def test_a_type_that_is_not_installed_is_named() -> None:
    with pytest.raises(DefinitionError, match="install ros-jazzy-nobodys_msgs"):
        full_definition("nobodys_msgs/msg/Thing")
