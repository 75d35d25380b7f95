"""`python -m moe_controller.replay`: exit status and words."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("rclpy")

from moe_controller.replay.__main__ import main

from tests.support.tiny_policy import write_tiny_policy

from .recorded_run import Moment, record


@pytest.fixture
def model(tmp_path: Path) -> str:
    write_tiny_policy(tmp_path / "p.onnx")
    return str(tmp_path / "p.onnx")


def test_differences_are_status_1_and_a_table(tmp_path: Path, model: str, capsys: pytest.CaptureFixture[str]) -> None:
    record(tmp_path / "bag.mcap", [Moment()] * 5)
    assert main([str(tmp_path / "bag.mcap"), "--model", model]) == 1
    assert "5 steps" in capsys.readouterr().out


@pytest.mark.parametrize("case", ["missing bag", "no bag", "missing model", "cut"])
def test_bad_input_is_one_line_and_status_2(
    tmp_path: Path, model: str, case: str, capsys: pytest.CaptureFixture[str]
) -> None:
    bag = tmp_path / "bag.mcap"
    if case == "no bag":
        bag.write_bytes(b"something else entirely, nothing to see here")
    if case in ("missing model", "cut"):
        record(bag, [Moment()] * 5)
    if case == "cut":
        bag.write_bytes(bag.read_bytes()[:200])
    if case == "missing model":
        model = str(tmp_path / "none.onnx")
    assert main([str(bag), "--model", model]) == 2
    error = capsys.readouterr().err
    assert error.startswith("replay: ") and error.count("\n") == 1
