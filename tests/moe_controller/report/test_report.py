"""The report's page: out of recordings and records, complete and offline; bad input in one line."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rclpy")

from moe_controller.recording.bag_reader import read_bag
from moe_controller.report.__main__ import main
from moe_controller.report.bag_data import from_bag
from moe_controller.scenario.record import Recorder

from ..replay.recorded_run import TARGETS, VELOCITIES, Moment, record

MOMENTS = [Moment()] * 5 + [Moment(goal=TARGETS[0])] + [Moment()] * 20 + [Moment(goal=VELOCITIES[0])] + [Moment()] * 5


@pytest.fixture
def bag(tmp_path: Path) -> Path:
    record(tmp_path / "recording.mcap", MOMENTS)
    return tmp_path / "recording.mcap"


def test_numbers_of_a_recording(bag: Path) -> None:
    run = from_bag(read_bag(bag))
    times, error = run.ee_error
    assert len(times) == len(MOMENTS) and run.duration == pytest.approx(0.02 * (len(MOMENTS) - 1))
    assert np.all(np.isnan(error[:5])) and np.all(np.isfinite(error[6:])) and np.nanmax(error) < 1.0
    assert run.groups == ("legs", "arm") and run.experts == ("base", "arm")
    assert run.weights[1].shape == (len(MOMENTS), 2, 2) and np.all(run.entropy[1] <= np.log(2) + 1e-9)
    assert run.velocity_command[1].tolist() == [[0.5, 0.0, 0.2]]
    assert len(run.latency_ms) == len(MOMENTS) and np.all(run.latency_ms > 0)


def test_the_page_has_the_plots_and_needs_nothing_from_elsewhere(bag: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "report.html"
    assert main([str(tmp_path), "--out", str(out)]) == 0
    page = out.read_text()
    for title in ("End-effector error", "Expert weights", "Entropy", "Base velocity", "Torque", "State to command"):
        assert title in page
    assert not re.search(r"(?:src|href)=.(?:https?:)?//", page) and "<script" not in page
    assert page.count("<svg") >= 6


def test_a_run_without_a_recording_is_shown_from_its_record(tmp_path: Path) -> None:
    recorder = Recorder()
    for index in range(5):
        recorder.states.append((0.1 * index, np.zeros(18), np.zeros(18), 0.0))
        recorder.bases.append((0.1 * index, np.array([0.0, 0.0, 0.3, 0.0, 0.0, 0.0, 1.0, *[0.0] * 6])))
    recorder.finish().save(tmp_path / "record.npz")
    assert main([str(tmp_path), "--out", str(tmp_path / "report.html")]) == 0
    assert "Base velocity" in (tmp_path / "report.html").read_text()


@pytest.mark.parametrize("case", ["empty folder", "missing", "no bag", "other robot", "damaged record", "no place"])
def test_bad_input_is_one_line(tmp_path: Path, case: str, capsys: pytest.CaptureFixture[str]) -> None:
    path, out = tmp_path / "run", tmp_path / "report.html"
    if case != "missing":
        path.mkdir()
    if case == "no bag":
        (path / "recording.mcap").write_bytes(b"something that is not a recording at all")
    if case in ("other robot", "no place"):
        record(path / "recording.mcap", MOMENTS[:3], joints="spot_" if case == "other robot" else "")
    if case == "damaged record":
        (path / "record.npz").write_bytes(b"PK nothing")
    if case == "no place":
        out = path / "recording.mcap" / "report.html"
    assert main([str(path), "--out", str(out)]) == 2
    error = capsys.readouterr().err
    assert error.startswith("report: ") and error.count("\n") == 1


def test_a_cut_recording_is_shown_as_far_as_it_goes(tmp_path: Path) -> None:
    path = tmp_path / "recording.mcap"
    record(path, [Moment()] * 150)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    assert main([str(path), "--out", str(tmp_path / "report.html")]) == 0
    assert "cut off or damaged" in (tmp_path / "report.html").read_text()
