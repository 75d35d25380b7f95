"""Files of a rollout: npz, zarr, plots, film, tables, lines in the terminal, window."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import mujoco
import numpy as np
import pytest
import zarr
from go2_piper_description.joints import JOINT_NAMES
from rich.console import Console

from training.envs.go2_piper_env import Go2PiperEnv
from training.playback import video
from training.playback.live import WeightPrinter, Window, together
from training.playback.plots import plot_over_task, plot_over_time
from training.playback.report import task_table, weight_table
from training.playback.results import write_results, write_weight_statistics
from training.playback.rollout import Rollout, Step, roll_out
from training.playback.statistics import task_figures, weight_statistics
from training.playback.zarr_log import ACTIONS, STATES, write_log

from .fixtures import CONFIG, Constant, made_up


@pytest.fixture(scope="module")
def env() -> Go2PiperEnv:
    return Go2PiperEnv(CONFIG)


@pytest.fixture(scope="module")
def rollout(env: Go2PiperEnv) -> Rollout:
    return roll_out(Constant(), env, 30)


def test_results(tmp_path: Path, rollout: Rollout) -> None:
    write_results(rollout, tmp_path / "r.npz")
    with np.load(tmp_path / "r.npz", allow_pickle=False) as data:
        np.testing.assert_array_equal(data["ee_error"], rollout.ee_error)
        np.testing.assert_array_equal(data["weights"], rollout.steps.weights)
        assert data["experts"].tolist() == ["base", "arm"] and data["modes"].tolist() == ["walk", "reach"]
        shapes = {key: data[key].shape for key in ("time", "reward", "fell", "mode", "command", "linear_error")}
    assert shapes == {"time": (30,), "command": (30, 3, 3), **dict.fromkeys(
        ("reward", "fell", "mode", "linear_error"), (30, 3))}  # fmt: skip


def test_weight_statistics(tmp_path: Path, rollout: Rollout) -> None:
    statistics = weight_statistics(rollout)
    write_weight_statistics(rollout, statistics, tmp_path / "w.npz")
    with np.load(tmp_path / "w.npz", allow_pickle=False) as data:
        np.testing.assert_allclose(data["base_weights"][5, 1], [0.7, 0.2], atol=1e-6)
        np.testing.assert_allclose(data["arm_weights"][5, 1], [0.3, 0.8], atol=1e-6)
        assert data["weight_entropy"].shape == (30, 3, 2)
        np.testing.assert_array_equal(data["usage"], [[1, 0], [0, 1]])
        assert data["mean"].shape == data["spread"].shape == (2, 2) and data["mode_means"].shape == (2, 2, 2)


def test_zarr_log(tmp_path: Path, rollout: Rollout) -> None:
    for _ in range(2):  # a second session may use the folder again
        write_log(rollout, tmp_path / "logs.zarr")
    group = zarr.open_group(str(tmp_path / "logs.zarr"), mode="r")
    for folder, names in (("states", STATES), ("actions", ACTIONS)):
        for name in names:
            np.testing.assert_array_equal(np.asarray(group[f"{folder}/{name}"]), getattr(rollout.steps, name))
    assert group.attrs["experts"] == ["base", "arm"] and group.attrs["control_period"] == 0.02
    assert group.attrs["joints"] == list(JOINT_NAMES)


def test_plots(tmp_path: Path, rollout: Rollout) -> None:
    plot_over_time(rollout, tmp_path / "time.png")
    plot_over_task(rollout, tmp_path / "task.png")
    one_step = made_up(np.full((1, 1, 1, 2), 0.5, np.float32), lambda values: values["reaches"].fill(False))
    plot_over_time(one_step, tmp_path / "one.png")
    plot_over_task(one_step, tmp_path / "none.png")
    assert min(path.stat().st_size for path in tmp_path.iterdir()) > 5000


def test_film(tmp_path: Path, rollout: Rollout, monkeypatch: pytest.MonkeyPatch) -> None:
    """What goes to the renderer, which has tests of its own."""
    recording = video.recording_of(rollout, robot=1)
    assert recording.weights is not None and recording.target is not None
    np.testing.assert_allclose(recording.weights[3], [[0.7, 0.3], [0.2, 0.8]], atol=1e-6)
    distance = np.linalg.norm(recording.target - recording.base_position, axis=1)
    np.testing.assert_allclose(distance, np.linalg.norm(rollout.steps.target_position[:, 1], axis=1), atol=1e-5)
    captions = []

    def render(recording: object, path: Path, **options: object) -> int:
        captions.append(options["caption"](10))  # type: ignore[operator]
        return 7

    monkeypatch.setattr(video, "render_video", render)
    assert video.write_video(rollout, tmp_path / "v.mp4") == 7
    assert captions[0].startswith("0.2 s  ") and "cm" in captions[0]


def test_tables(rollout: Rollout) -> None:
    console = Console(width=120, record=True, quiet=False, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(task_table(task_figures(rollout), "title [here]"))
    console.print(weight_table(rollout, weight_statistics(rollout)))
    text = console.export_text()
    assert "title [here]" in text and "reward per step" in text and "0.70" in text and "100 %" in text


def test_lines_of_weights(rollout: Rollout) -> None:
    console = Console(width=60, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    printer = WeightPrinter(Constant(), 0.02, console)
    step = Step(**{name: value[0] for name, value in vars(rollout.steps).items()})
    assert all(printer(index, step) for index in range(101))
    lines = console.export_text().splitlines()
    assert [line.split(" s ")[0].strip() for line in lines] == ["0.0", "1.0", "2.0"]
    assert "legs base 0.70 arm 0.30  |  arm base 0.20 arm 0.80  |  EE" in lines[0]


def test_all_watches_are_asked() -> None:
    asked = []

    def stop(index: int, step: Step) -> bool:
        asked.append(index)
        return False

    assert together([stop, stop])(3, None) is False and asked == [3, 3]  # type: ignore[arg-type]


def test_window_shows_the_robot_and_its_target(
    env: Go2PiperEnv, rollout: Rollout, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Handle:
        """MuJoCo's viewer without a window."""

        def __init__(self) -> None:
            self.user_scn = mujoco.MjvScene(env.physics.model, maxgeom=10)
            self.synced, self.open = 0, True
            self.lock = lambda: memoryview(b"")  # any context manager

        def is_running(self) -> bool:
            return self.open

        def sync(self) -> None:
            self.synced += 1

        def close(self) -> None:
            self.open = False

    handle, shown = Handle(), []

    def launch_passive(model: mujoco.MjModel, data: mujoco.MjData, **options: object) -> Handle:
        shown.append(data)
        return handle

    monkeypatch.setitem(sys.modules, "mujoco.viewer", SimpleNamespace(launch_passive=launch_passive))
    monkeypatch.setattr(mujoco, "viewer", sys.modules["mujoco.viewer"], raising=False)
    step = Step(**{name: value[-1] for name, value in vars(rollout.steps).items()})
    with Window(env) as window:
        assert window(0, step)
        handle.open = False
        assert not window(1, step)
    assert handle.synced == 1 and handle.user_scn.ngeom == 1
    np.testing.assert_allclose(shown[0].qpos[7:], step.joint_position[0], atol=1e-6)
    np.testing.assert_allclose(shown[0].qpos[:3], step.base_position[0], atol=1e-6)
