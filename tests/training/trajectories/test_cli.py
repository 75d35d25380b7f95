"""The command line: generate, convert, show."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from moe_controller.trajectory_file import load_trajectory

from training.trajectories import load_trajectories
from training.trajectories.__main__ import main


def test_generates_converts_and_shows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    npz, pkl, back = tmp_path / "a.npz", tmp_path / "b.pkl", tmp_path / "c.npz"
    options = ["--count", "2", "--seed", "3", "--duration", "2", "--speed", "0.1", "0.4", "--turn", "0.2", "1"]
    assert main(["generate", "pushing", *options, "--out", str(npz)]) == 0
    assert main(["convert", str(npz), str(pkl)]) == 0
    assert main(["convert", str(pkl), str(back), "--rate", "50"]) == 0
    assert main(["show", str(back), "--plot", str(tmp_path / "plots" / "a.png")]) == 0
    assert (tmp_path / "plots" / "a.png").stat().st_size > 1000
    output = capsys.readouterr().out
    assert "a.npz: 2 trajectories of 2 s" in output and "pushing_1" in output and "all 2" in output
    sequences = load_trajectories(back)
    assert [(len(s), s.rate) for s in sequences] == [(101, 50.0)] * 2
    assert max(s.linear_speed().max() for s in sequences) <= 0.4
    assert max(s.angular_speed().max() for s in sequences) <= 1.0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["show", "{}/none.npz"], "no such file"),
        (["convert", "{}/none.pkl", "{}/a.npz"], "no such file"),
        (["convert", "{}/good.npz", "{}/a.txt"], "must end in"),
        (["convert", "{}/good.npz", "{}/a.pkl", "--rate", "50"], "always 200 Hz"),
        (["convert", "{}/good.npz", "{}/a.npz", "--rate", "0"], "rate 0 Hz"),
        (["convert", "{}/good.npz", "{}/a.json", "--index", "1"], "holds 1, from 0"),
        (["generate", "random", "--out", "{}/a.npz", "--speed", "2", "1"], "linear speed limits"),
        (["generate", "random", "--out", "{}/a.npz", "--count", "0"], "count 0"),
        (["show", "{}/good.npz", "--plot", "{}/a.unknown"], "plot cannot be written"),
    ],
)
def test_mistakes_are_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert main(["generate", "random", "--count", "1", "--duration", "0.5", "--out", str(tmp_path / "good.npz")]) == 0
    capsys.readouterr()
    assert main([argument.format(tmp_path) for argument in arguments]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and error.startswith("training.trajectories: ") and message in error


def test_long_lists_are_cut(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(tmp_path / "a.npz")
    assert main(["generate", "random", "--count", "30", "--duration", "0.2", "--out", path]) == 0
    assert main(["show", path]) == 0
    output = capsys.readouterr().out
    assert "random_19" in output and "random_20" not in output and "all 30" in output


def test_a_umi_file_is_converted_for_the_robot_without_torch(tmp_path: Path) -> None:
    pkl, json = tmp_path / "umi.pkl", tmp_path / "one.json"
    assert main(["generate", "pushing", "--count", "3", "--duration", "2", "--out", str(pkl)]) == 0
    arguments = ["convert", str(pkl), str(json), "--index", "2", "--rate", "50"]
    code = f"import sys, training.trajectories.__main__ as m; assert m.main({arguments!r}) == 0; "
    code += "assert not {'torch', 'jax', 'zarr'} & set(sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    trajectory, frame = load_trajectory(json)
    wanted = load_trajectories(pkl)[2].resampled(50.0)
    assert frame == "base_link" and trajectory.turns
    np.testing.assert_allclose(trajectory.times, wanted.times, atol=1e-9)
    np.testing.assert_allclose(trajectory.positions, wanted.positions, atol=1e-9)
    np.testing.assert_allclose(trajectory.orientations, wanted.orientations, atol=1e-9)
