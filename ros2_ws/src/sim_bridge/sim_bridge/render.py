"""Render recordings to mp4, and the picture of the robot for the README. No display and no GPU are needed.

`python -m sim_bridge.render --picture FILE.png` makes the picture.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from go2_piper_description.joints import ARM_SLICE, NUM_JOINTS, joint_array
from go2_piper_description.kinematics import ArmKinematics
from PIL import Image as PilImage
from robot_bridge.types import Array

from .gl import RenderError
from .overlay import draw_caption, draw_weights
from .scene import Image, RobotScene, View

_UPRIGHT = np.array([0.0, 0.0, 0.0, 1.0])


@dataclass(frozen=True)
class Recording:
    """A run as time series; T rows each. Raises ValueError, in one line, where shapes do not fit."""

    time: Array
    """s, shape (T,), not falling."""
    base_position: Array
    """m in `odom`, shape (T, 3)."""
    base_orientation: Array
    """Quaternion x, y, z, w, shape (T, 4)."""
    joints: Array
    """rad, shape (T, 18), canonical order."""
    gripper: Array
    """Travel of each finger, m, shape (T,)."""
    target: Array | None = None
    """Target of the end effector in `odom`, m, shape (T, 3); not a number where there is none."""
    weights: Array | None = None
    """Expert weights, shape (T, groups, experts)."""
    groups: tuple[str, ...] = ()
    experts: tuple[str, ...] = ()
    ghost: tuple[Array, Array, Array] | None = None
    """Base position (T, 3), base orientation (T, 4) and joints (T, 18) of a translucent second robot; rows that are not
    numbers: none."""

    def __post_init__(self) -> None:
        rows = len(self.time)
        shapes: list[tuple[str, Array | None, tuple[int, ...]]] = [
            ("time", self.time, (rows,)), ("base_position", self.base_position, (rows, 3)),
            ("base_orientation", self.base_orientation, (rows, 4)), ("joints", self.joints, (rows, NUM_JOINTS)),
            ("gripper", self.gripper, (rows,)), ("target", self.target, (rows, 3)),
            ("weights", self.weights, (rows, len(self.groups), len(self.experts))),
        ]  # fmt: skip
        if self.ghost is not None:
            sizes = (("ghost position", 3), ("ghost orientation", 4), ("ghost joints", NUM_JOINTS))
            shapes += [(name, part, (rows, size)) for (name, size), part in zip(sizes, self.ghost, strict=True)]
        for name, values, shape in shapes:
            if values is not None and np.shape(values) != shape:
                raise ValueError(f"recording: {name} has shape {np.shape(values)}, not {shape}")
        if rows == 0:
            raise ValueError("recording: it is empty")
        if np.any(np.diff(self.time) < 0.0):
            raise ValueError("recording: time goes back")


def frame_rows(time: Array, fps: float, speed: float = 1.0) -> list[int]:
    """Return which row each frame of a video shows: the last one at or before the frame's time.

    Args:
        time: s, shape (T,).
        fps: frames per s.
        speed: recorded time per time of the video.
    """
    count = int(np.floor((time[-1] - time[0]) / speed * fps + 1e-9)) + 1
    times = time[0] + np.arange(count) * speed / fps
    return [int(row) for row in np.searchsorted(time, times + 1e-9, side="right") - 1]


def render_frames(
    recording: Recording, rows: list[int], *, width: int = 960, height: int = 540, view: View | None = None,
    caption: Callable[[int], str] | str = "",
) -> list[Image]:  # fmt: skip
    """Return pictures of some rows of a recording; `caption` may be a function of the row. Raises RenderError."""
    scene = RobotScene(width, height, view, fine=False)
    try:
        return [_frame(scene, recording, row, caption) for row in rows]
    finally:
        scene.close()


def render_video(
    recording: Recording, path: str | Path, *, fps: int = 25, speed: float = 1.0, width: int = 960, height: int = 540,
    view: View | None = None, caption: Callable[[int], str] | str = "",
) -> int:  # fmt: skip
    """Write a recording as H.264 in mp4.

    Args:
        recording: what happened.
        path: file to write; its folder is made.
        fps: frames per s of the video.
        speed: recorded time per time of the video.
        width: pixels, even.
        height: pixels, even.
        view: camera; None for the default, which follows the base.
        caption: text in the upper left corner, or a function that gives it for a row.

    Returns:
        Number of frames.

    Raises:
        RenderError: in one line, if there is no OpenGL.
    """
    if width % 2 or height % 2:
        raise ValueError(f"video size {width} x {height}: both must be even")
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = frame_rows(recording.time, fps, speed)
    scene = RobotScene(width, height, view, fine=False)
    try:
        with av.open(str(path), "w") as container:
            stream = container.add_stream("libx264", rate=Fraction(fps))
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
            stream.options = {"crf": "23", "preset": "medium"}
            for row in rows:
                frame = av.VideoFrame.from_ndarray(_frame(scene, recording, row, caption), format="rgb24")
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
    finally:
        scene.close()
    return len(rows)


def _frame(scene: RobotScene, recording: Recording, row: int, caption: Callable[[int], str] | str) -> Image:
    ghost = recording.ghost
    image = scene.frame(
        recording.base_position[row], recording.base_orientation[row], recording.joints[row],
        float(recording.gripper[row]), None if recording.target is None else recording.target[row],
        None if ghost is None else (ghost[0][row], ghost[1][row], ghost[2][row]),
    )  # fmt: skip
    if recording.weights is not None:
        image = draw_weights(image, recording.weights[row], recording.groups, recording.experts)
    text = caption if isinstance(caption, str) else caption(row)
    return draw_caption(image, text) if text else image


def picture(path: str | Path, width: int = 1280, height: int = 720) -> None:
    """Write a picture of the standing robot that reaches for a target. Raises RenderError."""
    joints = joint_array("stand")
    joints[ARM_SLICE] = [0.3, 2.3, -1.6, 0.0, -0.1, 0.0]
    base = np.array([0.0, 0.0, 0.318])  # feet on the floor without sag
    hand = ArmKinematics().ee_transform(joints[ARM_SLICE])
    target = base + hand[:3, 3] + 0.03 * hand[:3, 2]
    view = View(lookat=(0.18, 0.0, 0.03), distance=1.35, azimuth=128.0, elevation=-15.0)
    scene = RobotScene(width, height, view)
    try:
        image = scene.frame(base, _UPRIGHT, joints, 0.035, target)
    finally:
        scene.close()
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    PilImage.fromarray(image).save(path)


def main(arguments: list[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m sim_bridge.render", description=__doc__)
    parser.add_argument("--picture", metavar="FILE.png", required=True, help="write a picture of the robot")
    options = parser.parse_args(arguments)
    try:
        picture(options.picture)
    except (RenderError, OSError, ValueError) as error:
        print(f"render: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
