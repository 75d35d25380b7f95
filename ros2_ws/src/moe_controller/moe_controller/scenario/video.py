"""The film of a run, rendered from its record after the run. ROS-free."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from sim_bridge.render import Recording, render_video

from .record import Record

FRAME_RATE = 20
"""Frames per second of the film. Software rendering takes some tenths of a second for each."""


def recording_of(record: Record) -> Recording:
    """Return what the renderer needs: one row for each state. Raises ValueError for an empty record."""
    weights = None
    if len(record.weights_time):
        latest = np.searchsorted(record.weights_time, record.time, side="right") - 1
        weights = record.weights[np.clip(latest, 0, None)]
    return Recording(
        time=record.time,
        base_position=record.base_position,
        base_orientation=record.base_orientation,
        joints=record.joint_position,
        gripper=record.gripper_position,
        target=record.ee_target_odom(),
        weights=weights,
        groups=record.groups if weights is not None else (),
        experts=record.experts if weights is not None else (),
    )


def render_record(record: Record, path: Path) -> None:
    """Write the film as mp4. Raises RenderError without OpenGL, ValueError for an empty record."""
    error = record.ee_error()

    def caption(row: int) -> str:
        time = record.time[row]
        goal = next((played.goal.label for played in record.goals if played.start < time <= played.end), "")
        shown = f", {100 * error[row]:.1f} cm" if np.isfinite(error[row]) else ""
        return f"{time:.1f} s  {goal}{shown}"

    render_video(recording_of(record), path, fps=FRAME_RATE, width=640, height=360, caption=caption)
