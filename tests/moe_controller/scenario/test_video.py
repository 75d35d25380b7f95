"""The film of a run."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
from moe_controller.scenario.player import Player
from moe_controller.scenario.record import Record, Recorder
from moe_controller.scenario.scenarios import goals
from moe_controller.scenario.video import FRAME_RATE, recording_of, render_record
from sim_bridge.gl import RenderError, choose_offscreen

from .fake_link import FakeLink


@pytest.fixture(scope="module")
def record() -> Record:
    link = FakeLink()
    Player(link, goals("reach", 0, 0.3), 0.3).run()
    return link.recorder.finish()


def test_every_state_has_its_weights_and_target(record: Record) -> None:
    recording = recording_of(record)
    assert recording.weights is not None and len(recording.weights) == len(record.time)
    assert recording.target is not None and np.isfinite(recording.target).all(axis=1).sum() == 60


def test_empty_record_is_refused_in_one_line() -> None:
    with pytest.raises(ValueError, match="it is empty"):
        recording_of(Recorder().finish())


def test_film_has_the_length_of_the_run(record: Record, tmp_path: Path) -> None:
    try:
        choose_offscreen()
    except RenderError as error:
        pytest.skip(str(error))
    render_record(record, tmp_path / "film.mp4")
    with av.open(str(tmp_path / "film.mp4")) as film:
        frames = sum(1 for _ in film.decode(video=0))
    assert frames == pytest.approx((record.time[-1] - record.time[0]) * FRAME_RATE, abs=1.5)
