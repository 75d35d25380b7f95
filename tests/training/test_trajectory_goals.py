"""Trajectories as goals: the poses of the file, in the frame of the base at the start, held before and after."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from training.envs.config import EnvConfig, Mode, Randomization, Targets
from training.envs.go2_piper_env import Go2PiperEnv
from training.envs.trajectory_goals import TrajectoryGoals
from training.trajectories import PoseSequence, TrajectoryError, save_trajectories


class _Bases:
    """Two robots: one at the origin, one moved and turned."""

    def __init__(self) -> None:
        self.base_position = np.array([[0.0, 0.0, 0.0], [1.0, 2.0, 0.3]])
        self.base_rotation = np.stack([np.eye(3), Rotation.from_euler("z", 1.0).as_matrix()])


def _line(speed: float = 0.1, seconds: float = 2.0, rate: float = 100.0) -> PoseSequence:
    times = np.arange(round(seconds * rate) + 1) / rate
    positions = np.stack([0.4 + speed * times, np.zeros_like(times), np.full_like(times, 0.5)], axis=1)
    return PoseSequence(positions, Rotation.from_rotvec(times[:, None] * [0.0, 0.0, 0.5]).as_quat(), rate, "line")


def test_follows_the_sequence_in_the_frame_of_the_start() -> None:
    bases = _Bases()
    goals = TrajectoryGoals([_line()], 2, 0.02, lead=0.1)
    goals.reset(np.arange(2), bases)
    for _ in range(55):
        goals.step(bases)
    position, rotation = goals.targets(np.array([0.0, 0.5, 10.0]), bases)
    for robot in range(2):  # the bases have not moved: both see the same
        np.testing.assert_allclose(position[robot, :, 0], [0.5, 0.55, 0.6], atol=1e-9)
        np.testing.assert_allclose(rotation[robot, 1], Rotation.from_euler("z", 0.75).as_matrix(), atol=5e-3)
    assert goals.running.all()
    bases.base_position[1] += [0.0, 0.0, 0.1]
    moved, _ = goals.targets(np.zeros(1), bases)
    assert moved[1, 0, 2] == pytest.approx(position[1, 0, 2] - 0.1), "the target stays in the world"


def test_first_pose_is_held_for_the_lead_and_the_last_after_the_end() -> None:
    bases = _Bases()
    goals = TrajectoryGoals([_line()], 2, 0.02, lead=1.0)
    goals.reset(np.arange(2), bases)
    assert not goals.running.any()
    np.testing.assert_allclose(goals.targets(np.array([0.9]), bases)[0][0, 0], [0.4, 0.0, 0.5])
    for _ in range(200):
        goals.step(bases)
    assert not goals.running.any()
    np.testing.assert_allclose(goals.targets(np.zeros(1), bases)[0][0, 0], [0.6, 0.0, 0.5])


def test_sequences_of_different_lengths_and_rates() -> None:
    bases = _Bases()
    goals = TrajectoryGoals([_line(), _line(seconds=0.5, rate=50.0)], 2, 0.02, lead=0.0)
    goals.reset(np.arange(2), bases)
    for _ in range(50):
        goals.step(bases)
    np.testing.assert_allclose(goals.targets(np.zeros(1), bases)[0][:, 0, 0], [0.5, 0.45])


def test_environment_takes_a_file(tmp_path: Path) -> None:
    save_trajectories(tmp_path / "t.npz", [_line()])
    config = EnvConfig(
        4, {"track": Mode(1.0, reach=True, zero_command=1.0)}, randomization=Randomization.none(),
        targets=Targets(trajectory_file=str(tmp_path / "t.npz")),
    )  # fmt: skip
    env = Go2PiperEnv(config)
    assert not env.command.any()
    env.step(torch.zeros(4, 18))
    np.testing.assert_allclose(env.target_position[:, 0], np.tile([0.4, 0.0, 0.5], (4, 1)), atol=0.02)
    with pytest.raises(TrajectoryError):
        Go2PiperEnv(replace(config, targets=Targets(trajectory_file=str(tmp_path / "missing.npz"))))
