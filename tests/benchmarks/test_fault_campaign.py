"""A campaign that was stopped knows what it has done."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest

pytest.importorskip("cyclonedds")

from benchmarks.fault_campaign.__main__ import Trial, load_trials, report

TRIALS = [Trial("tilt", "HOLD", 0, 0.02, ()), Trial("tilt", "HOLD", 1, None, ("limit: position x1",))]


def test_trials_are_read_back(tmp_path: Path) -> None:
    assert load_trials(tmp_path / "none.jsonl") == []
    path = tmp_path / "trials.jsonl"
    path.write_text("".join(json.dumps(asdict(trial)) + "\n" for trial in TRIALS))
    assert load_trials(path) == TRIALS
    assert report(TRIALS)[-1] == "| tilt | legs damped or without power | 2 | 1 | 0.020 | 0.020 | 0.020 |"


@pytest.mark.parametrize("content", ["x", "3\n", '{"fault": "tilt"}\n', '{"colour": "red", "broken": []}\n'])
def test_a_foreign_file_is_one_line(tmp_path: Path, content: str) -> None:
    path = tmp_path / "trials.jsonl"
    path.write_text(content)
    with pytest.raises(ValueError, match="holds no trials: give another --out") as error:
        load_trials(path)
    assert "\n" not in str(error.value)
