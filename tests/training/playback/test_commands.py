"""The play commands from the command line to their files, with tiny random policies."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import zarr

from tests.support.tiny_policy import write_tiny_policy
from tests.training.models.fixtures import write_expert, write_moe
from training import play, play_moe_ee_task, play_moe_simple
from training.envs.config import Randomization
from training.playback import session
from training.structured import ConfigError
from training.trajectories import generate, save_trajectories

STEPS = ["--num_steps", "12"]


@pytest.fixture
def no_plots(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the plots out: most of the time of a short session is theirs."""
    for name in ("plot_over_time", "plot_over_task"):
        monkeypatch.setattr(session, name, lambda rollout, path: None)


@pytest.fixture
def moe(tmp_path: Path) -> str:
    """Return the path of a tiny mixture."""
    write_moe(tmp_path / "moe.safetensors", {"kind": "traj_attention"})
    return str(tmp_path / "moe.safetensors")


@pytest.fixture
def trajectory(tmp_path: Path) -> str:
    """Return the path of a UMI-style pickle with two trajectories."""
    save_trajectories(tmp_path / "pushing.pkl", generate("pushing", 2, 0, duration=0.2))
    return str(tmp_path / "pushing.pkl")


def test_ee_task_leaves_everything(
    tmp_path: Path, moe: str, trajectory: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(session, "write_video", lambda rollout, path: path.write_bytes(b"film"))
    other, out = str(write_expert(tmp_path / "other.safetensors", 5)), tmp_path / "out"
    options = ["--base_ckpt_path", other, "--arm_ckpt_path", other, "--record", "--visualize", "--show_weights"]
    files = ["--moe_ckpt_path", moe, "--trajectory_file_path", trajectory, "--out", str(out)]
    assert play_moe_ee_task.main([*files, *options, *STEPS, "--num_envs", "3"]) == 0
    assert {path.name for path in out.iterdir()} == {
        "moe_results.npz", "weight_stats.npz", "logs.zarr", "video.mp4", "weights_over_time.png",
        "weights_over_task.png",
    }  # fmt: skip
    assert np.asarray(zarr.open_group(str(out / "logs.zarr"), mode="r")["actions/action"]).shape == (12, 3, 18)
    output = capsys.readouterr().out
    assert "no display here" in output and "moe, 3 robots" in output and "0.0 s  legs base" in output


def test_ee_task_lasts_as_long_as_the_trajectory(tmp_path: Path, moe: str, trajectory: str, no_plots: None) -> None:
    files = ["--moe_ckpt_path", moe, "--trajectory_file_path", trajectory, "--out", str(tmp_path / "out")]
    assert play_moe_ee_task.main(files) == 0
    with np.load(tmp_path / "out" / "moe_results.npz") as data:
        assert len(data["time"]) == round((session.LEAD + 0.2) / 0.02) + 1
        reaches = data["reaches"][:, 0]
    assert not reaches[:70].any() and reaches[76:85].all()  # the way to the beginning does not count


def test_simple_writes_plots_only(tmp_path: Path, moe: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert play_moe_simple.main(["--moe_ckpt_path", moe, "--out", str(tmp_path / "out"), *STEPS]) == 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"weights_over_time.png", "weights_over_task.png"}
    assert "expert weights" in capsys.readouterr().out


def test_onnx_is_played(tmp_path: Path, trajectory: str, no_plots: None) -> None:
    write_tiny_policy(tmp_path / "tiny.onnx")
    files = ["--moe_ckpt_path", str(tmp_path / "tiny.onnx"), "--trajectory_file_path", trajectory]
    assert play_moe_simple.main([*files, "--out", str(tmp_path), *STEPS]) == 0


def test_the_same_seed_gives_the_same(tmp_path: Path, moe: str, no_plots: None) -> None:
    found = []
    for index, seed in enumerate((3, 3, 4)):
        out = tmp_path / str(index)
        assert play_moe_ee_task.main(["--moe_ckpt_path", moe, "--out", str(out), "--seed", str(seed), *STEPS]) == 0
        with np.load(out / "moe_results.npz") as data:
            found.append(data["ee_error"])
    np.testing.assert_array_equal(found[0], found[1])
    assert not np.array_equal(found[0], found[2])


def test_no_opengl_is_one_line_and_the_rest_is_written(
    tmp_path: Path, moe: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, no_plots: None
) -> None:
    def nothing(rollout: object, path: Path) -> int:
        raise session.RenderError("no OpenGL to render off screen")

    monkeypatch.setattr(session, "write_video", nothing)
    out = tmp_path / "out"
    assert play_moe_ee_task.main(["--moe_ckpt_path", moe, "--out", str(out), "--record", *STEPS]) == 0
    assert "no film: no OpenGL" in capsys.readouterr().out and (out / "moe_results.npz").is_file()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--moe_ckpt_path", "{}/none.safetensors"], "no checkpoint at"),
        (["--moe_ckpt_path", "{}/none.onnx"], "none.onnx"),
        (["--moe_ckpt_path", "{}/moe.safetensors", "--trajectory_file_path", "{}/none.pkl"], "no such file"),
        (["--moe_ckpt_path", "{}/moe.safetensors", "--num_steps", "0"], "num_steps is 0"),
        (["--moe_ckpt_path", "{}/moe.safetensors", "--num_envs", "-1"], "num_envs is -1"),
        (
            ["--moe_ckpt_path", "{}/moe.safetensors", "--num_steps", "5", "--out", "{}/moe.safetensors/x"],
            "cannot be made",
        ),
    ],
)
def test_mistakes_are_one_line(
    tmp_path: Path, moe: str, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    for module in (play_moe_ee_task, play_moe_simple):
        assert module.main([argument.format(tmp_path) for argument in arguments]) == 1
        error = capsys.readouterr().err
        assert error.count("\n") == 1 and message in error and error.startswith("training.play_moe")


# --- training.play ---


def test_play_in_the_environment_of_the_training(tmp_path: Path, moe: str, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    settings = [f"ckpt_path={moe}", f"out={out}", "num_steps=8", "num_envs=2", "show_weights=true"]
    assert play.main(["--config-name=train_moe_example", *settings, "env.randomization.push_interval=0"]) == 0
    with np.load(out / "moe_results.npz") as data:
        assert data["ee_error"].shape == (8, 2) and data["modes"].tolist() == ["walk_only", "reach_only", "both"]
    assert "moe, 2 robots" in capsys.readouterr().out


def test_play_an_expert_along_a_trajectory(tmp_path: Path, trajectory: str, no_plots: None) -> None:
    expert, out = write_expert(tmp_path / "base.safetensors"), tmp_path / "out"
    settings = ["env=combo_go2Piper_locomotion", f"ckpt_path={expert}", f"trajectory_file_path={trajectory}"]
    assert play.main(["--config-name", "train", *settings, f"out={out}", "num_steps=8"]) == 0
    with np.load(out / "weight_stats.npz") as data:
        assert data["experts"].tolist() == ["base"] and (data["base_weights"] == 1.0).all()


def test_settings_reach_the_environment() -> None:
    settings, config = play.settings_and_config(
        "train", ["env=combo_go2Piper_reaching", "seed=7", "num_envs=2", "env.randomization.delay=[0,0]", "record=true"]
    )
    assert (config.seed, config.num_envs, list(config.modes)) == (7, 2, ["reach"])
    assert config.randomization.delay == (0.0, 0.0) and config.randomization != Randomization.none()
    assert settings.record and settings.num_steps == 500
    _, config = play.settings_and_config("train_moe_example", ["env.num_envs=9"])
    assert config.num_envs == 9


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "ckpt_path is missing: ckpt_path=FILE"),
        (["ckpt_path=none.safetensors"], "no checkpoint at none.safetensors"),
        (["ckpt_path=x", "nonsense=1"], "nonsense"),
        (["ckpt_path=x", "env.nonsense=1"], "nonsense"),
        (["ckpt_path=x", "num_steps=many"], "num_steps: wanted a whole number"),
        (["--config-name=none", "ckpt_path=x"], "none"),
        (["--config-name=common", "ckpt_path=x"], "no environment"),
    ],
)
def test_mistakes_of_play_are_one_line(capsys: pytest.CaptureFixture[str], arguments: list[str], message: str) -> None:
    assert play.main(arguments) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and error.startswith("training.play: ") and message in error


def test_unknown_configuration_raises_our_error() -> None:
    with pytest.raises(ConfigError, match="nowhere"):
        play.settings_and_config("nowhere", [])
