"""Checks of motion: good clips pass, and each flaw is found by the measure that is for it, and by no other."""

from __future__ import annotations

import json
import runpy
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from go2_piper_description.joints import JOINT_NAMES

from training.amp import check_motion as command
from training.amp.data import check_report
from training.amp.data.checks import ClipCheck, Limits, check_motion
from training.amp.data.gait_clips import gait_clip
from training.amp.data.kinematics import RobotKinematics
from training.amp.data.signals import differences
from training.amp.motion import Motion, MotionError, join, save_motion
from training.amp.robot import robot_config

KINEMATICS = RobotKinematics(robot_config("Go2Piper.walk.mocap"))
LIMITS = Limits()


def _clip() -> Motion:
    return gait_clip(0.7, 0.2, 1.0, "trot")


def _check(motion: Motion) -> ClipCheck:
    (check,) = check_motion(motion, KINEMATICS)
    return check


def _with_differences(motion: Motion) -> Motion:
    """Return the motion with velocities that fit its positions."""
    qvel = motion.qvel.copy()
    qvel[:, :3] = differences(motion.qpos[:, :3], motion.rate)
    qvel[:, 6:] = differences(motion.qpos[:, 7:], motion.rate)
    return replace(motion, qvel=qvel)


def _joint(name: str, value: Callable[[np.ndarray], np.ndarray]) -> Motion:
    motion = _clip()
    column = 7 + JOINT_NAMES.index(name)
    motion.qpos[:, column] = value(motion.qpos[:, column])
    return _with_differences(motion)


def test_the_trot_passes() -> None:
    check = _check(_clip())
    assert check.failures(LIMITS) == []
    assert check.measures["root_step"] == pytest.approx(0.7, abs=0.01)
    assert check.measures["skating"] < 0.03 and check.measures["penetration"] < 0.004


def _skating() -> Motion:
    motion = _clip()
    motion.qpos[:, 0] += 0.5 * np.arange(50) / 50.0  # the root is carried half a metre per second too far
    return _with_differences(motion)


def _sunk() -> Motion:
    motion = _clip()
    motion.qpos[:, 2] -= 0.05
    return motion


def _hovering() -> Motion:
    motion = _clip()
    motion.qpos[:, 2] += 0.05
    return motion


def _scaled(columns: slice, factor: float) -> Motion:
    motion = _clip()
    motion.qvel[:, columns] *= factor
    return motion


def _noisy() -> Motion:
    motion = _clip()
    noise = np.random.default_rng(0).normal(0.0, 2.0, motion.qvel[:, 6:].shape)
    motion.qvel[:, 6:] = differences(motion.qpos[:, 7:], motion.rate) + noise
    return motion


def _jump() -> Motion:
    motion = _clip()
    motion.qpos[25:, 0] += 0.3
    return motion


FLAWS: dict[str, Callable[[], Motion]] = {
    "root_velocity": lambda: _scaled(slice(0, 3), 0.8),
    "turn_rate": lambda: _scaled(slice(3, 6), -1.0),
    "joint_scale": lambda: _scaled(slice(6, 24), 0.6),
    "joint_velocity": _noisy,
    "joint_excess": lambda: _joint("piper_joint5", lambda q: q + 1.3),
    "skating": _skating,
    "penetration": _sunk,
    "floating": _hovering,
    "joint_step": lambda: _joint("piper_joint6", lambda q: np.where(np.arange(50) == 25, 1.0, q)),
}


@pytest.mark.parametrize("flaw", FLAWS)
def test_each_flaw_is_found(flaw: str) -> None:
    assert _check(FLAWS[flaw]()).failures(LIMITS) == [flaw]


def test_a_jump_of_the_root_is_found_in_all_that_it_spoils() -> None:
    assert set(_check(_jump()).failures(LIMITS)) == {"root_step", "root_velocity", "skating"}


def test_the_joint_beyond_its_limits_is_named() -> None:
    assert _check(FLAWS["joint_excess"]()).joint == "piper_joint5"


def test_flaws_have_all_measures() -> None:
    assert {*FLAWS, "root_step"} == set(_check(_clip()).measures)


def test_clips_are_measured_by_themselves_and_joints_by_name() -> None:
    motion = join([_clip(), replace(_sunk(), names=("sunk",))])
    order = tuple(reversed(JOINT_NAMES))
    first, second = check_motion(motion.select(order), KINEMATICS)
    assert (first.failures(LIMITS), second.failures(LIMITS)) == ([], ["penetration"])
    with pytest.raises(MotionError, match="has no joint piper_joint6"):
        check_motion(motion.select(JOINT_NAMES[:-1]), KINEMATICS)


def test_the_command_reports_what_it_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(check_report, "DRAWN", 1)  # pictures take a second each
    save_motion(tmp_path / "good.npz", _clip())
    save_motion(tmp_path / "bad.npz", join([_clip(), replace(FLAWS["joint_excess"](), names=("a/b [red]",))]))
    assert command.main([str(tmp_path / "good.npz")]) == 0
    assert (tmp_path / "good_checks" / "overview.png").stat().st_size > 5000
    capsys.readouterr()
    assert command.main([str(tmp_path / "bad.npz"), "--out", str(tmp_path / "report")]) == 1
    text = capsys.readouterr().out
    assert "1 of 2 clips pass" in text and "piper_joint5" in text and "a/b [red]" in text
    report = json.loads((tmp_path / "report" / "report.json").read_text())
    assert not report["passed"] and report["limits"]["joint_excess"] == LIMITS.joint_excess
    assert [clip["failures"] for clip in report["clips"]] == [[], ["joint_excess"]]
    assert report["clips"][1]["measures"]["joint_excess"] == pytest.approx(1.3 - 1.22, abs=1e-6)
    assert [path.name for path in (tmp_path / "report").glob("clip_*.png")] == ["clip_001.png"]  # the worst


def test_files_that_cannot_be_used_are_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clip = _clip()
    save_motion(tmp_path / "other.npz", replace(clip, joints=tuple(f"j{i}" for i in range(18))))
    (tmp_path / "damaged.npz").write_bytes((tmp_path / "other.npz").read_bytes()[:1000])
    for name, message in {"other": "retargeted first", "damaged": "damaged", "none": "no such file"}.items():
        assert command.main([str(tmp_path / f"{name}.npz")]) == 2
        error = capsys.readouterr().err
        assert error.count("\n") == 1 and message in error
    assert command.main([str(tmp_path / "other.npz"), "--robot", "Nobody"]) == 2
    assert "env_id 'Nobody' is unknown" in capsys.readouterr().err


@pytest.mark.parametrize(
    "name", ["make_expert_clips", "extract_expert_dataset", "retarget_expert_dataset", "check_motion"]
)
def test_commands_run_as_files_too(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", [name, "--help"])
    with pytest.raises(SystemExit) as caught:  # no package around it, as `python FILE` has none
        runpy.run_path(str(Path(command.__file__).with_name(f"{name}.py")), run_name="__main__")
    assert caught.value.code == 0 and f"usage: {name}" in capsys.readouterr().out
