"""A campaign that was stopped knows what it has done."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest

pytest.importorskip("cyclonedds")

from benchmarks.fault_campaign.__main__ import Trial, load_trials, report
from benchmarks.fault_campaign.faults import FAULTS, MODES, End

TRIALS = [Trial("tilt", "HOLD", 0, 0.02, ()), Trial("tilt", "HOLD", 1, None, ("limit: position x1",))]


OTHER = json.dumps(asdict(Trial("no such fault", "HOLD", 0, 0.02, ())))


def test_trials_are_read_back(tmp_path: Path) -> None:
    assert load_trials(tmp_path / "none.jsonl") == []
    path = tmp_path / "trials.jsonl"
    path.write_text("".join(json.dumps(asdict(trial)) + "\n" for trial in TRIALS))
    assert load_trials(path) == TRIALS
    assert report(TRIALS)[-1] == "| tilt | legs damped or without power | 2 | 1 | 0.020 | 0.020 | 0.020 |"


def test_a_silent_controller_is_missed_only_where_it_is_needed() -> None:
    silent = next(fault for fault in FAULTS if fault.commands_stop)
    assert [silent.end_in(mode) for mode in MODES] == [
        End.DAMPED, End.TOLERATED, End.TOLERATED, End.DAMPED, End.DAMPED
    ]  # fmt: skip
    trials = [Trial(silent.name, mode, 0, seconds, ()) for mode, seconds in (("HOLD", 1.0), ("ACTIVE", 1.6))]
    assert "goes on in STANDING_UP, HOLD | 2 | 2 | 1.600" in report(trials)[-1]


@pytest.mark.parametrize("content", ["x", "3\n", '{"fault": "tilt"}\n', '{"colour": "red", "broken": []}\n', OTHER])
def test_a_foreign_file_is_one_line(tmp_path: Path, content: str) -> None:
    path = tmp_path / "trials.jsonl"
    path.write_text(content)
    with pytest.raises(ValueError, match="holds no trials: give another --out") as error:
        load_trials(path)
    assert "\n" not in str(error.value)
