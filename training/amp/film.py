"""A film of one robot that steers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from go2_piper_description.joints import NUM_JOINTS
from sim_bridge.render import Recording, render_video

from .env import Disturbances
from .evaluation import policy_of, steering_env
from .loading import LoadedRun
from .robot import GO2_PIPER
from .state import CheckpointError


def film(run: LoadedRun, path: Path, seed: int, seconds: float) -> Path:
    """Write an mp4 of the policy without noise. Raises CheckpointError for other robots, RenderError without OpenGL."""
    if run.robot.model != GO2_PIPER:
        raise CheckpointError("--record films Go2Piper only: the renderer draws this project's robot")
    env = steering_env(run.saved.config, run.robot, 1, seconds, seed, Disturbances())
    act, rows, texts = policy_of(run.learner, run.state), [], []
    for _ in range(round(seconds / run.robot.control_period)):
        env.step(act(env.observation.actor))
        rows.append(env.stepper.qpos[0].copy())
        speed, heading = env.steering.errors(env.state)
        target = env.steering.speed[0]
        texts.append(f"{target + speed[0]:.2f} of {target:.2f} m/s, {np.degrees(heading[0]):+.0f} deg to the target")
    qpos = np.array(rows)
    recording = Recording(
        time=np.arange(len(qpos), dtype=np.float64) * run.robot.control_period,
        base_position=qpos[:, :3],
        base_orientation=qpos[:, [4, 5, 6, 3]],
        joints=qpos[:, 7 : 7 + NUM_JOINTS],
        gripper=np.zeros(len(qpos)),
    )
    render_video(recording, path, fps=20, width=640, height=360, caption=lambda row: texts[row])
    return path
