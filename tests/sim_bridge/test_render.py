"""Pictures and videos of recordings. Skipped where there is no OpenGL at all."""

from __future__ import annotations

import ctypes.util
import os
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest
from go2_piper_description.joints import joint_array
from robot_bridge.types import Array
from sim_bridge.overlay import draw_caption, draw_weights
from sim_bridge.render import Recording, frame_rows, render_frames, render_video

needs_gl = pytest.mark.skipif(
    not (ctypes.util.find_library("OSMesa") or ctypes.util.find_library("EGL")), reason="no off-screen OpenGL"
)


def recording(rows: int = 11, **changes: object) -> Recording:
    time = np.linspace(0.0, 1.0, rows)
    values: dict[str, object] = {
        "time": time,
        "base_position": np.stack([0.3 * time, 0.0 * time, 0.3 + 0.0 * time], axis=1),
        "base_orientation": np.tile([0.0, 0.0, 0.0, 1.0], (rows, 1)),
        "joints": np.tile(joint_array("stand"), (rows, 1)),
        "gripper": np.zeros(rows),
        "target": np.tile([0.7, 0.0, 0.5], (rows, 1)),
        "weights": np.tile([[0.25, 0.75], [0.9, 0.1]], (rows, 1, 1)),
        "groups": ("legs", "arm"),
        "experts": ("base", "arm"),
    }
    return Recording(**{**values, **changes})  # type: ignore[arg-type]


@needs_gl
def test_video_has_the_frames_and_size_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "new" / "run.mp4"
    count = render_video(recording(), path, fps=5, width=160, height=96, caption=lambda row: f"row {row}")
    assert count == 6
    with av.open(str(path)) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
        assert container.streams.video[0].codec_context.name == "h264"
    assert len(frames) == 6 and frames[0].shape == (96, 160, 3)
    assert frames[0].std() > 10.0


@needs_gl
def test_the_target_is_drawn_and_no_target_is_not() -> None:
    def orange(target: Array | None) -> int:
        image = render_frames(recording(1, target=target, weights=None), [0], width=320, height=180)[0].astype(int)
        return int(np.sum((image[..., 0] > 150) & (image[..., 0] > 2 * image[..., 2])))

    assert orange(np.array([[0.7, 0.0, 0.5]])) > 20
    assert orange(None) == 0
    assert orange(np.full((1, 3), np.nan)) == 0


def test_weights_are_bars_of_their_size() -> None:
    blank = np.full((540, 960, 3), 120, dtype=np.uint8)
    image = draw_weights(blank, np.array([[0.25, 0.75], [1.0, 0.0]]), ("legs", "arm"), ("base", "arm"))
    assert image.shape == blank.shape and (blank == 120).all()  # the given picture is left alone
    first, second = (232, 119, 34), (42, 111, 187)
    count = [int(np.sum(np.all(image == color, axis=-1))) for color in (first, second)]
    assert count[0] > count[1] > 0  # 1.25 against 0.75
    empty = draw_weights(blank, np.full((2, 2), np.nan), ("legs", "arm"), ("base", "arm"))
    assert np.sum(np.all(empty == first, axis=-1)) < 0.2 * count[0]  # only the legend


def test_caption_changes_the_upper_corner_only() -> None:
    blank = np.full((540, 960, 3), 255, dtype=np.uint8)
    changed = np.argwhere(np.any(draw_caption(blank, "t = 1.0 s") != 255, axis=-1))
    assert len(changed) > 20 and changed[:, 0].max() < 60 and changed[:, 1].max() < 300


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"joints": np.zeros((11, 17))}, "joints has shape"),
        ({"time": np.linspace(1.0, 0.0, 11)}, "time goes back"),
        ({"weights": np.zeros((11, 3, 2))}, "weights has shape"),
        ({"target": np.zeros(3)}, "target has shape"),
    ],
)
def test_recordings_that_do_not_fit_are_refused(change: dict[str, object], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        recording(11, **change)


def test_an_empty_recording_is_refused() -> None:
    with pytest.raises(ValueError, match="empty"):
        recording(0)


def test_odd_sizes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="even"):
        render_video(recording(), tmp_path / "x.mp4", width=161, height=96)


def test_frames_show_the_last_row_before_them() -> None:
    time = np.arange(0.0, 1.0001, 0.005)
    rows = frame_rows(time, fps=25)
    assert len(rows) == 26 and rows[0] == 0 and rows[1] == 8 and rows[-1] == 200
    assert len(frame_rows(time, fps=25, speed=2.0)) == 13
    assert frame_rows(np.array([3.0]), fps=25) == [0]


@needs_gl
def test_command_line_makes_a_picture(tmp_path: Path) -> None:
    path = tmp_path / "robot.png"
    subprocess.run([sys.executable, "-m", "sim_bridge.render", "--picture", str(path)], check=True, timeout=300)
    assert path.stat().st_size > 10_000


def test_no_opengl_is_told_in_one_line(tmp_path: Path) -> None:
    environment = {**os.environ, "MUJOCO_GL": "osmesa", "PYOPENGL_PLATFORM": "osmesa"}
    code = (
        "import sys, sim_bridge.gl, ctypes.util, os; os.environ.pop('MUJOCO_GL'); "
        "ctypes.util.find_library = lambda name: None; "
        "from sim_bridge.render import main; sys.exit(main(['--picture', sys.argv[1]]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "x.png")],
        env=environment, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.strip().splitlines()[-1].startswith("render: no OpenGL") and "libosmesa6" in done.stderr
    assert "Traceback" not in done.stderr


def test_viewer_without_a_display_ends_well() -> None:
    pytest.importorskip("rclpy")
    environment = {key: value for key, value in os.environ.items() if key not in ("DISPLAY", "WAYLAND_DISPLAY")}
    done = subprocess.run(
        [sys.executable, "-m", "sim_bridge.viewer_node"], env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0 and "no display" in done.stderr and "Traceback" not in done.stderr
