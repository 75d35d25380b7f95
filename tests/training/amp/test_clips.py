"""Clips of the trained policy and of the trot: they are what they claim to be."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from training.amp import make_expert_clips
from training.amp.data.expert_clips import COMMANDS, command_clips, steering_clips
from training.amp.data.gait_clips import gait_clip
from training.amp.motion import MotionError, load_motion
from training.models.loading import load_policy
from training.models.policy import FixedWeights


def test_the_expert_does_what_its_clips_are_called() -> None:
    clips = command_clips(load_policy(make_expert_clips.MODEL), seconds=2.0, warm_up=1.0)
    assert [clip.names[0] for clip in clips] == list(COMMANDS)
    for clip, (vx, wz) in zip(clips, COMMANDS.values(), strict=True):
        assert clip.qpos.shape == (100, 25) and clip.rate == 50.0
        speed = np.linalg.norm(clip.qpos[-1, :2] - clip.qpos[0, :2]) / 1.98 if wz == 0.0 else None
        assert speed is None or speed == pytest.approx(vx, abs=0.12)
        assert clip.qvel[:, 5].mean() == pytest.approx(wz, abs=0.3)
        # velocities are those of the simulation, in the frames that the format says
        difference = (clip.qpos[2:, :2] - clip.qpos[:-2, :2]) * 25.0
        assert np.abs(difference - clip.qvel[1:-1, :2]).mean() < 0.05


def test_the_same_seed_gives_the_same_clips() -> None:
    policy = load_policy(make_expert_clips.MODEL)
    one, two = (steering_clips(policy, 2, seconds=0.5, warm_up=0.1, seed=3) for _ in range(2))
    other = steering_clips(policy, 2, seconds=0.5, warm_up=0.1, seed=4)
    assert np.array_equal(one[1].qpos, two[1].qpos)
    assert not np.array_equal(one[1].qpos, other[1].qpos)


def test_a_policy_that_falls_gives_no_clips() -> None:
    policy = load_policy(make_expert_clips.MODEL)

    class Limp(FixedWeights):
        def run(self, obs):  # type: ignore[no-untyped-def]
            outputs = super().run(obs)
            return outputs._replace(action=outputs.action * 0.0 + 6.0)

    with pytest.raises(MotionError, match="falls in .*turn_left"):
        command_clips(Limp(policy, [[1.0]], "limp"), seconds=3.0)


@pytest.mark.parametrize(("vx", "wz"), [(0.0, 0.0), (0.7, 0.0), (0.5, -0.6), (0.0, 0.8)])
def test_the_trot_moves_exactly_at_its_command(vx: float, wz: float) -> None:
    clip = gait_clip(vx, wz, 2.0, "trot")
    middle, dt = slice(1, -1), 1.0 / clip.rate
    difference = (clip.qpos[2:] - clip.qpos[:-2]) / (2.0 * dt)
    assert np.allclose(difference[:, :3], clip.qvel[middle, :3], atol=1e-3)
    yaw = np.unwrap(2.0 * np.arctan2(clip.qpos[:, 6], clip.qpos[:, 3]))
    assert np.allclose(np.gradient(yaw, dt), wz, atol=1e-9)
    assert np.linalg.norm(clip.qvel[:, :2], axis=1) == pytest.approx(abs(vx), abs=1e-12)
    # joint speeds jump where a foot lands or leaves, elsewhere they are the derivatives
    off = np.abs(difference[:, 7:] - clip.qvel[middle, 6:]).max(axis=1)
    assert np.median(off) < 0.6 and (np.abs(clip.qvel[:, 6:18]).max() > 1.0) == (vx != 0.0 or wz != 0.0)


def test_the_command_writes_what_its_help_says(tmp_path: Path) -> None:
    arguments = ["--out", str(tmp_path), "--seconds", "0.2", "--held_out", "2"]
    assert make_expert_clips.main(arguments) == 0
    joined, held_out = load_motion(tmp_path / "expert_traj.npz"), load_motion(tmp_path / "held_out.npz")
    assert joined.names == tuple(COMMANDS) and held_out.lengths == (20, 20)
    assert len(list((tmp_path / "expert").glob("*.npz"))) == len(list((tmp_path / "gait").glob("*.npz"))) == 17


def test_a_missing_policy_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert make_expert_clips.main(["--model", str(tmp_path / "none.safetensors"), "--out", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "none.safetensors" in error
