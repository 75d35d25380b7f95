"""Choosing clips: by name, duration, speed and turn; the copies, the manifest, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.training.amp.motion_files import write_amass
from training.amp import extract_expert_dataset as command
from training.amp.data.dataset import MANIFEST, Selection, load_dataset, survey
from training.amp.data.gait_clips import gait_clip
from training.amp.motion import MotionError, join, save_motion

CLIPS = {"walk_slow": (0.3, 0.0, 1.0), "walk_fast": (0.9, 0.0, 2.0), "turn": (0.4, -0.6, 1.0), "short": (0.5, 0.0, 0.3)}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Own clips, one of a human body in a folder of its own, and a file that is none."""
    folder = tmp_path / "source"
    (folder / "kit" / "3").mkdir(parents=True)
    for name, (vx, wz, seconds) in CLIPS.items():
        save_motion(folder / f"{name}.npz", gait_clip(vx, wz, seconds, name))
    write_amass(folder / "kit" / "3" / "jog_poses.npz", {}, np.outer(np.arange(100), [0.0, 0.02, 0.0]), 100.0)
    np.savez(folder / "kit" / "3" / "shape.npz", betas=np.zeros(16))
    return folder


def _chosen(source: Path, selection: Selection) -> set[str]:
    return {item.clip for item in survey([source], selection)[0] if not item.refusal}


@pytest.mark.parametrize(
    ("selection", "chosen"),
    [
        (Selection(), {*CLIPS, "jog_poses"}),
        (Selection(("walk*", "short")), {"walk_slow", "walk_fast", "short"}),
        (Selection(("kit/*",)), {"jog_poses"}),
        (Selection(duration=(0.9, 1.5)), {"walk_slow", "turn", "jog_poses"}),
        (Selection(speed=(0.5, 1.0)), {"walk_fast", "short"}),
        (Selection(speed=(1.5, 9.0)), {"jog_poses"}),
        (Selection(turn_rate=(0.3, 9.0)), {"turn"}),
        (Selection(("walk*",), speed=(0.0, 0.5), turn_rate=(0.0, 0.1)), {"walk_slow"}),
    ],
)
def test_selection(source: Path, selection: Selection, chosen: set[str]) -> None:
    assert _chosen(source, selection) == chosen


def test_copies_are_the_files_themselves_and_the_manifest_tells_of_them(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "set"
    assert command.main(["--source", str(source), "--out", str(out), "--speed", "0.8", "9"]) == 0
    assert {path.name for path in out.iterdir()} == {"walk_fast.npz", "kit_3_jog_poses.npz", MANIFEST}
    assert (out / "walk_fast.npz").read_bytes() == (source / "walk_fast.npz").read_bytes()
    manifest = json.loads((out / MANIFEST).read_text())
    assert manifest["selection"]["speed"] == [0.8, 9.0]
    first = manifest["files"][0]
    assert first["format"] == "amass" and first["from"].endswith("kit/3/jog_poses.npz") and len(first["sha256"]) == 64
    assert first["clips"][0]["speed"] == pytest.approx(2.0)
    assert [clip.name for clip in load_dataset(out)] == ["kit_3_jog_poses", "walk_fast"]


def test_of_a_file_with_several_clips_only_the_chosen_ones_are_used(tmp_path: Path) -> None:
    clips = [gait_clip(vx, wz, seconds, name) for name, (vx, wz, seconds) in CLIPS.items()]
    save_motion(tmp_path / "all.npz", join(clips))
    out = tmp_path / "set"
    assert command.main(["--source", str(tmp_path / "all.npz"), "--out", str(out), "--pattern", "walk*"]) == 0
    assert [clip.name for clip in load_dataset(out)] == ["walk_slow", "walk_fast"]


def test_equal_names_of_several_sources_do_not_collide(tmp_path: Path) -> None:
    for folder in ("a", "b", "c/a"):
        (tmp_path / folder).mkdir(parents=True)
        save_motion(tmp_path / folder / "walk.npz", gait_clip(0.5, 0.0, 0.5, f"walk_{folder}"))
    sources = [str(tmp_path / name) for name in ("a", "b", "c/a")]
    assert command.main(["--source", *sources, "--out", str(tmp_path / "set")]) == 0
    assert {clip.name for clip in load_dataset(tmp_path / "set")} == {"walk_a", "walk_b", "walk_c/a"}


def test_a_dry_run_writes_nothing(source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "set"
    assert command.main(["--source", str(source), "--out", str(out), "--dry_run"]) == 0
    text = capsys.readouterr().out
    assert "5 of 5 clips" in text and "nothing written" in text and "no motion in a known format" in text
    assert not out.exists()


def test_a_data_set_is_replaced_only_when_asked(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "set"
    arguments = ["--source", str(source), "--out", str(out)]
    assert command.main([*arguments, "--pattern", "walk*"]) == 0
    (out / "notes.txt").write_text("mine")
    assert command.main([*arguments, "--pattern", "turn"]) == 2
    assert command.main([*arguments, "--pattern", "turn", "--overwrite"]) == 0
    assert {path.name for path in out.iterdir()} == {"turn.npz", "notes.txt", MANIFEST}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--pattern", "jump"], "none of the 5 clips is chosen"),
        (["--source", "nowhere"], "nowhere: no such file or folder"),
        (["--source", "."], "no .npz files in it"),
    ],
)
def test_refusals_are_one_line(
    source: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    monkeypatch.chdir(empty)
    assert command.main(["--source", str(source), "--out", str(tmp_path / "set"), *arguments]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and message in error and not (tmp_path / "set").exists()


def test_a_folder_of_other_things_is_not_written_into(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "home"
    out.mkdir()
    (out / "thesis.tex").write_text("dear")
    assert command.main(["--source", str(source), "--out", str(out), "--overwrite"]) == 2
    assert "no data set of this command" in capsys.readouterr().err and len(list(out.iterdir())) == 1


@pytest.mark.parametrize(
    "content",
    [
        "no json",
        "{}",
        '{"format": "x", "files": []}',
        '{"format": "amp_expert_dataset 1", "files": [{"file": "a.npz"}]}',
    ],
)
def test_bad_manifests_are_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / MANIFEST).write_text(content)
    with pytest.raises(MotionError, match="manifest"):
        load_dataset(tmp_path)


def test_a_manifest_cannot_name_files_elsewhere(tmp_path: Path) -> None:
    entry = {"file": "../other.npz", "clips": [{"index": 0}]}
    (tmp_path / MANIFEST).write_text(json.dumps({"format": "amp_expert_dataset 1", "files": [entry]}))
    with pytest.raises(MotionError, match="which is not in its folder"):
        load_dataset(tmp_path)
