"""The film of one robot of a rollout, with the expert weights drawn in."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation
from sim_bridge.render import Recording, render_video

from .rollout import Rollout

VIDEO = "video.mp4"
FRAME_RATE = 20
"""Frames per second of the film. Software rendering takes some tenths of a second for each."""


def recording_of(rollout: Rollout, robot: int = 0) -> Recording:
    """Return what the renderer needs of one robot."""
    steps = rollout.steps
    base, turn = steps.base_position[:, robot], Rotation.from_quat(steps.base_orientation[:, robot])
    return Recording(
        time=rollout.time,
        base_position=base.astype(np.float64),
        base_orientation=steps.base_orientation[:, robot].astype(np.float64),
        joints=steps.joint_position[:, robot].astype(np.float64),
        gripper=np.zeros(len(base)),
        target=base + turn.apply(steps.target_position[:, robot]),
        weights=steps.weights[:, robot].astype(np.float64),
        groups=rollout.groups,
        experts=rollout.experts,
    )


def write_video(rollout: Rollout, path: Path, robot: int = 0) -> int:
    """Write the film as mp4 and return its number of frames. Raises RenderError without OpenGL."""
    error, angle = rollout.ee_error[:, robot], np.degrees(rollout.ee_angle[:, robot])
    mode = [rollout.modes[index] for index in rollout.steps.mode[:, robot]]

    def caption(row: int) -> str:
        return (
            f"{rollout.time[row]:.1f} s  {mode[row]}  {100 * error[row]:.1f} cm, {angle[row]:.0f} deg from the target"
        )

    return render_video(recording_of(rollout, robot), path, fps=FRAME_RATE, width=640, height=360, caption=caption)
