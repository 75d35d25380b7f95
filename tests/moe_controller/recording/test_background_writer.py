"""The queue between the recorder and the disk."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

pytest.importorskip("rclpy")

from moe_controller.recording.background_writer import BackgroundWriter, Item
from moe_controller.recording.bag_writer import BagError

from .bags import KIND, open_bag, text


def item(number: int) -> Item:
    return Item("/text", text(number), number, number, number)


def test_all_that_was_taken_is_written_before_the_end(tmp_path: Path) -> None:
    bag = open_bag(tmp_path / "bag.mcap")
    writer = BackgroundWriter(bag)
    writer.start()
    writer.add_topic("/late", KIND, "string data", "")
    assert all(writer.put(item(number)) for number in range(500))
    writer.close()
    assert writer.written == bag.messages == 500 and not writer.problem and not writer.dropped


def test_a_disk_that_hangs_makes_nobody_wait_and_drops_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bag = open_bag(tmp_path / "bag.mcap")
    hanging, released = threading.Event(), threading.Event()
    add = bag.add

    def hang(*arguments: object) -> None:
        hanging.set()
        assert released.wait(60.0)
        add(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(bag, "add", hang)
    writer = BackgroundWriter(bag, queue_bytes=10 * len(text(10)))
    writer.start()
    writer.put(item(0))
    assert hanging.wait(60.0)
    taken = [writer.put(item(number)) for number in range(10, 30)]
    assert taken == [True] * 10 + [False] * 10 and writer.dropped == 10
    writer.close(patience=0.05)
    assert "did not take the end" in writer.problem
    released.set()
    writer._thread.join(60.0)
    assert writer.written == 11


def test_an_error_ends_the_writing_with_its_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bag = open_bag(tmp_path / "bag.mcap")

    def refuse(*arguments: object) -> None:
        raise BagError("the disk is full")

    monkeypatch.setattr(bag, "add", refuse)
    writer = BackgroundWriter(bag)
    writer.start()
    writer.put(item(0))
    writer._thread.join(60.0)
    assert writer.problem == "the disk is full"
    writer.put(item(1))
    writer.close()
