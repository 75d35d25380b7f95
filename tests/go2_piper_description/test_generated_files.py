"""The robot files in the repository are those that the tables give."""

from __future__ import annotations

from pathlib import Path

import pytest
from go2_piper_description import generate
from go2_piper_description.paths import MJCF_PATH, URDF_PATH


def test_files_are_up_to_date() -> None:
    assert generate.main(["--check"]) == 0, "run python -m go2_piper_description.generate"


def test_files_say_that_they_are_generated() -> None:
    for path in (MJCF_PATH, URDF_PATH):
        assert "do not edit" in "".join(path.read_text("utf-8").splitlines()[:2])


def test_stale_files_are_found_and_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(generate, "MJCF_PATH", tmp_path / "mjcf" / "robot.xml")
    monkeypatch.setattr(generate, "URDF_PATH", tmp_path / "urdf" / "robot.urdf")
    assert generate.main(["--check"]) == 1
    assert "robot.urdf is not up to date" in capsys.readouterr().err
    assert generate.main([]) == 0
    assert generate.main(["--check"]) == 0
    (tmp_path / "mjcf" / "robot.xml").write_text("edited by hand")
    assert generate.main(["--check"]) == 1
