"""Readers of foreign motion files: what they take, what they refuse, and that they never unpickle."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from go2_piper_description.joints import JOINT_NAMES, LEG_JOINT_NAMES

from tests.training.amp.motion_files import write_amass, write_loco_mujoco
from training import npz_reader
from training.amp.data.gait_clips import gait_clip
from training.amp.data.source import AMASS, LOCO_MUJOCO, OWN, file_format, read_clips
from training.amp.motion import MotionError, join, save_motion

FRAMES = 40


class Trap:
    """An object whose pickle makes a file when it is loaded."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.path,))


def _loco(path: Path, **more: Any) -> None:
    clip = gait_clip(0.5, 0.2, FRAMES / 50.0, "trot")
    write_loco_mujoco(path, LEG_JOINT_NAMES, clip.qpos[:, :19], clip.qvel[:, :18], 50.0, **more)


def _amass(path: Path, **more: Any) -> None:
    knees = np.linspace(0.0, 1.0, FRAMES)[:, None] * [1.0, 0.0, 0.0]
    write_amass(path, {"left_knee": knees}, np.outer(np.arange(FRAMES), [0.0, 0.01, 0.0]), 120.0, **more)


def test_own_clips(tmp_path: Path) -> None:
    clips = [gait_clip(0.5, 0.3, 1.0, "one"), gait_clip(0.0, 0.0, 2.0, "two")]
    save_motion(tmp_path / "clips.npz", join(clips))
    assert file_format(tmp_path / "clips.npz") == OWN
    one, two = read_clips(tmp_path / "clips.npz")
    assert (one.name, two.name, one.rate) == ("one", "two", 50.0)
    assert one.duration == pytest.approx(0.98) and one.speed == pytest.approx(0.5, abs=1e-3)
    assert one.turn_rate == pytest.approx(0.3) and two.speed == 0.0
    assert np.array_equal(one.rotation[:, [3, 0, 1, 2]], clips[0].qpos[:, 3:7])
    name = JOINT_NAMES[5]
    assert np.array_equal(one.joints[name], clips[0].qpos[:, 12]) and np.array_equal(
        one.speeds[name], clips[0].qvel[:, 11]
    )


def test_loco_mujoco_files_with_several_trajectories(tmp_path: Path) -> None:
    path = tmp_path / "walk.npz"
    points = np.random.default_rng(0).normal(size=(FRAMES, 2, 3))
    _loco(path, split_points=np.array([0, 15, FRAMES]), body_names=np.array(["trunk", "FL_foot"]), xpos=points)
    assert file_format(path) == LOCO_MUJOCO
    first, second = read_clips(path)
    assert (first.name, second.name, len(second.position)) == ("walk_0", "walk_1", FRAMES - 15)
    clip = gait_clip(0.5, 0.2, FRAMES / 50.0, "trot")
    assert np.allclose(second.joints["RR_calf_joint"], clip.qpos[15:, 18], atol=1e-6)
    assert np.allclose(second.speeds["RR_calf_joint"], clip.qvel[15:, 17], atol=1e-5)
    assert second.velocity is not None and np.allclose(second.velocity, clip.qvel[15:, :6], atol=1e-6)
    assert np.array_equal(first.points["FL_foot"], points[:15, 1])


def test_the_free_joint_may_stand_anywhere(tmp_path: Path) -> None:
    path = tmp_path / "walk.npz"
    clip = gait_clip(0.5, 0.2, FRAMES / 50.0, "trot")
    qpos = np.hstack([clip.qpos[:, 7:9], clip.qpos[:, :7]])
    qvel = np.hstack([clip.qvel[:, 6:8], clip.qvel[:, :6]])
    names = np.array(["a", "b", "root"])
    write_loco_mujoco(path, [], qpos, qvel, 50.0, joint_names=names, jnt_type=np.array([3, 2, 0]))
    (read,) = read_clips(path)
    assert np.allclose(read.position, clip.qpos[:, :3], atol=1e-6)
    assert np.allclose(read.joints["b"], clip.qpos[:, 8], atol=1e-6)


@pytest.mark.parametrize("joints", [22, 24, 52, 55])
def test_amass_files(tmp_path: Path, joints: int) -> None:
    path = tmp_path / "walk_poses.npz"
    _amass(path, joints=joints)
    assert file_format(path) == AMASS
    (clip,) = read_clips(path)
    assert (clip.name, clip.rate) == ("walk_poses", 120.0) and "right_wrist" in clip.turns
    assert clip.speed == pytest.approx(1.2)
    assert np.allclose(clip.turns["left_knee"][-1], [np.sin(0.5), 0.0, 0.0, np.cos(0.5)])


def test_the_other_spelling_of_the_rate(tmp_path: Path) -> None:
    path = tmp_path / "walk.npz"
    np.savez(path, poses=np.zeros((5, 165)), trans=np.zeros((5, 3)), mocap_frame_rate=np.array(30.0))
    assert read_clips(path)[0].rate == 30.0


@pytest.mark.parametrize("write", [_loco, _amass])
def test_pickles_are_not_loaded(tmp_path: Path, write: Any) -> None:
    path, mark = tmp_path / "clip.npz", tmp_path / "loaded"
    trap = np.array([Trap(mark)], dtype=object)
    write(path, gender=trap, metadata=trap, obs_container=trap, body_names=trap)
    assert len(read_clips(path)[0].position) == FRAMES
    write(path, qpos=trap, poses=trap)
    with pytest.raises(MotionError, match="which are never read"):
        read_clips(path)
    assert not mark.exists()
    with np.load(path, allow_pickle=True) as data:  # the trap would have worked
        assert data["qpos"] is not None
    assert mark.exists()


@pytest.mark.parametrize(
    ("write", "more", "message"),
    [
        (_loco, {"frequency": np.array(0.0)}, "a rate of 0.0"),
        (_loco, {"frequency": np.array([50.0, 60.0])}, "do not belong together"),
        (_loco, {"jnt_type": np.array([3] * 13)}, "one free joint"),
        (_loco, {"jnt_type": np.array([0, 1] + [3] * 11)}, "otherwise hinges"),
        (_loco, {"qpos": np.zeros((FRAMES, 12))}, "12 columns, its joints have 19"),
        (_loco, {"qpos": np.zeros((FRAMES, 19))}, "not of length 1"),
        (_loco, {"qpos": np.full((FRAMES, 19), np.nan)}, "not finite"),
        (_loco, {"qvel": np.zeros((FRAMES, 17))}, "qvel has shape"),
        (_loco, {"split_points": np.array([0, 20, 20, FRAMES])}, "split_points must rise"),
        (_loco, {"split_points": np.array([0, 99])}, "split_points must rise"),
        (_loco, {"split_points": np.array([0, 2, FRAMES])}, "has 2 frames; at least 3"),
        (_amass, {"poses": np.zeros((FRAMES, 63))}, "poses has shape"),
        (_amass, {"poses": np.full((FRAMES, 156), np.inf)}, "not finite"),
        (_amass, {"trans": np.zeros((FRAMES, 2))}, "trans has shape"),
        (_amass, {"trans": np.full((FRAMES, 3), np.nan)}, "not finite"),
        (_amass, {"mocap_framerate": np.array("fast")}, "no mocap_framerate"),
        (_amass, {"poses": np.zeros((0, 156)), "trans": np.zeros((0, 3))}, "has 0 frames"),
        (_amass, {"trans": np.array(["a"] * FRAMES)}, "'trans' has type <U1"),
    ],
)
def test_refusals_are_one_line_with_the_file(tmp_path: Path, write: Any, more: dict[str, Any], message: str) -> None:
    path = tmp_path / "clip.npz"
    write(path, **more)
    with pytest.raises(MotionError, match=re.escape(message)) as caught:
        read_clips(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_damaged_foreign_and_missing_files(tmp_path: Path) -> None:
    _amass(tmp_path / "good.npz")
    content = (tmp_path / "good.npz").read_bytes()
    (tmp_path / "cut.npz").write_bytes(content[: len(content) // 2])
    (tmp_path / "text.npz").write_text("no zip")
    np.savez(tmp_path / "shape.npz", betas=np.zeros(16))
    changed = bytearray(content)
    changed[200:400] = b"\xff" * 200
    (tmp_path / "changed.npz").write_bytes(changed)
    for name, message in {
        "cut": "damaged or no npz",
        "text": "damaged or no npz",
        "changed": "damaged or no npz",
        "shape": "no motion in a known format",
        "none": "no such file",
    }.items():
        with pytest.raises(MotionError, match=message):
            read_clips(tmp_path / f"{name}.npz")
    with pytest.raises(MotionError, match="a folder"):
        read_clips(tmp_path)


def test_a_file_that_claims_to_be_huge_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _amass(tmp_path / "clip.npz")
    monkeypatch.setattr(npz_reader, "LARGEST_CONTENT", 1 << 10)
    with pytest.raises(MotionError, match="claims to hold 0 MiB, more than 0"):
        read_clips(tmp_path / "clip.npz")
