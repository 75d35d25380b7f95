"""Reference motion of a run and what the discriminator sees of it, kept beside the run."""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from pathlib import Path

import mujoco
import numpy as np
from numpy.typing import NDArray

from .features import build_disc_obs_spec, build_expert_disc_obs
from .motion import Motion, MotionError, join, load_motion, save_motion
from .robot import RobotConfig, robot_model

TRAJECTORY, DISC_OBS = "expert_traj.npz", "expert_disc_obs.npz"


def read_source(source: Path, robot: RobotConfig) -> Motion:
    """Return the motion of a file, or of all files in a folder, with the robot's joints. Raises MotionError."""
    if source.is_dir():
        files = sorted(source.glob("*.npz"))
        if not files:
            raise MotionError(f"{source} holds no clips (*.npz)")
        motion = join([load_motion(file) for file in files])
    else:
        motion = load_motion(source)
    try:
        return motion.select(robot.joints)
    except MotionError as error:
        raise MotionError(f"{source}: {error}") from None


def expert_data(folder: Path, robot: RobotConfig, source: Path) -> tuple[Motion, NDArray[np.float32], bool]:
    """Return the reference motion, the discriminator's observations of it, and whether they come from the cache.

    The cache in `folder` is made anew when clips, robot, model or the discriminator's observation are others than those
    it was made from.

    Raises:
        MotionError: clips that cannot be used; one line.
    """
    motion = read_source(source, robot)
    mark = fingerprint(robot, motion)
    cached = _read(folder / DISC_OBS, mark)
    if cached is not None and (folder / TRAJECTORY).is_file():
        return motion, cached, True
    try:
        rows = build_expert_disc_obs(robot, motion)
    except MotionError as error:
        raise MotionError(f"{source}: {error}") from None
    save_motion(folder / TRAJECTORY, motion)
    part = folder / f"{DISC_OBS}.part"
    with part.open("wb") as file:
        np.savez_compressed(file, fingerprint=np.array(mark), disc_obs=rows)
    part.replace(folder / DISC_OBS)
    return motion, rows, False


def fingerprint(robot: RobotConfig, motion: Motion) -> str:
    """Return a digest of all that the discriminator's observations depend on."""
    model = robot_model(robot)
    buffer = np.empty(mujoco.mj_sizeModel(model), dtype=np.uint8)
    mujoco.mj_saveModel(model, None, buffer)
    digest = hashlib.sha256(buffer.tobytes())
    for part in (asdict(robot), build_disc_obs_spec(robot), motion.joints, motion.lengths, motion.rate):
        digest.update(repr(part).encode())
    digest.update(motion.qpos.tobytes())
    digest.update(motion.qvel.tobytes())
    return digest.hexdigest()


def _read(path: Path, mark: str) -> NDArray[np.float32] | None:
    """Return the cached observations if they are whole and were made from the same."""
    try:
        with np.load(path, allow_pickle=False) as data:
            if str(data["fingerprint"]) != mark:
                return None
            rows: NDArray[np.float32] = data["disc_obs"]
    except Exception:  # missing, cut off, foreign: zipfile and NumPy raise what they like, and it is made anew
        return None
    return rows if rows.ndim == 2 and rows.dtype == np.float32 else None
