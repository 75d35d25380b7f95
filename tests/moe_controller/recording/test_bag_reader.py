"""Reading recordings: whole, cut off at any place, damaged, foreign."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytest.importorskip("rclpy")

from moe_controller.recording import bag_reader
from moe_controller.recording.bag_reader import BagReadError, read_bag

from .bags import KIND, fill, open_bag


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("bag") / "bag.mcap"
    bag = open_bag(path)
    fill(bag, 600)
    bag.close()
    return path.read_bytes()


@pytest.fixture(autouse=True)
def text_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(bag_reader.KINDS, "text", KIND)


def test_a_whole_recording(tmp_path: Path, whole: bytes) -> None:
    (tmp_path / "recording.mcap").write_bytes(whole)
    bag = read_bag(tmp_path, ["text"])
    assert not bag.problem and bag.metadata["robot"] == "go2_piper"
    assert [int(message.data.split()[0]) for _, message in bag.decoded("text")] == list(range(600))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(share=st.floats(0.0, 0.999))
def test_a_cut_recording_gives_its_beginning_or_one_line(tmp_path: Path, whole: bytes, share: float) -> None:
    path = tmp_path / "cut.mcap"
    path.write_bytes(whole[: int(share * len(whole))])
    try:
        bag = read_bag(path, ["text"])
    except BagReadError as error:
        assert "\n" not in str(error) and "cut off" in str(error)
        return
    found = [int(message.data.split()[0]) for _, message in bag.decoded("text")]
    assert found == list(range(len(found)))
    assert bag.problem or len(found) == 600


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.floats(0.0, 0.999), value=st.integers(0, 255))
def test_damage_never_gives_a_traceback(tmp_path: Path, whole: bytes, at: float, value: int) -> None:
    path = tmp_path / "damaged.mcap"
    data = bytearray(whole)
    data[int(at * len(data))] = value
    path.write_bytes(bytes(data))
    try:
        for _ in read_bag(path, ["text"]).decoded("text"):
            pass
    except BagReadError as error:
        assert "\n" not in str(error)


@pytest.mark.parametrize("content", [b"", b"not an mcap file at all, but long enough for a header"])
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "other.mcap"
    path.write_bytes(content)
    with pytest.raises(BagReadError, match="nothing can be read"):
        read_bag(path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BagReadError, match="cannot be read .No such file"):
        read_bag(tmp_path)


def test_missing_topics_are_named(tmp_path: Path, whole: bytes) -> None:
    path = tmp_path / "bag.mcap"
    path.write_bytes(whole)
    with pytest.raises(BagReadError, match="has no /joint_states, which a replay needs; it has /text"):
        read_bag(path, ["text"]).require(["joint_states", "text"], "a replay")


def test_a_topic_of_another_type_is_refused(tmp_path: Path, whole: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(bag_reader.KINDS, "text", "std_msgs/msg/Bool")
    path = tmp_path / "bag.mcap"
    path.write_bytes(whole)
    with pytest.raises(BagReadError, match="/text has the type std_msgs/msg/String, not std_msgs/msg/Bool"):
        read_bag(path, ["text"])
